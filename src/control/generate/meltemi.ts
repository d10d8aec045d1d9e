/** generateMeltemi: Mesh -> the complete xDS of one Meltemi proxy. */
import { generateGateways } from './gateways.ts';
import type { Generator } from './generated.ts';
import { generateInbound } from './inbound.ts';
import { OutboundListeners } from './outbound.ts';
import { ProxySite } from './proxy-site.ts';
import { ServiceClusters } from './service-clusters.ts';

export const generateMeltemi: Generator = (context, node) => {
  const site = new ProxySite(context, node);
  const isRouter = node.type === 'router';
  // Inbound listeners say their bind themselves, so they choose before those that can be placed elsewhere.
  if (!isRouter) generateInbound(site);
  const ports = site.servedPorts();
  const clusters = new ServiceClusters(site);
  // All of them before the first route: it may lead to any.
  for (const served of ports) clusters.generate(served);
  if (isRouter) generateGateways(site, clusters);
  else new OutboundListeners(site, clusters).generate(ports);
  return site.generated();
};
