/** Cluster resources into the core's clusters; endpoints come from EDS, from the cluster itself or from DNS. */
import { LARGEST_RING } from '../../metaprotocol/balancer/ring-hash.ts';
import {
  type BalancerDescription,
  CLUSTER,
  type ClusterDescription,
  POOL,
  type PoolDescription,
} from '../../metaprotocol/description.ts';
import { messageName, TypeUrl } from '../../xds/type-urls.ts';
import { messageNameOf, optionsOf } from './any.ts';
import { type EndpointPlan, readEndpoints } from './endpoints.ts';
import type { Reader } from './reader.ts';
import { readUpstreamTls, type UpstreamTlsPlan } from './tls.ts';

export interface ClusterPlan extends Omit<ClusterDescription, 'endpoints' | 'tls'> {
  readonly discovery: Discovery;
  readonly tls: UpstreamTlsPlan | null;
}

export type Discovery =
  /** The name of a ClusterLoadAssignment. */
  | { readonly kind: 'eds'; readonly assignment: string }
  | { readonly kind: 'static'; readonly endpoints: readonly EndpointPlan[] }
  /** Endpoints whose hosts are names, looked up by the main thread every `refreshMs`. */
  | {
      readonly kind: 'dns';
      readonly endpoints: readonly EndpointPlan[];
      readonly refreshMs: number;
      /** Only addresses of this IP version; null: both. */
      readonly family: 4 | 6 | null;
    };

const DNS_REFRESH_MS = 5_000;
const CODEC_OPTIONS = 'meltemi.codec';
const HTTP_OPTIONS = messageName(TypeUrl.HttpProtocolOptions);

export function readCluster(cluster: Reader): ClusterPlan {
  const name = cluster.string('name');
  const plan: ClusterPlan = {
    name,
    discovery: readDiscovery(cluster, name),
    balancer: readBalancer(cluster),
    connectTimeoutMs: cluster.durationMs('connectTimeout', CLUSTER.connectTimeoutMs),
    pool: readPool(cluster),
    tls: readUpstreamTls(cluster),
    // As the chain that uses it.
    protocol: null,
    codecOptions: readCodecOptions(cluster),
  };
  cluster.ignore('altStatName');
  cluster.end('note');
  return plan;
}

function readDiscovery(cluster: Reader, name: string): Discovery {
  const type = cluster.string('type', 'STATIC');
  const eds = cluster.child('edsClusterConfig');
  if (type === 'EDS') {
    eds?.ignore('edsConfig');
    const assignment = eds?.string('serviceName', name) ?? name;
    eds?.end('note');
    return { kind: 'eds', assignment: assignment === '' ? name : assignment };
  }
  const assignment = cluster.child('loadAssignment');
  if (assignment === null) cluster.error(`a cluster of type ${type} needs one`, 'loadAssignment');
  const isNamed = type === 'STRICT_DNS' || type === 'LOGICAL_DNS';
  const endpoints = assignment === null ? [] : readEndpoints(assignment, isNamed ? 'name' : 'address');
  if (type === 'STATIC') return { kind: 'static', endpoints };
  if (!isNamed) cluster.error(`${type} is not supported; expected EDS, STATIC, STRICT_DNS or LOGICAL_DNS`, 'type');
  const family = { V4_ONLY: 4, V6_ONLY: 6 } as const;
  return {
    kind: 'dns',
    endpoints,
    refreshMs: cluster.durationMs('dnsRefreshRate', DNS_REFRESH_MS),
    family: family[cluster.string('dnsLookupFamily') as keyof typeof family] ?? null,
  };
}

function readBalancer(cluster: Reader): BalancerDescription {
  const policy = cluster.string('lbPolicy', 'ROUND_ROBIN');
  const leastRequest = cluster.child('leastRequestLbConfig');
  const ringHash = cluster.child('ringHashLbConfig');
  const described = ((): BalancerDescription => {
    switch (policy) {
      case 'ROUND_ROBIN':
        return { policy: 'round_robin' };
      case 'RANDOM':
        return { policy: 'random' };
      case 'LEAST_REQUEST':
        return { policy: 'least_request', choiceCount: leastRequest?.number('choiceCount', 2, 2) ?? 2 };
      case 'RING_HASH': {
        const minimumRingSize = ringHash?.number('minimumRingSize', 1_024, 1) ?? 1_024;
        if (minimumRingSize > LARGEST_RING)
          ringHash!.note(
            `minimumRingSize ${minimumRingSize} is not applied: a ring has ${LARGEST_RING} points at most`,
          );
        const maximumRingSize = ringHash?.number('maximumRingSize', LARGEST_RING, 1) ?? LARGEST_RING;
        return { policy: 'ring_hash', minimumRingSize, maximumRingSize };
      }
      default:
        cluster.error(
          `${policy} is not supported; expected ROUND_ROBIN, RANDOM, LEAST_REQUEST or RING_HASH`,
          'lbPolicy',
        );
        return { policy: 'round_robin' };
    }
  })();
  leastRequest?.end('note');
  ringHash?.end('note');
  return described;
}

/** The pool's numbers of the whole proxy: `splitPools` gives each worker its share. */
function readPool(cluster: Reader): PoolDescription {
  const breakers = cluster.child('circuitBreakers');
  const thresholds = breakers?.children('thresholds') ?? [];
  const threshold = thresholds.find((candidate) => candidate.string('priority', 'DEFAULT') === 'DEFAULT') ?? null;
  for (const other of thresholds) if (other !== threshold) other.note('not applied: requests have no priorities here');
  const metadata = cluster.child('metadata')?.child('filterMetadata') ?? null;
  const own = metadata?.child('meltemi.pool') ?? null;
  const pool: PoolDescription = {
    concurrency: readConcurrency(cluster),
    minConnections: own?.number('minConnections', POOL.minConnections) ?? POOL.minConnections,
    maxConnections: threshold?.number('maxConnections', POOL.maxConnections, 1) ?? POOL.maxConnections,
    maxPending: threshold?.number('maxPendingRequests', POOL.maxPending) ?? POOL.maxPending,
    maxInFlightPerCaller:
      own?.number('maxInFlightPerCaller', POOL.maxInFlightPerCaller, 1) ?? POOL.maxInFlightPerCaller,
    maxBound: own?.number('maxBound', POOL.maxBound) ?? POOL.maxBound,
    idleTimeoutMs: own?.number('idleTimeoutMs', POOL.idleTimeoutMs) ?? POOL.idleTimeoutMs,
  };
  threshold?.end('note');
  own?.end('note');
  return pool;
}

/** Of the upstream side alone; null: as the chain's. */
function readCodecOptions(cluster: Reader): unknown {
  const options = cluster.child('typedExtensionProtocolOptions')?.child(CODEC_OPTIONS) ?? null;
  return options === null ? null : optionsOf(options);
}

/** Streams at once on one upstream connection, where the cluster says so. */
function readConcurrency(cluster: Reader): number | null {
  let http2 = cluster.child('http2ProtocolOptions');
  for (const [name, options] of cluster.child('typedExtensionProtocolOptions')?.fields() ?? []) {
    if (name === CODEC_OPTIONS) continue;
    if (messageNameOf(options) !== HTTP_OPTIONS) {
      options.note(`not applied: protocol options ${name} are not supported`);
      continue;
    }
    http2 = options.child('explicitHttpConfig')?.child('http2ProtocolOptions') ?? http2;
    options.ignore('@type');
    options.end('note');
  }
  const concurrency = http2?.has('maxConcurrentStreams') ? http2.number('maxConcurrentStreams', 1, 1) : null;
  http2?.end('note');
  return concurrency;
}
