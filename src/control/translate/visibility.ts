/** Who sees what: exportTo, and which of several candidates applies to a namespace. */
import type { DestinationPolicy, Mesh, RouteTable, Service, Visibility } from './mesh.ts';

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
export function visibleServices(mesh: Mesh, namespace: string): Service[] {
  const seen = mesh.services.filter((service) => isVisible(service, namespace));
  return [
    ...seen.filter((service) => service.namespace === namespace),
    ...seen.filter((service) => service.namespace !== namespace),
  ];
}

export function tableFor(mesh: Mesh, host: string, port: number, namespace: string): RouteTable | null {
  return mesh.tables.find((table) => table.host === host && table.port === port && isVisible(table, namespace)) ?? null;
}

/** Istio's lookup: the client's namespace, then the service's, then the root; levels are never merged. */
export function policyFor(mesh: Mesh, service: Service, clientNamespace: string): DestinationPolicy | null {
  const levels =
    clientNamespace === mesh.rootNamespace ? [] : [mostSpecific(mesh, service.host, clientNamespace, () => true)];
  const exported = (policy: DestinationPolicy): boolean => isVisible(policy, clientNamespace);
  levels.push(
    mostSpecific(mesh, service.host, service.namespace, exported),
    mostSpecific(mesh, service.host, mesh.rootNamespace, exported),
  );
  return levels.find((policy) => policy !== null) ?? null;
}

function mostSpecific(
  mesh: Mesh,
  host: string,
  namespace: string,
  accept: (policy: DestinationPolicy) => boolean,
): DestinationPolicy | null {
  let best: DestinationPolicy | null = null;
  for (const policy of mesh.policies) {
    if (policy.namespace !== namespace || !hostMatches(policy.host, host) || !accept(policy)) continue;
    if (policy.host === host) return policy;
    if (best === null || policy.host.length > best.host.length) best = policy;
  }
  return best;
}

export function hostMatches(pattern: string, host: string): boolean {
  return pattern === host || pattern === '*' || (pattern.startsWith('*.') && host.endsWith(pattern.slice(1)));
}

export function labelsMatch(wanted: ReadonlyMap<string, string>, labels: ReadonlyMap<string, string>): boolean {
  for (const [key, value] of wanted) if (labels.get(key) !== value) return false;
  return true;
}
