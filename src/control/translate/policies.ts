/** DestinationRule -> DestinationPolicy, and the policy that a cluster ends up with. */
import type { ClientTlsSpec, DestinationRuleSpec, TrafficPolicy } from '../model/destination-rule.ts';
import { parseDurationMs } from '../model/duration.ts';
import { type Finding, findingAt, type Resource } from '../model/resource.ts';
import { unknownKey } from './attributes.ts';
import type { Credentials } from './credentials.ts';
import { hostHint } from './destinations.ts';
import { hostMatches } from './hosts.ts';
import {
  blocksOf,
  type ClusterPolicy,
  type ConnectionPoolBlock,
  codecsOf,
  type DestinationPolicy,
  type LoadBalancerBlock,
  type PolicyBlocks,
  type Service,
  type Subset,
  type TlsBlock,
  type UpstreamTls,
} from './mesh.ts';
import type { MeshIndex } from './mesh-index.ts';

import { DEFAULT_EXPORT, labelsMatch } from './visibility.ts';

type DestinationRule = Resource<DestinationRuleSpec>;
type PolicySpec = Omit<TrafficPolicy, 'portLevelSettings'>;

const DEFAULTS: ClusterPolicy = Object.freeze({
  balancer: 'least_request',
  hashKey: null,
  minimumRingSize: 1_024,
  connectTimeoutMs: 10_000,
  idleTimeoutMs: null,
  maxConnections: 1_024,
  maxPendingRequests: 1_024,
  maxConcurrentStreams: null,
  tls: null,
});

export function checkDestinationRule(resource: DestinationRule, known: MeshIndex, credentials: Credentials): Finding[] {
  const { spec, document } = resource;
  const host = hostOf(resource, known);
  const hosts = host.startsWith('*') ? known.hosts().filter((each) => hostMatches(host, each)) : [host];
  const matching = hosts.flatMap((each) => known.services(each));
  const findings: Finding[] = [];
  if (matching.length === 0)
    findings.push(
      findingAt(
        document,
        'warning',
        ['spec', 'host'],
        `no service has the host ${spec.host}: the rule has no effect${hostHint(host, known)}`,
      ),
    );
  (spec.subsets ?? []).forEach((subset, index) => {
    const lack = lackOfEndpoints(new Map(Object.entries(subset.labels ?? {})), matching);
    if (lack !== null) findings.push(findingAt(document, 'warning', ['spec', 'subsets', index, 'labels'], lack));
  });
  const ports = new Set(matching.flatMap((service) => service.ports.map(({ number }) => number)));
  const levels: [(string | number)[], TrafficPolicy | null | undefined][] = [
    [['spec', 'trafficPolicy'], spec.trafficPolicy],
    ...(spec.subsets ?? []).map((subset, index): [(string | number)[], TrafficPolicy | null | undefined] => [
      ['spec', 'subsets', index, 'trafficPolicy'],
      subset.trafficPolicy,
    ]),
  ];
  for (const [path, policy] of levels) {
    const parts: [(string | number)[], PolicySpec][] = policy
      ? [
          [path, policy],
          ...(policy.portLevelSettings ?? []).map((part, index): [(string | number)[], PolicySpec] => [
            [...path, 'portLevelSettings', index],
            part,
          ]),
        ]
      : [];
    (policy?.portLevelSettings ?? []).forEach(({ port: { number } }, index) => {
      if (ports.size === 0 || ports.has(number)) return;
      const message = `${spec.host} has no port ${number}, there are ${[...ports].join(', ')}: these settings have no effect`;
      findings.push(findingAt(document, 'warning', [...path, 'portLevelSettings', index, 'port', 'number'], message));
    });
    for (const [at, part] of parts) {
      if (part.loadBalancer?.simple === 'PASSTHROUGH') {
        findings.push(
          findingAt(
            document,
            'notApplied',
            [...at, 'loadBalancer', 'simple'],
            'PASSTHROUGH needs interception, which is not built yet: LEAST_REQUEST is used',
          ),
        );
      }
      if (part.tls?.mode === 'ISTIO_MUTUAL') {
        const message = 'mutual TLS of the mesh is not built yet: connections are plaintext';
        findings.push(findingAt(document, 'notApplied', [...at, 'tls', 'mode'], message));
      }
      if (part.tls?.mode === 'MUTUAL') {
        const message = 'a certificate of the proxy’s own is not sent yet: as SIMPLE, so the server is verified';
        findings.push(findingAt(document, 'notApplied', [...at, 'tls', 'mode'], message));
      }
      const credential = part.tls?.credentialName;
      const lack = credential ? credentials.lackOfAny(credential) : null;
      if (lack !== null) {
        const message = `${lack}: no connection can be verified`;
        findings.push(findingAt(document, 'warning', [...at, 'tls', 'credentialName'], message));
      }
      if (part.tls?.insecureSkipVerify && part.tls.mode !== 'DISABLE') {
        const message = 'servers are not verified: anybody can answer in their place';
        findings.push(findingAt(document, 'warning', [...at, 'tls', 'insecureSkipVerify'], message));
      }
      const hashKey = part.loadBalancer?.consistentHash?.httpHeaderName;
      if (hashKey)
        findings.push(
          ...checkHashKey(document, [...at, 'loadBalancer', 'consistentHash', 'httpHeaderName'], hashKey, matching),
        );
    }
  }
  return findings;
}

