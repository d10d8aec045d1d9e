/** Small resources for xDS tests, as a generator would return them. */
import type { JsonObject, JsonValue } from '../../src/xds/json.ts';
import type { NodeInfo } from '../../src/xds/node.ts';
import type { XdsResource } from '../../src/xds/resource.ts';
import { TypeUrl } from '../../src/xds/type-urls.ts';

export function testNode(id: string): NodeInfo {
  return {
    id,
    agent: 'meltemi',
    agentVersion: '0.0.0',
    type: 'sidecar',
    namespace: 'default',
    ips: ['10.0.0.7'],
    labels: { app: 'client' },
    serviceAccount: '',
    locality: { region: 'r', zone: 'z', subZone: '' },
    bind: 'direct',
    localAddresses: ['127.0.0.0/8'],
    workers: 1,
    manifests: [{ name: 'thrift', version: '1.0.0' }],
  };
}

/** A listener for a protocol that takes its routes from RDS. */
export function listener(name: string, routes: string): XdsResource {
  const typedConfig = {
    '@type': TypeUrl.MetaProtocolProxy,
    rds: { configSource: { ads: {} }, routeConfigName: routes },
    protocol: { name: 'thrift', codec: { name: 'thrift' } },
  };
  return resource(TypeUrl.Listener, name, { filterChains: [{ filters: [{ name: 'meta', typedConfig }] }] });
}

/** Routes that split evenly over clusters. */
export function routes(name: string, ...clusters: string[]): XdsResource {
  const route: JsonObject =
    clusters.length === 1
      ? { cluster: clusters[0]! }
      : { weightedClusters: { clusters: clusters.map((cluster) => ({ name: cluster, weight: 1 })) } };
  const virtualHosts = [{ name: '*', domains: ['*'], routes: [{ match: { prefix: '/' }, route }] }];
  return resource(TypeUrl.RouteConfiguration, name, { virtualHosts });
}

/** An EDS cluster. `connectTimeout` is there to change it. */
export function cluster(name: string, connectTimeout = '1s'): XdsResource {
  return resource(TypeUrl.Cluster, name, {
    type: 'EDS',
    connectTimeout,
    edsClusterConfig: { edsConfig: { ads: {} } },
  });
}

export function endpoints(name: string, ...ports: number[]): XdsResource {
  const lbEndpoints: JsonValue[] = ports.map((portValue) => ({
    endpoint: { address: { socketAddress: { address: '127.0.0.1', portValue } } },
  }));
  return {
    typeUrl: TypeUrl.ClusterLoadAssignment,
    name,
    value: { clusterName: name, ...(ports.length === 0 ? {} : { endpoints: [{ lbEndpoints }] }) },
  };
}

function resource(typeUrl: string, name: string, value: JsonObject): XdsResource {
  return { typeUrl, name, value: { name, ...value } };
}
