/** Resources for tests, through the wire and back, so that tests read the JSON that production reads. */
import type { JsonObject } from '../../xds/json.ts';
import type { VersionedResource } from '../../xds/resource.ts';
import { TypeUrl } from '../../xds/type-urls.ts';
import { Xds } from '../../xds/xds.ts';
import type { Resources } from '../ads-resources.ts';

/** Throws when this is no such resource. */
export function wired(xds: Xds, typeUrl: string, value: JsonObject): VersionedResource {
  const name = (value.name ?? value.clusterName) as string;
  const encoded = xds.encodeResource({ typeUrl, name, value });
  if (!encoded.ok) throw new Error(JSON.stringify(encoded.issues));
  const decoded = xds.decodeResource(encoded.resource.any);
  if (!decoded.ok) throw new Error(JSON.stringify(decoded.issues));
  return decoded.resource;
}

export function resources(...all: readonly VersionedResource[]): Resources {
  const byType = new Map<string, Map<string, VersionedResource>>();
  for (const resource of all) {
    const byName = byType.get(resource.typeUrl) ?? new Map<string, VersionedResource>();
    byType.set(resource.typeUrl, byName.set(resource.name, resource));
  }
  return byType;
}

/** As what runs is told: with the kinds that have none. */
export function running(...all: readonly VersionedResource[]): Resources {
  return new Map([[TypeUrl.Secret, new Map()], ...resources(...all)]);
}

/** A listener, route, cluster and endpoints of one service, each to be changed by its field. */
export class Fixtures {
  readonly xds = Xds.load();

  listener(name: string, port: number, routes: string, change: JsonObject = {}): VersionedResource {
    return wired(this.xds, TypeUrl.Listener, {
      name,
      address: { socketAddress: { address: '127.0.0.1', portValue: port } },
      trafficDirection: 'OUTBOUND',
      metadata: { filterMetadata: { 'meltemi.service_address': { address: '10.0.0.1', port: 9090 } } },
      filterChains: [
        {
          name: 'main',
          filters: [
            {
              name: 'metaprotocol',
              typedConfig: {
                '@type': TypeUrl.MetaProtocolProxy,
                statPrefix: 'wind',
                rds: { configSource: { ads: {} }, routeConfigName: routes },
                protocol: { name: 'thrift', codec: { name: 'thrift' } },
                metaProtocolFilters: [{ name: 'router', config: { '@type': TypeUrl.MetaProtocolRouter } }],
              },
            },
          ],
        },
      ],
      ...change,
    });
  }

  routes(name: string, routes: readonly JsonObject[]): VersionedResource {
    return wired(this.xds, TypeUrl.RouteConfiguration, {
      name,
      virtualHosts: [{ name: '*', domains: ['*'], routes: [...routes] }],
    });
  }

  routesTo(name: string, cluster: string): VersionedResource {
    return this.routes(name, [{ name: 'all', match: { prefix: '/' }, route: { cluster, timeout: '0s' } }]);
  }

  cluster(name: string, change: JsonObject = {}): VersionedResource {
    return wired(this.xds, TypeUrl.Cluster, {
      name,
      type: 'EDS',
      edsClusterConfig: { edsConfig: { ads: {} }, serviceName: name },
      ...change,
    });
  }

  endpoints(clusterName: string, ...ports: readonly number[]): VersionedResource {
    return wired(this.xds, TypeUrl.ClusterLoadAssignment, {
      clusterName,
      endpoints: [
        {
          lbEndpoints: ports.map((portValue) => ({
            endpoint: { address: { socketAddress: { address: '127.0.0.1', portValue } } },
          })),
        },
      ],
    });
  }
}
