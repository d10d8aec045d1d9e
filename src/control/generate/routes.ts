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

const MILLION = 1_000_000;
/** Istio's name. */
const BLACK_HOLE = 'BlackHoleCluster';

/** The routes of one host, or of all where a protocol has none. */
export interface VirtualHost {
  readonly name: string;
  readonly domains: readonly string[];
  readonly routes: readonly PlacedRoute[];
}

/** A route, and what its destinations are at one proxy. */
export interface PlacedRoute {
  readonly route: Route;
  readonly upstreams: Upstreams;
}

export interface Upstreams {
  /** null: this proxy cannot have it. */
  clusterOf(destination: Destination): string | null;
  /** The attribute that its cluster hashes. */
  hashKeyOf(destination: Destination): string | null;
}

/** The table, and what its routes need that no service brings. */
export function routeResources(name: string, hosts: readonly VirtualHost[], manifest: ProtocolManifest): XdsResource[] {
  const answers = hosts.some(({ routes }) => routes.some(({ route }) => route.destinations.length === 0));
  return [routeConfiguration(name, hosts, manifest), ...(answers ? [blackHole()] : [])];
}

function routeConfiguration(name: string, hosts: readonly VirtualHost[], manifest: ProtocolManifest): XdsResource {
  const virtualHosts = hosts.map((host) => ({
    name: host.name,
    domains: [...host.domains],
    routes: host.routes.map(({ route, upstreams }) => toRoute(route, manifest, upstreams)),
  }));
  const value =
    manifest.attributes.hostKey === null
      ? { name, virtualHosts }
      : { name, virtualHosts, ignorePortInHostMatching: true };
  return { typeUrl: TypeUrl.RouteConfiguration, name, value };
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

function toRoute(route: Route, manifest: ProtocolManifest, upstreams: Upstreams): JsonObject {
  const { match, headers } =
    manifest.family === 'http'
      ? httpRouteMatch(route.match)
      : { match: { prefix: '/' } as JsonObject, headers: route.match };
  if (headers.length > 0) match.headers = headers.map(toHeaderMatcher);
  const value = { name: route.name, match, route: toAction(route, manifest, upstreams), ...toMutations(route) };
  const options = Object.entries(route.filterOptions).map(([filter, raw]) => [filter, filterConfig(filter, raw)]);
  return options.length === 0 ? value : { ...value, typedPerFilterConfig: Object.fromEntries(options) };
}

function toAction(route: Route, manifest: ProtocolManifest, upstreams: Upstreams): JsonObject {
  // Always said: an absent timeout means 15 s to Envoy.
  const action: JsonObject = { timeout: protoDuration(route.timeoutMs) };
  Object.assign(action, weightedClusters(toWeightedClusters(route.destinations, upstreams)));
  const hashKeys = new Set(route.destinations.map((each) => upstreams.hashKeyOf(each)).filter((key) => key !== null));
  if (hashKeys.size > 0)
    action.hashPolicy = [...hashKeys].map((key) => ({ header: { headerName: canonicalKey(manifest, key) } }));
  const mirrors = route.mirrors.flatMap(({ destination, percent }) => {
    const cluster = upstreams.clusterOf(destination);
    const numerator = Math.round((percent * MILLION) / 100);
    return cluster === null
      ? []
      : [{ cluster, runtimeFraction: { defaultValue: { numerator, denominator: 'MILLION' } } }];
  });
  if (mirrors.length > 0) action.requestMirrorPolicies = mirrors;
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

/** What cannot be had keeps its share, and fails it. */
export function toWeightedClusters(
  destinations: readonly WeightedDestination[],
  upstreams: Upstreams,
): WeightedClusterSpec[] {
  return destinations.map((destination) => {
    const { weight, authority } = destination;
    const rewrite = authority === undefined ? {} : { hostRewriteLiteral: authority };
    const name = upstreams.clusterOf(destination) ?? BLACK_HOLE;
    return { name, weight, changes: { ...toMutations(destination), ...rewrite } };
  });
}

/** The cluster without endpoints: of routes that answer by themselves, and of destinations that a proxy cannot have. */
export function blackHole(): XdsResource {
  const value = { name: BLACK_HOLE, type: 'STATIC', connectTimeout: '1s', loadAssignment: { clusterName: BLACK_HOLE } };
  return { typeUrl: TypeUrl.Cluster, name: BLACK_HOLE, value };
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
