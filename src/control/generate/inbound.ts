/** A Sidecar's ingress -> the listeners at which one sidecar takes calls for its workload. */
import type { IngressPort, Service, SidecarPolicy } from '../translate/mesh.ts';
import { clusterPolicy } from '../translate/policies.ts';
import { labelsMatch } from '../translate/visibility.ts';
import type { Bind } from './bind.ts';
import { workloadCluster } from './clusters.ts';
import type { ChainSpec } from './listener-spec.ts';
import { listenerResource } from './listeners.ts';
import { inboundName, protocolName } from './names.ts';
import type { ProxySite } from './proxy-site.ts';
import { singleRoute } from './routes.ts';

export function generateInbound(site: ProxySite): void {
  const sidecar = sidecarOf(site);
  if (sidecar === null) return;
  const services = site.ownServices();
  // A Sidecar without a selector is for every proxy of the namespace, those without a workload included.
  if (sidecar.selector === null && services.length === 0) return;
  for (const ingress of sidecar.ingress) generateIngress(site, sidecar, ingress, services);
}

function generateIngress(
  site: ProxySite,
  sidecar: SidecarPolicy,
  ingress: IngressPort,
  services: readonly Service[],
): void {
  const protocol = site.served(ingress.protocol, sidecar.source);
  const address = ingress.bind ?? site.node.ips[0];
  if (protocol === null) return;
  if (address === undefined) {
    site.note(
      sidecar.source,
      `no address for the inbound port ${ingress.port}: the proxy declares none and the Sidecar has no bind`,
    );
    return;
  }
  const bind: Bind = { address, port: ingress.port };
  if (!site.claim(bind, { source: sidecar.source, address: null, shared: null })) return;
  const name = inboundName(ingress.port);
  const service = services.find((each) => each.ports.some((port) => port.targetPort === ingress.port));
  const sources = service === undefined ? [sidecar.source] : [sidecar.source, service.source];
  const { endpoint } = ingress;
  for (const resource of workloadCluster(
    name,
    endpoint.address,
    endpoint.port,
    clusterPolicy(null, null, ingress.port, null),
  ))
    site.add(resource, sources);
  const serves: ChainSpec['serves'] =
    protocol.kind === 'tcp'
      ? { kind: 'connections', clusters: [{ name, weight: 1, changes: {} }] }
      : { kind: 'codec', protocol, routeConfigName: name, filters: [], codecOptions: {}, isEdge: false };
  const { accessLogFile } = site;
  const chains = [{ name, statPrefix: name, serves }];
  site.add(
    listenerResource({ name, direction: 'INBOUND', bind, serviceAddress: bind, chains, accessLogFile }),
    sources,
  );
  if (protocol.kind === 'codec') site.add(singleRoute(name, name), sources);
  site.address({
    direction: 'inbound',
    host: service?.host ?? '',
    port: ingress.port,
    protocol: protocolName(protocol),
    bind,
    listener: name,
  });
}

/** The own namespace's with a matching selector, then its one without, then the root namespace's without. */
function sidecarOf({ mesh, node, labels }: ProxySite): SidecarPolicy | null {
  const inNamespace = mesh.sidecars.filter((sidecar) => sidecar.namespace === node.namespace);
  return (
    inNamespace.find((sidecar) => sidecar.selector !== null && labelsMatch(sidecar.selector, labels)) ??
    inNamespace.find((sidecar) => sidecar.selector === null) ??
    mesh.sidecars.find((sidecar) => sidecar.namespace === mesh.rootNamespace && sidecar.selector === null) ??
    null
  );
}
