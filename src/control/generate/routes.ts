/** RouteTable -> RouteConfiguration, by the mapping that every protocol but HTTP shares (docs/xds.md). */
import type { ProtocolManifest } from '../../metaprotocol/manifest.ts';
import type { JsonObject } from '../../xds/json.ts';
import type { XdsResource } from '../../xds/resource.ts';
import { TypeUrl } from '../../xds/type-urls.ts';
import { protoDuration } from '../model/duration.ts';
import { canonicalKey } from '../translate/attributes.ts';
import type { AttributeMatch, Destination, Mutation, Route, WeightedDestination } from '../translate/mesh.ts';
import { filterConfig } from './filter-config.ts';
import { httpRouteMatch } from './http-route-match.ts';
import { outboundCluster } from './names.ts';

const MILLION = 1_000_000;
/** Istio's name. */
const BLACK_HOLE = 'BlackHoleCluster';

/** The routes of one host, or of all where a protocol has none. */
export interface VirtualHost {
  readonly name: string;
  readonly domains: readonly string[];
  readonly routes: readonly Route[];
  /** The attribute that a destination's cluster hashes. */
  readonly hashKeyOf: (destination: Destination) => string | null;
}

/** The table, and what its routes need that no service brings. */
export function routeResources(name: string, hosts: readonly VirtualHost[], manifest: ProtocolManifest): XdsResource[] {
  const answers = hosts.some(({ routes }) => routes.some(({ destinations }) => destinations.length === 0));
  return [routeConfiguration(name, hosts, manifest), ...(answers ? [blackHole()] : [])];
}

function routeConfiguration(name: string, hosts: readonly VirtualHost[], manifest: ProtocolManifest): XdsResource {
  const virtualHosts = hosts.map((host) => ({
    name: host.name,
    domains: [...host.domains],
    routes: host.routes.map((route) => toRoute(route, manifest, host.hashKeyOf)),
  }));
  return { typeUrl: TypeUrl.RouteConfiguration, name, value: { name, virtualHosts } };
}

/** Everything goes to one cluster: the routes of an inbound listener. */
export function singleRoute(name: string, cluster: string): XdsResource {
  const route = { name: 'default', match: { prefix: '/' }, route: { cluster, timeout: '0s' } };
  return {
    typeUrl: TypeUrl.RouteConfiguration,
    name,
    value: { name, virtualHosts: [{ name: '*', domains: ['*'], routes: [route] }] },
  };
}

function toRoute(
  route: Route,
  manifest: ProtocolManifest,
  hashKeysOf: (destination: Destination) => string | null,
): JsonObject {
  const { match, headers } =
    manifest.family === 'http'
      ? httpRouteMatch(route.match)
      : { match: { prefix: '/' } as JsonObject, headers: route.match };
  if (headers.length > 0) match.headers = headers.map(toHeaderMatcher);
  const value = { name: route.name, match, route: toAction(route, manifest, hashKeysOf), ...toMutations(route) };
  const options = Object.entries(route.filterOptions).map(([filter, raw]) => [filter, filterConfig(filter, raw)]);
  return options.length === 0 ? value : { ...value, typedPerFilterConfig: Object.fromEntries(options) };
}

function toAction(
  route: Route,
  manifest: ProtocolManifest,
  hashKeysOf: (destination: Destination) => string | null,
): JsonObject {
  // Always said: an absent timeout means 15 s to Envoy.
  const action: JsonObject = { timeout: protoDuration(route.timeoutMs) };
  Object.assign(action, weightedClusters(route.destinations.map(toWeightedCluster)));
  const hashKeys = new Set(route.destinations.map(hashKeysOf).filter((key) => key !== null));
  if (hashKeys.size > 0)
    action.hashPolicy = [...hashKeys].map((key) => ({ header: { headerName: canonicalKey(manifest, key) } }));
  if (route.mirrors.length > 0) {
    action.requestMirrorPolicies = route.mirrors.map(({ destination, percent }) => {
      const numerator = Math.round((percent * MILLION) / 100);
      return {
        cluster: clusterOf(destination),
        runtimeFraction: { defaultValue: { numerator, denominator: 'MILLION' } },
      };
    });
  }
  return action;
}

export interface WeightedClusterSpec {
  readonly name: string;
  readonly weight: number;
  /** Further fields of Envoy's. */
  readonly changes: JsonObject;
}

/** As an action of HTTP routes and tcp_proxy write it. None: the route answers by itself, and nothing gets to a cluster. */
export function weightedClusters(clusters: readonly WeightedClusterSpec[]): JsonObject {
  const [only, ...others] = clusters;
  if (only === undefined) return { cluster: BLACK_HOLE };
  if (others.length === 0) return { cluster: only.name };
  return { weightedClusters: { clusters: clusters.map(({ changes, ...cluster }) => ({ ...cluster, ...changes })) } };
}

export function toWeightedCluster(destination: WeightedDestination): WeightedClusterSpec {
  const { weight, authority } = destination;
  const rewrite = authority === undefined ? {} : { hostRewriteLiteral: authority };
  return { name: clusterOf(destination), weight, changes: { ...toMutations(destination), ...rewrite } };
}

/** The cluster without endpoints of routes that answer by themselves. */
function blackHole(): XdsResource {
  const value = { name: BLACK_HOLE, type: 'STATIC', connectTimeout: '1s', loadAssignment: { clusterName: BLACK_HOLE } };
  return { typeUrl: TypeUrl.Cluster, name: BLACK_HOLE, value };
}

function clusterOf(destination: Destination): string {
  return outboundCluster(destination.port, destination.subset, destination.host);
}

function toHeaderMatcher(match: AttributeMatch): JsonObject {
  const { key: name, test, negated } = match;
  if (test.kind === 'present')
    return negated ? { name, presentMatch: true, invertMatch: true } : { name, presentMatch: true };
  const stringMatch: JsonObject =
    test.kind === 'regex'
      ? { safeRegex: { regex: test.value } }
      : { [test.kind]: test.value, ...(test.ignoreCase ? { ignoreCase: true } : {}) };
  // Without the second flag an absent key would not match a negated test.
  return negated ? { name, stringMatch, invertMatch: true, treatMissingHeaderAsEmpty: true } : { name, stringMatch };
}

function toMutations(owner: Pick<WeightedDestination, 'requestMutation' | 'responseMutation'>): JsonObject {
  const value: JsonObject = {};
  const write = (direction: 'request' | 'response', mutation: Mutation | undefined): void => {
    if (mutation === undefined) return;
    const operations = [
      ...mutation.set.map(([key, text]) => ({
        header: { key, value: text },
        appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD',
      })),
      ...mutation.add.map(([key, text]) => ({ header: { key, value: text }, appendAction: 'APPEND_IF_EXISTS_OR_ADD' })),
    ];
    if (operations.length > 0) value[`${direction}HeadersToAdd`] = operations;
    if (mutation.remove.length > 0) value[`${direction}HeadersToRemove`] = [...mutation.remove];
  };
  write('request', owner.requestMutation);
  write('response', owner.responseMutation);
  return value;
}
