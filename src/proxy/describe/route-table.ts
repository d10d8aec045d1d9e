/** RouteConfiguration, as served for every protocol, into the core's route table. Rules: docs/xds.md. */
import {
  type AttributeMatch,
  type MirrorDescription,
  type RetryDescription,
  type RouteDescription,
  type RouteTableDescription,
  type VirtualHostDescription,
  type WeightedCluster,
  weightedCluster,
} from '../../metaprotocol/description.ts';
import { optionsOf } from './any.ts';
import { readAttributeMatch, readRegex } from './attribute-match.ts';
import { readMutation } from './mutation.ts';
import type { Reader } from './reader.ts';

/** The attribute that Envoy's path conditions are about. */
const PATHNAME = { key: ':pathname', invert: false, absentIsEmpty: false } as const;
/** As HTTP requests carry it. */
const AUTHORITY = ':authority';
/** What a route without a timeout of its own gets, as in Envoy. */
const UNSET_TIMEOUT_MS = 15_000;

export function readRouteTable(table: Reader): RouteTableDescription {
  const name = table.string('name');
  const virtualHosts = table.children('virtualHosts').map(readVirtualHost);
  if (virtualHosts.length === 0) table.error('has no virtual host', 'virtualHosts');
  const ignorePort = table.flag('ignorePortInHostMatching');
  table.ignore('validateClusters');
  table.end('note');
  return ignorePort ? { name, virtualHosts, ignorePort } : { name, virtualHosts };
}

/** Every cluster that requests of this table may go to. */
export function clustersOf(table: RouteTableDescription): Set<string> {
  return new Set(table.virtualHosts.flatMap((host) => [...clustersOfHost(host)]));
}

export function clustersOfHost(host: VirtualHostDescription): Set<string> {
  const names = new Set<string>();
  for (const route of host.routes) {
    for (const { cluster } of route.clusters) names.add(cluster);
    for (const { cluster } of route.mirrors) names.add(cluster);
  }
  return names;
}

/** Does it look at paths or queries, which only HTTP has? */
export function needsHttp(table: RouteTableDescription): boolean {
  return table.virtualHosts.some(({ routes }) =>
    routes.some(({ match }) => match.some(({ key }) => key === PATHNAME.key || key.startsWith('?'))),
  );
}

function readVirtualHost(host: Reader): VirtualHostDescription {
  const name = host.string('name');
  const domains = host.strings('domains');
  if (domains.length === 0) host.error('has no domain', 'domains');
  const routes = host.children('routes').map(readRoute);
  host.end('note');
  return { name, domains, routes };
}

function readRoute(route: Reader): RouteDescription {
  const action = route.child('route');
  if (action === null) {
    route.error('only routes to clusters are supported: expected the field route');
  }
  const described: RouteDescription = {
    name: route.string('name'),
    match: readMatch(route.child('match')),
    clusters: action === null ? [] : readWeightedClusters(action),
    timeoutMs: action?.durationMs('timeout', UNSET_TIMEOUT_MS) ?? 0,
    requestMutation: readMutation(route, 'request'),
    responseMutation: readMutation(route, 'response'),
    hashOn: action?.children('hashPolicy').flatMap(readHashKey) ?? [],
    mirrors: action?.children('requestMirrorPolicies').flatMap(readMirror) ?? [],
    retry: readRetry(action?.child('retryPolicy') ?? null),
    filterOptions: readFilterOptions(route.child('typedPerFilterConfig')),
  };
  action?.end('note');
  route.ignore('metadata', 'decorator');
  route.end('note');
  return described;
}

function readMatch(match: Reader | null): RouteDescription['match'] {
  if (match === null) return [];
  const path = readPathMatch(match);
  const headers = match.children('headers').flatMap((matcher) => readAttributeMatch(matcher) ?? []);
  const queries = match.children('queryParameters').flatMap((matcher) => readAttributeMatch(matcher) ?? []);
  // A condition that nobody tests would let more requests through than it says.
  match.end('error');
  return [...path, ...headers, ...queries.map((query) => ({ ...query, key: `?${query.key}` }))];
}

/** Of HTTP; other protocols have no path and every route the prefix `/`. */
function readPathMatch(match: Reader): AttributeMatch[] {
  const ignoreCase = match.has('caseSensitive') && !match.flag('caseSensitive');
  const test = (kind: 'exact' | 'prefix', field: string): AttributeMatch => ({
    ...PATHNAME,
    test: { kind, value: match.string(field), ignoreCase },
  });
  const regex = match.child('safeRegex');
  if (regex !== null) return [{ ...PATHNAME, test: readRegex(regex) }];
  if (match.has('path')) return [test('exact', 'path')];
  const prefix = match.string('prefix');
  return prefix === '/' || prefix === '' ? [] : [test('prefix', 'prefix')];
}

export function readWeightedClusters(action: Reader): WeightedCluster[] {
  const cluster = action.string('cluster');
  const weighted = action.child('weightedClusters');
  if (weighted === null) {
    if (cluster === '') action.error('names no cluster', 'cluster');
    return [weightedCluster(cluster)];
  }
  const clusters = weighted.children('clusters').map((member): WeightedCluster => {
    const request = readMutation(member, 'request');
    const authority = member.string('hostRewriteLiteral');
    const described: WeightedCluster = {
      cluster: member.string('name'),
      weight: member.number('weight', 0),
      requestMutation: authority === '' ? request : { ...request, set: [...request.set, [AUTHORITY, authority]] },
      responseMutation: readMutation(member, 'response'),
    };
    if (described.cluster === '') member.error('names no cluster', 'name');
    member.end('note');
    return described;
  });
  weighted.ignore('totalWeight', 'runtimeKeyPrefix');
  weighted.end('note');
  const sum = clusters.reduce((total, { weight }) => total + weight, 0);
  if (!(sum > 0)) weighted.error(`weights sum to ${sum}, expected more than 0`, 'clusters');
  return clusters;
}

function readHashKey(policy: Reader): string[] {
  const header = policy.child('header');
  const key = header?.string('headerName') ?? '';
  if (key === '') policy.error('only a hash over a header is supported: expected header.headerName');
  header?.end('note');
  policy.end('note');
  return key === '' ? [] : [key];
}

const MILLIONTHS = { HUNDRED: 10_000, TEN_THOUSAND: 100, MILLION: 1 } as const;

export function readMirror(mirror: Reader): MirrorDescription[] {
  const cluster = mirror.string('cluster');
  if (cluster === '') mirror.error('names no cluster', 'cluster');
  let fraction = 1_000_000;
  const runtime = mirror.child('runtimeFraction');
  const value = runtime?.child('defaultValue') ?? null;
  if (value !== null) {
    const denominator = value.string('denominator', 'HUNDRED') as keyof typeof MILLIONTHS;
    fraction = value.number('numerator', 0) * (MILLIONTHS[denominator] ?? 0);
    value.end('note');
  }
  runtime?.ignore('runtimeKey');
  runtime?.end('note');
  mirror.end('note');
  return fraction > 0 ? [{ cluster, fraction: Math.min(fraction, 1_000_000) }] : [];
}

function readRetry(policy: Reader | null): RetryDescription {
  if (policy === null) return { retries: 0 };
  const retry = { retries: policy.number('numRetries', 1) };
  policy.end('note');
  return retry;
}

function readFilterOptions(configs: Reader | null): RouteDescription['filterOptions'] {
  if (configs === null) return {};
  return Object.fromEntries(configs.fields().map(([filter, config]) => [filter, optionsOf(config)]));
}