/** What is wrong with a subset of these labels; null: some service has an endpoint of it, or none has any endpoint. */
function lackOfEndpoints(labels: Subset['labels'], services: readonly Service[]): string | null {
  const endpoints = services.flatMap((service) => service.endpoints);
  if (endpoints.length === 0 || endpoints.some((endpoint) => labelsMatch(labels, endpoint.labels))) return null;
  const wanted = [...labels].map(([key, value]) => `${key}=${value}`).join(', ');
  return `no endpoint has the labels ${wanted}: what is sent to this subset fails`;
}

function checkHashKey(
  document: DestinationRule['document'],
  path: (string | number)[],
  key: string,
  services: readonly Service[],
): Finding[] {
  for (const service of services) {
    for (const { manifest } of service.ports.flatMap(({ protocol }) => codecsOf(protocol))) {
      const fault = unknownKey(manifest, key);
      if (fault !== null) return [findingAt(document, fault.level, path, fault.message)];
    }
  }
  return [];
}

/** `resources` are in order of precedence and passed their checks. Rules of one namespace and host with one exportTo are merged. */
export function toPolicies(
  resources: readonly DestinationRule[],
  known: MeshIndex,
): {
  policies: DestinationPolicy[];
  findings: Map<string, Finding[]>;
} {
  const merged = new Map<string, { policy: DestinationPolicy; sources: string[]; subsets: Map<string, Subset> }>();
  const findings = new Map<string, Finding[]>();
  for (const resource of resources) {
    if (resource.spec.workloadSelector) continue;
    const { spec, metadata, key } = resource;
    const exportTo = spec.exportTo?.length ? spec.exportTo : DEFAULT_EXPORT;
    const host = hostOf(resource, known);
    const own = `${metadata.namespace} ${host} ${[...exportTo].sort().join()}`;
    const first = merged.get(own);
    if (first === undefined) {
      const subsets = new Map((spec.subsets ?? []).map((subset) => [subset.name, toSubset(subset)]));
      const sources = [key];
      merged.set(own, {
        policy: {
          sources,
          namespace: metadata.namespace,
          exportTo,
          host,
          policy: toBlocks(spec.trafficPolicy),
          subsets,
        },
        sources,
        subsets,
      });
      continue;
    }
    const lost: Finding[] = [];
    if (spec.trafficPolicy)
      lost.push(
        findingAt(
          resource.document,
          'shadowed',
          ['spec', 'trafficPolicy'],
          `${first.sources[0]} is older or sorts first for this host: its traffic policy is used`,
        ),
      );
    (spec.subsets ?? []).forEach((subset, index) => {
      if (first.subsets.has(subset.name))
        lost.push(
          findingAt(
            resource.document,
            'shadowed',
            ['spec', 'subsets', index],
            `${first.sources[0]} has the subset ${subset.name} already`,
          ),
        );
      else first.subsets.set(subset.name, toSubset(subset));
    });
    first.sources.push(key);
    if (lost.length > 0) findings.set(key, lost);
  }
  return { policies: [...merged.values()].map((each) => each.policy), findings };
}

function hostOf({ spec, metadata }: DestinationRule, known: MeshIndex): string {
  return known.fullHost(spec.host.toLowerCase(), metadata.namespace);
}

function toSubset(spec: NonNullable<DestinationRuleSpec['subsets']>[number]): Subset {
  return { name: spec.name, labels: new Map(Object.entries(spec.labels ?? {})), policy: toBlocks(spec.trafficPolicy) };
}

function toBlocks(spec: TrafficPolicy | null | undefined): PolicyBlocks {
  const ports = new Map((spec?.portLevelSettings ?? []).map((part) => [part.port.number, toPortBlocks(part)]));
  return { ...toPortBlocks(spec), ports };
}

