/** ServiceEntry and WorkloadEntry -> Service. */
import { isIP } from 'node:net';
import { describe } from '../../schema/describe.ts';
import { type Finding, findingAt, type Resource } from '../model/resource.ts';
import type { ServiceEntrySpec } from '../model/service-entry.ts';
import type { WorkloadSpec } from '../model/workload-entry.ts';
import {
  type CodecProtocol,
  type Endpoint,
  isEncrypted,
  type Service,
  type ServicePort,
  type ServiceProtocol,
} from './mesh.ts';
import { DETECTED, type ProtocolTable } from './protocols.ts';
import { DEFAULT_EXPORT, labelsMatch } from './visibility.ts';

/** Annotation of a ServiceEntry: the protocols, with commas, that its ports named `auto` may speak. */
const DETECT = 'meltemi.io/detect';

type ServiceEntry = Resource<ServiceEntrySpec>;
type PortSpec = NonNullable<ServiceEntrySpec['ports']>[number];
export type WorkloadEntry = Resource<WorkloadSpec>;

export function checkServiceEntry(
  resource: ServiceEntry,
  protocols: ProtocolTable,
  workloads: readonly WorkloadEntry[],
): Finding[] {
  const { spec, document } = resource;
  const findings: Finding[] = [];
  const report = (level: Finding['level'], path: (string | number)[], message: string): void => {
    findings.push(findingAt(document, level, ['spec', ...path], message));
  };
  (spec.ports ?? []).forEach((port, index) => {
    const detected = detectedNames(resource, port);
    if (detected !== null) {
      const path = ['metadata', 'annotations', DETECT];
      for (const message of detectionFaults(detected, protocols))
        findings.push(findingAt(document, 'error', path, message));
      return;
    }
    const protocol = protocols.ofPort(port.name, port.protocol ?? '');
    if (protocol === null) {
      report('error', ['ports', index, 'name'], protocols.unknownPort(port.name));
    } else if (protocol.kind === 'unsupported') {
      report('notApplied', ['ports', index], `${protocol.name} is not built yet: the port gets no listener`);
    } else if (protocol.kind === 'tcp' && protocol.meant !== '' && !isEncrypted(protocol)) {
      report('notApplied', ['ports', index], `${protocol.meant} has no codec here: the port is served as opaque TCP`);
    }
  });
  const resolution = spec.resolution ?? 'NONE';
  if (resolution === 'NONE')
    report(
      'notApplied',
      spec.resolution ? ['resolution'] : [],
      'resolution NONE needs interception, which is not built yet: no listener',
    );
  if (resolution === 'DYNAMIC_DNS') report('notApplied', ['resolution'], 'DYNAMIC_DNS is not built yet: no listener');
  if (resolution === 'DNS_ROUND_ROBIN')
    report('notApplied', ['resolution'], 'all addresses of the name are used, as with DNS');
  (spec.addresses ?? []).forEach((address, index) => {
    if (isIP(address) === 0)
      report(
        'notApplied',
        ['addresses', index],
        'a range needs interception, which is not built yet: no listener for it',
      );
  });
  for (const [index, host] of spec.hosts.entries()) {
    if (host.startsWith('*'))
      report(
        'notApplied',
        ['hosts', index],
        'wildcard hosts need HTTP or TLS routing, which is not built yet: no listener',
      );
  }
  if (spec.workloadSelector && resolution === 'STATIC') {
    for (const workload of selectWorkloads(resource, workloads)) {
      if (isIP(workload.spec.address) === 0)
        report(
          'warning',
          ['workloadSelector'],
          `${workload.key} is not used: its address is a name, which needs resolution DNS`,
        );
    }
  }
  if (resolution === 'STATIC' && endpointsOf(resource, '', false, workloads).length === 0)
    report(
      'warning',
      spec.workloadSelector ? ['workloadSelector'] : [],
      spec.workloadSelector
        ? `no WorkloadEntry of the namespace ${resource.metadata.namespace} can be taken: what is sent to the service fails`
        : 'no endpoints: what is sent to the service fails',
    );
  reportLoops(spec, report);
  return findings;
}

/** A loopback address is local on every proxy, so an endpoint at the service's own address is the listener itself. */
function reportLoops(
  spec: ServiceEntrySpec,
  report: (level: Finding['level'], path: (string | number)[], message: string) => void,
): void {
  (spec.endpoints ?? []).forEach((endpoint, index) => {
    if (!endpoint.address.startsWith('127.') || !spec.addresses?.includes(endpoint.address)) return;
    for (const port of spec.ports ?? []) {
      const at = endpoint.ports?.[port.name] ?? port.targetPort ?? port.number;
      if (at === port.number)
        report(
          'error',
          ['endpoints', index],
          `actual ${endpoint.address}:${at}, the service's own address: its listener would call itself`,
        );
    }
  });
}

