/** The runtime description of settled resources: references filled in, names looked up. */
import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import type {
  ClusterDescription,
  EndpointDescription,
  ListenerDescription,
  RuntimeDescription,
} from '../../metaprotocol/description.ts';
import type { ClusterPlan } from './cluster.ts';
import type { ListenerPlan } from './listener-plan.ts';
import type { Settled } from './settle.ts';
import { fillTls, type TextsOf } from './tls.ts';

/** The IP addresses that a DNS name has now; none while it has not been found. */
export type AddressesOf = (host: string) => readonly string[];

/** Its version is a hash of all the rest. */
export function describe(settled: Settled, addressesOf: AddressesOf, textsOf: TextsOf): RuntimeDescription {
  const content = {
    listeners: settled.listeners.map((listener) => describeListener(listener, settled, textsOf)),
    clusters: settled.clusters.map((cluster) => describeCluster(cluster, settled, addressesOf, textsOf)),
  };
  const version = createHash('sha256').update(JSON.stringify(content)).digest('base64url').slice(0, 16);
  return { version, ...content };
}

function describeListener(listener: ListenerPlan, { tables }: Settled, textsOf: TextsOf): ListenerDescription {
  return {
    ...listener,
    chains: listener.chains.map((chain) => ({
      ...chain,
      tls: chain.tls === null ? null : fillTls(chain.tls, textsOf),
      routes: typeof chain.routes === 'string' ? tables.get(chain.routes)! : chain.routes,
    })),
  };
}

function describeCluster(
  { discovery, ...cluster }: ClusterPlan,
  { assignments }: Settled,
  addressesOf: AddressesOf,
  textsOf: TextsOf,
): ClusterDescription {
  return {
    ...cluster,
    endpoints: endpointsOf(discovery, assignments, addressesOf),
    tls: cluster.tls === null ? null : fillTls(cluster.tls, textsOf),
  };
}

function endpointsOf(
  discovery: ClusterPlan['discovery'],
  assignments: Settled['assignments'],
  addressesOf: AddressesOf,
): readonly EndpointDescription[] {
  switch (discovery.kind) {
    case 'eds':
      return assignments.get(discovery.assignment) ?? [];
    case 'static':
      return discovery.endpoints;
    case 'dns':
      return discovery.endpoints.flatMap((endpoint) =>
        addressesOf(endpoint.host)
          .filter((host) => discovery.family === null || isIP(host) === discovery.family)
          .map((host) => ({ ...endpoint, host })),
      );
  }
}
