/** The names of generated resources, as Istio and Aeraki form them. */

export function outboundCluster(port: number, subset: string, host: string): string {
  return `outbound|${port}|${subset}|${host}`;
}

export function inboundName(port: number): string {
  return `inbound|${port}||`;
}

export function routeConfigName(host: string, port: number): string {
  return `${host}_${port}`;
}

/** A host with and without its port, as requests name it. */
export function domainsOf(host: string, port: number): string[] {
  return [host, `${host}:${port}`];
}

/** What workloads of a namespace call a Kubernetes service beside its full name. */
export function shortNames(host: string, namespace: string): string[] {
  const [name, own, kind] = host.split('.');
  if (kind !== 'svc' || name === undefined || own === undefined) return [];
  return [`${name}.${own}.svc`, `${name}.${own}`, ...(own === namespace ? [name] : [])];
}

/** What requests may call a host at a gateway, where callers may have come by another port than it listens on. */
export function gatewayDomainsOf(host: string, port: number): string[] {
  if (host === '*') return ['*'];
  return host.startsWith('*') ? [host, `${host}:${port}`] : [...domainsOf(host, port), `${host}:*`];
}
