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
