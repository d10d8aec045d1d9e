/** Host patterns: exact names, `*.suffix` and `*`, in lower case. */
import type { MeshIndex } from './mesh-index.ts';

export function hostMatches(pattern: string, host: string): boolean {
  return pattern === host || pattern === '*' || (pattern.startsWith('*.') && host.endsWith(pattern.slice(1)));
}

/** What both stand for, which is always the narrower one; null: nothing. */
export function intersectHosts(a: string, b: string): string | null {
  if (hostMatches(a, b)) return b;
  return hostMatches(b, a) ? a : null;
}

/** A name without a dot is a service of the given namespace, unless a service is called just that. */
export function fullHost(host: string, namespace: string, index: MeshIndex): string {
  if (host.includes('.') || host === '*' || index.services(host).length > 0) return host;
  return `${host}.${namespace}.svc.cluster.local`;
}
