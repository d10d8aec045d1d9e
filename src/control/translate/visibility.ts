/** Who sees what: exportTo, and which of several candidates applies to a namespace. */
import type { NodeInfo } from '../../xds/node.ts';
import type { Callers, ConnectionTable, DestinationPolicy, RouteTable, Service, Visibility } from './mesh.ts';
import type { MeshIndex } from './mesh-index.ts';

export const DEFAULT_EXPORT: readonly string[] = Object.freeze(['*']);

export function isVisible(thing: Visibility, namespace: string): boolean {
  return thing.exportTo.some(
    (target) => target === '*' || target === namespace || (target === '.' && thing.namespace === namespace),
  );
}

/** Is there a namespace that sees both? */
export function overlaps(a: Visibility, b: Visibility): boolean {
  const named = [...a.exportTo, ...b.exportTo].filter((target) => !['*', '.', '~'].includes(target));
  const everybody = a.exportTo.includes('*') && b.exportTo.includes('*');
  return (
    everybody ||
    [a.namespace, b.namespace, ...named].some((namespace) => isVisible(a, namespace) && isVisible(b, namespace))
  );
}

/** Services that a namespace sees; of several with one host and port its own namespace's, else the first. */
export function visibleServices(services: readonly Service[], namespace: string): Service[] {
  const seen = services.filter((service) => isVisible(service, namespace));
  return [
    ...seen.filter((service) => service.namespace === namespace),
    ...seen.filter((service) => service.namespace !== namespace),
  ];
}

export function tableFor(
  index: MeshIndex,
  host: string,
  port: number,
  codec: string,
  namespace: string,
): RouteTable | null {
  const tables = index.tables(host).filter((table) => table.port === port && table.codec === codec);
  return tables.find((table) => isVisible(table, namespace)) ?? null;
}

/** As `tableFor`, for opaque ports. */
export function connectionTableFor(
  index: MeshIndex,
  host: string,
  port: number,
  namespace: string,
): ConnectionTable | null {
  return index.connections(host).find((table) => table.port === port && isVisible(table, namespace)) ?? null;
}

/** Istio's lookup: the client's namespace, then the service's, then the root; levels are never merged. */
export function policyFor(
  index: MeshIndex,
  rootNamespace: string,
  service: Service,
  clientNamespace: string,
): DestinationPolicy | null {
  const policies = index.policies(service.host);
  const own =
    clientNamespace === rootNamespace ? undefined : policies.find((policy) => policy.namespace === clientNamespace);
  const exported = (namespace: string): DestinationPolicy | undefined =>
    policies.find((policy) => policy.namespace === namespace && isVisible(policy, clientNamespace));
  return own ?? exported(service.namespace) ?? exported(rootNamespace) ?? null;
}

/** Is what is for these callers for this proxy? */
export function isForCaller({ callers }: { readonly callers?: Callers }, node: NodeInfo): boolean {
  if (callers === undefined) return true;
  const isThere = callers.namespace === null || callers.namespace === node.namespace;
  return isThere && labelsMatch(callers.labels, new Map(Object.entries(node.labels)));
}

export function labelsMatch(wanted: ReadonlyMap<string, string>, labels: ReadonlyMap<string, string>): boolean {
  for (const [key, value] of wanted) if (labels.get(key) !== value) return false;
  return true;
}
