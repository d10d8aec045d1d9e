/** The names of generated resources, as Istio and Aeraki form them. */
import { isIP } from 'node:net';
import { codecsOf, type ServiceProtocol } from '../translate/mesh.ts';

export function outboundCluster(port: number, subset: string, host: string): string {
  return `outbound|${port}|${subset}|${host}`;
}

export function inboundName(port: number): string {
  return `inbound|${port}||`;
}

export function routeConfigName(host: string, port: number): string {
  return `${host}_${port}`;
}

/** A host as requests name it: its full name may end with a dot. */
export function domainsOf(host: string): string[] {
  return host.includes('.') && !host.startsWith('*') && isIP(host) === 0 ? [host, `${host}.`] : [host];
}

/** What workloads of a namespace call a Kubernetes service beside its full name. */
export function shortNames(host: string, namespace: string): string[] {
  const [name, own, kind] = host.split('.');
  if (kind !== 'svc' || name === undefined || own === undefined) return [];
  return [`${name}.${own}.svc`, `${name}.${own}`, ...(own === namespace ? [name] : [])];
}

/** As people read it: `thrift`, `http1 or tcp`. */
export function protocolName(protocol: ServiceProtocol): string {
  const names = codecsOf(protocol).map(({ name }) => name);
  return [...names, ...(protocol.kind === 'codec' ? [] : ['tcp'])].join(' or ');
}