/** `resource` passed its check without errors. */
export function toServices(
  resource: ServiceEntry,
  protocols: ProtocolTable,
  workloads: readonly WorkloadEntry[],
): Service[] {
  const { spec, metadata, key } = resource;
  const ports = (spec.ports ?? []).map((port): ServicePort => {
    const detected = detectedNames(resource, port);
    const protocol: ServiceProtocol =
      detected === null
        ? (protocols.ofPort(port.name, port.protocol ?? '') ?? { kind: 'unsupported', name: port.name })
        : { kind: 'detected', protocols: detected.flatMap((name) => codecNamed(name, protocols) ?? []) };
    return { number: port.number, name: port.name, targetPort: port.targetPort ?? port.number, protocol };
  });
  const resolution = spec.resolution ?? 'NONE';
  const dns = resolution === 'DNS' || resolution === 'DNS_ROUND_ROBIN';
  const selector = selectorOf(spec);
  return spec.hosts
    .filter((host) => !host.startsWith('*'))
    .map((host, index) => ({
      source: key,
      namespace: metadata.namespace,
      exportTo: spec.exportTo?.length ? spec.exportTo : DEFAULT_EXPORT,
      host: host.toLowerCase(),
      // Addresses tell connections apart, hosts do not: only the first host of an entry is reached by address.
      addresses: index === 0 ? (spec.addresses ?? []).filter((address) => isIP(address) !== 0) : [],
      ports,
      discovery: dns ? 'dns' : resolution === 'STATIC' ? 'endpoints' : 'none',
      endpoints: endpointsOf(resource, host, dns, workloads),
      selector,
      subjectAltNames: spec.subjectAltNames ?? [],
    }));
}

/** null: the port says what it speaks. Else what its connections may speak. */
function detectedNames({ metadata }: ServiceEntry, port: PortSpec): string[] | null {
  const name = port.name.toLowerCase();
  const isDetected = name === DETECTED || name.startsWith(`${DETECTED}-`);
  if (!isDetected && port.protocol?.toLowerCase() !== DETECTED) return null;
  const listed = metadata.annotations.get(DETECT) ?? 'http';
  return [...new Set(listed.split(',').map((name) => name.trim().toLowerCase()))];
}

function detectionFaults(names: readonly string[], protocols: ProtocolTable): string[] {
  return names.flatMap((name) => {
    const codec = codecNamed(name, protocols);
    if (codec === null)
      return [`actual ${describe(name)}, expected protocols with a codec: ${protocols.names().join(', ')}`];
    return codec.manifest.capabilities.serverFirst ? [`${name} cannot be detected: its servers speak first`] : [];
  });
}

function codecNamed(name: string, protocols: ProtocolTable): CodecProtocol | null {
  const found = protocols.ofPort(`tcp-metaprotocol-${name}`, '');
  return found?.kind === 'codec' ? found : null;
}

function endpointsOf(
  resource: ServiceEntry,
  host: string,
  dns: boolean,
  workloads: readonly WorkloadEntry[],
): Endpoint[] {
  if (resource.spec.workloadSelector) {
    return selectWorkloads(resource, workloads)
      .filter((workload) => dns || isIP(workload.spec.address) !== 0)
      .map((workload) => toEndpoint(workload.spec, workloadLabels(workload), [resource.key, workload.key]));
  }
  const listed = (resource.spec.endpoints ?? []).map((spec) =>
    toEndpoint(spec, new Map(Object.entries(spec.labels ?? {})), [resource.key]),
  );
  if (dns && listed.length === 0) return [toEndpoint({ address: host }, new Map(), [resource.key])];
  return listed;
}

function selectorOf(spec: ServiceEntrySpec): ReadonlyMap<string, string> | null {
  return spec.workloadSelector ? new Map(Object.entries(spec.workloadSelector.labels ?? {})) : null;
}

function selectWorkloads(resource: ServiceEntry, workloads: readonly WorkloadEntry[]): WorkloadEntry[] {
  const selector = selectorOf(resource.spec) ?? new Map();
  return workloads.filter(
    (workload) =>
      workload.metadata.namespace === resource.metadata.namespace && labelsMatch(selector, workloadLabels(workload)),
  );
}

/** Istio selects by the workload's own labels; those of the resource's metadata are the fallback of files without them. */
function workloadLabels(workload: WorkloadEntry): ReadonlyMap<string, string> {
  return workload.spec.labels ? new Map(Object.entries(workload.spec.labels)) : workload.metadata.labels;
}

function toEndpoint(spec: WorkloadSpec, labels: ReadonlyMap<string, string>, sources: readonly string[]): Endpoint {
  return {
    address: spec.address,
    ports: new Map(Object.entries(spec.ports ?? {})),
    labels,
    locality: spec.locality ?? '',
    weight: spec.weight || 1,
    sources,
  };
}

export function endpointPort(endpoint: Endpoint, port: ServicePort): number {
  return endpoint.ports.get(port.name) ?? port.targetPort;
}
