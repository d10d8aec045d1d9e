/** Sidecar -> SidecarPolicy. */
import { type Finding, findingAt, type Resource } from '../model/resource.ts';
import type { SidecarSpec } from '../model/sidecar.ts';
import type { IngressPort, SidecarPolicy } from './mesh.ts';
import type { ProtocolTable } from './protocols.ts';

export function checkSidecar(resource: Resource<SidecarSpec>, protocols: ProtocolTable): Finding[] {
  return (resource.spec.ingress ?? []).flatMap(({ port }, index) => {
    const protocol = protocols.ofPort(port.name, port.protocol ?? '');
    const path = ['spec', 'ingress', index, 'port', 'name'];
    if (protocol === null) {
      return [findingAt(resource.document, 'error', path, protocols.unknownPort(port.name))];
    }
    return protocol.kind === 'unsupported'
      ? [findingAt(resource.document, 'notApplied', path, `${protocol.name} is not built yet: no inbound listener`)]
      : [];
  });
}

/** `resource` passed its check without errors. */
export function toSidecarPolicy(resource: Resource<SidecarSpec>, protocols: ProtocolTable): SidecarPolicy {
  const { spec, metadata, key } = resource;
  return {
    source: key,
    namespace: metadata.namespace,
    selector: spec.workloadSelector ? new Map(Object.entries(spec.workloadSelector.labels ?? {})) : null,
    ingress: (spec.ingress ?? []).map(
      (ingress): IngressPort => ({
        port: ingress.port.number,
        protocol: protocols.ofPort(ingress.port.name, ingress.port.protocol ?? '') ?? {
          kind: 'unsupported',
          name: ingress.port.name,
        },
        bind: ingress.bind ?? null,
        endpoint: toAddress(ingress.defaultEndpoint ?? `127.0.0.1:${ingress.port.number}`),
      }),
    ),
  };
}

function toAddress(text: string): IngressPort['endpoint'] {
  const split = text.lastIndexOf(':');
  return { address: text.slice(0, split).replace(/^\[(.*)\]$/, '$1'), port: Number(text.slice(split + 1)) };
}
