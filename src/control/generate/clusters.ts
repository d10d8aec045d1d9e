/** Services and their policies -> CDS and EDS. */
import type { JsonObject } from '../../xds/json.ts';
import type { XdsResource } from '../../xds/resource.ts';
import { TypeUrl } from '../../xds/type-urls.ts';
import { protoDuration } from '../model/duration.ts';
import { compare } from '../model/resource.ts';
import type { ClusterPolicy, Endpoint, Service, ServicePort, Subset } from '../translate/mesh.ts';
import { endpointPort } from '../translate/services.ts';
import { labelsMatch } from '../translate/visibility.ts';
import { codecConfig } from './filter-config.ts';
import { upstreamTls } from './transport-sockets.ts';

const LB_POLICY: Readonly<Record<ClusterPolicy['balancer'], string>> = {
  round_robin: 'ROUND_ROBIN',
  least_request: 'LEAST_REQUEST',
  random: 'RANDOM',
  ring_hash: 'RING_HASH',
};

/** The pool's numbers that no field of Envoy carries; said out loud, so that a proxy's own defaults never differ silently. */
const POOL: JsonObject = { minConnections: 1, maxInFlightPerCaller: 256, maxBound: 1_024 };

/** The cluster and, unless the proxy resolves its names itself, its endpoints. `ca`: PEM, where the policy's CA comes from a Secret. */
export function clusterResources(
  name: string,
  service: Service,
  port: ServicePort,
  subset: Subset | null,
  policy: ClusterPolicy,
  ca: string | null,
): XdsResource[] {
  const endpoints = service.endpoints.filter(
    (endpoint) => subset === null || labelsMatch(subset.labels, endpoint.labels),
  );
  const localities = groupByLocality(endpoints, port);
  if (service.discovery === 'dns')
    return [
      cluster(name, policy, { type: 'STRICT_DNS', loadAssignment: { clusterName: name, endpoints: localities } }, ca),
    ];
  return edsCluster(name, policy, localities, ca);
}

/** The cluster of an inbound listener: the workload itself. */
export function workloadCluster(name: string, address: string, port: number, policy: ClusterPolicy): XdsResource[] {
  return edsCluster(name, policy, [{ lbEndpoints: [lbEndpoint(address, port, 1, new Map())] }], null);
}

function edsCluster(name: string, policy: ClusterPolicy, endpoints: JsonObject[], ca: string | null): XdsResource[] {
  const edsClusterConfig = { edsConfig: { ads: {}, resourceApiVersion: 'V3' }, serviceName: name };
  return [
    cluster(name, policy, { type: 'EDS', edsClusterConfig }, ca),
    { typeUrl: TypeUrl.ClusterLoadAssignment, name, value: { clusterName: name, endpoints } },
  ];
}

function cluster(name: string, policy: ClusterPolicy, discovery: JsonObject, ca: string | null): XdsResource {
  const value: JsonObject = {
    name,
    ...discovery,
    connectTimeout: protoDuration(policy.connectTimeoutMs),
    lbPolicy: LB_POLICY[policy.balancer],
    circuitBreakers: {
      thresholds: [
        { priority: 'DEFAULT', maxConnections: policy.maxConnections, maxPendingRequests: policy.maxPendingRequests },
      ],
    },
    metadata: {
      filterMetadata: {
        'meltemi.pool': { ...POOL, ...(policy.idleTimeoutMs === null ? {} : { idleTimeoutMs: policy.idleTimeoutMs }) },
      },
    },
  };
  if (policy.tls !== null) value.transportSocket = upstreamTls(policy.tls, ca);
  if (policy.balancer === 'ring_hash') value.ringHashLbConfig = { minimumRingSize: policy.minimumRingSize };
  if (policy.codecOptions !== undefined)
    value.typedExtensionProtocolOptions = {
      'meltemi.codec': codecConfig(policy.codecOptions.codec, policy.codecOptions.options),
    };
  if (policy.maxConcurrentStreams !== null)
    value.http2ProtocolOptions = { maxConcurrentStreams: policy.maxConcurrentStreams };
  return { typeUrl: TypeUrl.Cluster, name, value };
}

function groupByLocality(endpoints: readonly Endpoint[], port: ServicePort): JsonObject[] {
  const groups = new Map<string, Endpoint[]>();
  for (const endpoint of endpoints) groups.set(endpoint.locality, [...(groups.get(endpoint.locality) ?? []), endpoint]);
  return [...groups]
    .sort(([a], [b]) => compare(a, b))
    .map(([locality, members]) => {
      const [region = '', zone = '', subZone = ''] = locality.split('/');
      const lbEndpoints = members
        .map((endpoint) => ({ endpoint, port: endpointPort(endpoint, port) }))
        .sort((a, b) => compare(a.endpoint.address, b.endpoint.address) || a.port - b.port)
        .map(({ endpoint, port: number }) => lbEndpoint(endpoint.address, number, endpoint.weight, endpoint.labels));
      const weight = members.reduce((sum, endpoint) => sum + endpoint.weight, 0);
      return {
        ...(locality === '' ? {} : { locality: { region, zone, subZone } }),
        lbEndpoints,
        loadBalancingWeight: weight,
      };
    });
}

function lbEndpoint(address: string, port: number, weight: number, labels: ReadonlyMap<string, string>): JsonObject {
  const value: JsonObject = {
    endpoint: { address: { socketAddress: { address, portValue: port } } },
    loadBalancingWeight: weight,
  };
  if (labels.size > 0)
    value.metadata = {
      filterMetadata: { 'envoy.lb': Object.fromEntries([...labels].sort(([a], [b]) => compare(a, b))) },
    };
  return value;
}
