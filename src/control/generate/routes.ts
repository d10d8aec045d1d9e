/** RouteTable -> RouteConfiguration, by the mapping that every protocol but HTTP shares (docs/xds.md). */
import type { ProtocolManifest } from '../../metaprotocol/manifest.ts';
import type { JsonObject } from '../../xds/json.ts';
import type { XdsResource } from '../../xds/resource.ts';
import { TypeUrl } from '../../xds/type-urls.ts';
import { protoDuration } from '../model/duration.ts';
import { canonicalKey } from '../translate/attributes.ts';
import type { AttributeMatch, Destination, Mutation, Route } from '../translate/mesh.ts';
import { filterConfig } from './filter-config.ts';
import { httpRouteMatch } from './http-route-match.ts';
import { outboundCluster } from './names.ts';

const MILLION = 1_000_000;

/** The routes of one host, or of all where a protocol has none. */
export interface VirtualHost {
  readonly name: string;
  readonly domains: readonly string[];
  readonly routes: readonly Route[];
  /** The attribute that a destination's cluster hashes. */
  readonly hashKeyOf: (destination: Destination) => string | null;
}

export function routeConfiguration(
  name: string,
  hosts: readonly VirtualHost[],
  manifest: ProtocolManifest,
): XdsResource {
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
  const [only, ...others] = route.destinations;
  if (only !== undefined && others.length === 0) action.cluster = clusterOf(only);
  else
    action.weightedClusters = {
      clusters: route.destinations.map((destination) => ({ name: clusterOf(destination), weight: destination.weight })),
    };
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

function toMutations(route: Route): JsonObject {
  const value: JsonObject = {};
  const write = (direction: 'request' | 'response', mutation: Mutation): void => {
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
  write('request', route.requestMutation);
  write('response', route.responseMutation);
  return value;
}