function toPortBlocks(spec: PolicySpec | null | undefined): Omit<PolicyBlocks, 'ports'> {
  return { loadBalancer: toLoadBalancer(spec), connectionPool: toConnectionPool(spec), tls: toTls(spec?.tls) };
}

function toLoadBalancer(spec: PolicySpec | null | undefined): LoadBalancerBlock | null {
  if (!spec?.loadBalancer) return null;
  const { simple, consistentHash } = spec.loadBalancer;
  const minimumRingSize =
    consistentHash?.ringHash?.minimumRingSize || consistentHash?.minimumRingSize || DEFAULTS.minimumRingSize;
  if (consistentHash?.httpHeaderName)
    return { balancer: 'ring_hash', hashKey: consistentHash.httpHeaderName, minimumRingSize };
  const balancer = simple === 'ROUND_ROBIN' ? 'round_robin' : simple === 'RANDOM' ? 'random' : 'least_request';
  return { balancer, hashKey: null, minimumRingSize };
}

function toConnectionPool(spec: PolicySpec | null | undefined): ConnectionPoolBlock | null {
  if (!spec?.connectionPool) return null;
  const { tcp, http } = spec.connectionPool;
  const idle = http?.idleTimeout ?? tcp?.idleTimeout;
  return {
    connectTimeoutMs: tcp?.connectTimeout ? parseDurationMs(tcp.connectTimeout) : null,
    idleTimeoutMs: idle ? parseDurationMs(idle) : null,
    maxConnections: tcp?.maxConnections ?? null,
    // 0 means unset in Istio.
    maxPendingRequests: http?.http1MaxPendingRequests || null,
    maxConcurrentStreams: http?.maxConcurrentStreams || null,
  };
}

/** ISTIO_MUTUAL needs identities of the mesh's own; MUTUAL is as SIMPLE: encrypted, and the server verified. */
function toTls(spec: ClientTlsSpec | null | undefined): TlsBlock | null {
  if (!spec) return null;
  const isSimple = spec.mode === 'SIMPLE' || spec.mode === 'MUTUAL';
  return {
    mode: isSimple ? 'simple' : 'disable',
    sni: spec.sni ?? '',
    caFile: spec.caCertificates ?? '',
    credential: spec.credentialName ?? '',
    subjectAltNames: spec.subjectAltNames ?? [],
    verifies: spec.insecureSkipVerify !== true,
  };
}

/** Its names are those of the rule, then those of the service, then the SNI. */
function upstreamTls(block: TlsBlock | null | undefined, service: Service): UpstreamTls | null {
  if (block?.mode !== 'simple') return null;
  const sni = block.sni || service.host;
  if (!block.verifies) return { sni, ca: null, subjectAltNames: [] };
  const { caFile: file, credential } = block;
  const names = [block.subjectAltNames, service.subjectAltNames, [sni]].find((list) => list.length > 0)!;
  return { sni, ca: file ? { file } : credential ? { credential } : 'system', subjectAltNames: names };
}

/**
 * A port's settings replace the level's own blocks; a subset's blocks override the rule's, block by block.
 * `placementKey`: the attribute that places requests of this protocol where no rule says how. `service`: null where it is the workload
 * itself.
 */
export function clusterPolicy(
  policy: DestinationPolicy | null,
  subset: Subset | null,
  port: number,
  service: Service | null,
  placementKey: string | null = null,
): ClusterPolicy {
  const top = policy === null ? null : blocksOf(policy.policy, port);
  const own = subset === null ? null : blocksOf(subset.policy, port);
  const balancer = own?.loadBalancer ?? top?.loadBalancer;
  const pool = own?.connectionPool ?? top?.connectionPool;
  return {
    balancer: balancer?.balancer ?? (placementKey === null ? DEFAULTS.balancer : 'ring_hash'),
    hashKey: balancer ? balancer.hashKey : placementKey,
    minimumRingSize: balancer?.minimumRingSize ?? DEFAULTS.minimumRingSize,
    connectTimeoutMs: pool?.connectTimeoutMs ?? DEFAULTS.connectTimeoutMs,
    idleTimeoutMs: pool?.idleTimeoutMs ?? DEFAULTS.idleTimeoutMs,
    maxConnections: pool?.maxConnections ?? DEFAULTS.maxConnections,
    maxPendingRequests: pool?.maxPendingRequests ?? DEFAULTS.maxPendingRequests,
    maxConcurrentStreams: pool?.maxConcurrentStreams ?? DEFAULTS.maxConcurrentStreams,
    tls: service === null ? null : upstreamTls(own?.tls ?? top?.tls, service),
  };
}
