/** planHttpProxy: what a program asks of an HTTP proxy in its own process, as a runtime description. */
import { http1Manifest } from '../codecs/http1/plugin.ts';
import { isAuthority } from '../codecs/http1/request-line.ts';
import { Class, isAll } from '../codecs/http1/wire.ts';
import { isAscii } from '../metaprotocol/bytewise-text.ts';
import { ConfigError, type ConfigIssue } from '../metaprotocol/config-error.ts';
import {
  ANY_CONNECTION,
  type AttributeMatch,
  type AttributeTest,
  type CallerTimeouts,
  CLUSTER,
  ENDPOINT,
  INSPECTION,
  POOL,
  ROUTE,
  type RouteDescription,
  type RuntimeDescription,
  weightedCluster,
} from '../metaprotocol/description.ts';
import type { Address } from '../metaprotocol/filter.ts';
import { compileTest } from '../metaprotocol/router/matcher.ts';
import { collect } from '../metaprotocol/router/route-table.ts';
import { describeKind } from '../schema/describe.ts';
import { isRequestPath, isTargetText } from '../schema/request-path.ts';
import { schemaFaults } from '../schema/schema-faults.ts';
import { TypeUrl } from '../xds/type-urls.ts';
import { fillTls, type TextsOf, type UpstreamTlsPlan } from './describe/tls.ts';
import type { HttpProxyOptions, HttpProxyRoutes, HttpRoute, ValueMatch } from './http-proxy-options.ts';
import { httpProxyShape } from './http-proxy-shape.ts';
import { planCallersTls, planUpstreamTls } from './http-proxy-tls.ts';
import type { OwnedTls } from './tls-materials.ts';

export const LISTENER = 'http';
/** Of upstream connections. */
const IDLE_TIMEOUT_MS = 60_000;
const TIMEOUTS: CallerTimeouts = Object.freeze({
  idleMs: 60_000,
  headMs: 60_000,
  requestMs: 0,
  streamIdleMs: 300_000,
  tunnelIdleMs: 3_600_000,
});
const OF_THE_CODEC = new Set(http1Manifest.attributes.fixed.filter(({ mutable }) => !mutable).map(({ key }) => key));
const HTTP_PORT = 80;
const HTTPS_PORT = 443;

/** The name of a program's own filter, by its place. */
export function filterName(index: number): string {
  return `program-${index}`;
}

/** What a program asks for, before its files are read. */
export interface HttpProxyPlan {
  readonly tls: readonly OwnedTls[];
  describe(textsOf: TextsOf): RuntimeDescription;
}

/** Throws ConfigError with every fault. */
export function planHttpProxy(options: HttpProxyOptions): HttpProxyPlan {
  const faults = schemaFaults(httpProxyShape, options, describeKind);
  if (faults.length > 0) throw new ConfigError(faults);
  const issues: ConfigIssue[] = [];
  const byHost = new Map<string, RouteDescription[]>();
  for (const [index, route] of options.routes.entries()) {
    const host = (route.host ?? '*').toLowerCase();
    const described = describeRoute(route, index, options, issues);
    byHost.set(host, [...(byHost.get(host) ?? []), described]);
  }
  const upstreams = Object.entries(options.upstreams).map(([name, urls]) => readUpstream(name, urls, options, issues));
  const clusters = upstreams.map(({ name, endpoints, tls }) => ({
    ...CLUSTER,
    name,
    endpoints: endpoints.map((endpoint) => ({ ...ENDPOINT, ...endpoint })),
    pool: { ...POOL, idleTimeoutMs: IDLE_TIMEOUT_MS },
    tls,
  }));
  for (const name of Object.keys(options.upstreamTls ?? {})) {
    if (!Object.hasOwn(options.upstreams, name))
      issues.push({ path: `upstreamTls.${name}`, message: 'no such upstream' });
  }
  const callersTls = options.tls === undefined ? null : planCallersTls(options.tls, issues);
  if (issues.length > 0) throw new ConfigError(issues);
  const virtualHosts = [...byHost].map(([host, routes]) => ({
    name: host,
    domains: [host],
    routes,
  }));
  const describe = (textsOf: TextsOf): RuntimeDescription => ({
    version: '1',
    clusters: clusters.map((cluster) => ({
      ...cluster,
      tls: cluster.tls === null ? null : fillTls(cluster.tls, textsOf),
    })),
    listeners: [
      {
        name: LISTENER,
        bind: options.listen,
        serviceAddress: options.listen,
        direction: 'gateway',
        inspection: INSPECTION,
        chains: [
          {
            name: LISTENER,
            match: ANY_CONNECTION,
            tls: callersTls === null ? null : fillTls(callersTls, textsOf),
            protocol: 'http1',
            codecOptions: options.codecOptions,
            routes: { name: LISTENER, virtualHosts, ignorePort: true },
            filters: [
              ...(options.filters ?? []).map((_, index) => ({ name: filterName(index), options: undefined })),
              { name: 'http', options: undefined },
            ],
            statPrefix: LISTENER,
            timeouts: { ...TIMEOUTS, ...options.timeouts },
            maxStreams: null,
          },
        ],
      },
    ],
  });
  const owned = ({ name, tls }: (typeof clusters)[number]): OwnedTls[] => {
    return tls === null ? [] : [{ typeUrl: TypeUrl.Cluster, name, tls }];
  };
  const own = callersTls === null ? [] : [{ typeUrl: TypeUrl.Listener, name: LISTENER, tls: callersTls }];
  return { tls: [...own, ...clusters.flatMap(owned)], describe };
}

function describeRoute(
  route: HttpRoute,
  index: number,
  { upstreams }: HttpProxyRoutes,
  issues: ConfigIssue[],
): RouteDescription {
  const weights = typeof route.to === 'string' ? { [route.to]: 1 } : route.to;
  for (const name of Object.keys(weights)) {
    if (Object.hasOwn(upstreams, name)) continue;
    const known = Object.keys(upstreams).join(', ') || 'none';
    issues.push({ path: `routes[${index}].to`, message: `no upstream ${JSON.stringify(name)}, there are ${known}` });
  }
  checkRoute(route, `routes[${index}]`, weights, issues);
  return {
    ...ROUTE,
    name: route.name ?? `route-${index}`,
    match: matchesOf(route),
    clusters: Object.entries(weights).map(([cluster, weight]) => weightedCluster(cluster, weight)),
    timeoutMs: route.timeoutMs ?? 0,
    requestMutation: { set: Object.entries(route.setHeaders ?? {}), add: [], remove: route.removeHeaders ?? [] },
    filterOptions: route.rewrite === undefined ? {} : { http: { path: rewriteOf(route, route.rewrite) } },
  };
}

/** What would match or write nothing, without a word. */
function checkRoute(
  {
    host = '*',
    path,
    method = '',
    headers = {},
    query = {},
    rewrite = '',
    setHeaders = {},
    removeHeaders = [],
  }: HttpRoute,
  at: string,
  weights: Readonly<Record<string, number>>,
  issues: ConfigIssue[],
): void {
  const fault = (field: string, message: string): void => {
    issues.push({ path: `${at}.${field}`, message });
  };
  if (/:\d*$/.test(host)) fault('host', `${JSON.stringify(host)} has a port, expected a name`);
  else if (host !== '*' && !isHost(host)) fault('host', `${JSON.stringify(host)} is no name, *.suffix or *`);
  const text = typeof path === 'object' && 'exact' in path ? path.exact : path;
  if (typeof text === 'string' && !isRequestPath(text))
    fault(
      'path',
      `${JSON.stringify(text)} is no path as requests have it: / and ASCII, percent-encoded, without its query`,
    );
  if (!isTargetText(rewrite)) fault('rewrite', `${JSON.stringify(rewrite)} is no path of visible ASCII`);
  const upper = method.toUpperCase();
  if (method !== upper) fault('method', `${method}: the case of methods counts, expected ${upper}`);
  for (const [name, value] of Object.entries(setHeaders)) {
    const isAddress = /^(host|:authority)$/i.test(name);
    const isWritable = name === ':path' ? value.startsWith('/') : isAddress ? isAuthority(value, false) : isToken(name);
    if (isWritable && isAll(value, Class.Value) && isAscii(value)) continue;
    fault('setHeaders', `${JSON.stringify(name)}: ${JSON.stringify(value)} is not a header of one line in ASCII`);
  }
  for (const [field, names] of [
    ['setHeaders', Object.keys(setHeaders)] as const,
    ['removeHeaders', removeHeaders] as const,
  ]) {
    for (const name of names) {
      if (OF_THE_CODEC.has(name.toLowerCase())) fault(field, `${JSON.stringify(name)} is written by the codec alone`);
    }
  }
  for (const name of Object.keys(headers)) {
    if (!isToken(name) && !name.startsWith(':')) fault('headers', `${JSON.stringify(name)} is not a header's name`);
  }
  for (const [field, values] of [
    ['path', [path]],
    ['headers', Object.values(headers)],
    ['query', Object.values(query)],
  ] as const) {
    for (const value of values) {
      if (!(value instanceof RegExp)) continue;
      if (value.flags !== '') fault(field, `${String(value)} has flags, which RE2 takes inside: (?i)`);
      else collect(issues, `${at}.${field}`, () => compileTest({ kind: 'regex', value: value.source }));
    }
  }
  if (!Object.values(weights).some((weight) => weight > 0)) fault('to', 'expected a weight of more than 0');
}

function isHost(text: string): boolean {
  const name = text.replace(/^\*\./, '');
  return !name.includes('*') && isAuthority(name, false);
}

function isToken(name: string): boolean {
  return name !== '' && isAll(name, Class.Token);
}

function matchesOf({ path, method, headers, query }: HttpRoute): AttributeMatch[] {
  const matches: AttributeMatch[] = [];
  const add = (key: string, test: AttributeTest): void => {
    matches.push({ key, test, invert: false, absentIsEmpty: false });
  };
  if (typeof path === 'string') add(':pathname', { kind: 'prefix', value: path, ignoreCase: false });
  else if (path instanceof RegExp) add(':pathname', { kind: 'regex', value: path.source });
  else if (path !== undefined) add(':pathname', { kind: 'exact', value: path.exact, ignoreCase: false });
  if (method !== undefined) add(':method', { kind: 'exact', value: method, ignoreCase: false });
  for (const [name, value] of Object.entries(headers ?? {})) add(name.toLowerCase(), testOf(value));
  for (const [name, value] of Object.entries(query ?? {})) add(`?${name}`, testOf(value));
  return matches;
}

function testOf(match: ValueMatch): AttributeTest {
  if (match === true) return { kind: 'present' };
  if (typeof match === 'string') return { kind: 'exact', value: match, ignoreCase: false };
  if (match instanceof RegExp) return { kind: 'regex', value: match.source };
  return { kind: 'prefix', value: match.prefix, ignoreCase: false };
}

function rewriteOf({ path }: HttpRoute, to: string): object {
  return typeof path === 'string' ? { prefix: path, to } : path === undefined ? { prefix: '/', to } : { to };
}

interface HttpUpstream {
  readonly name: string;
  readonly endpoints: readonly Address[];
  readonly tls: UpstreamTlsPlan | null;
}

function readUpstream(
  name: string,
  urls: readonly string[],
  { upstreamTls = {} }: HttpProxyRoutes,
  issues: ConfigIssue[],
): HttpUpstream {
  const endpoints = urls.map((url, index) => readEndpoint(url, `upstreams.${name}[${index}]`, issues));
  const isSecure = urls.some((url) => url.startsWith('https:'));
  const tls = Object.hasOwn(upstreamTls, name) ? upstreamTls[name] : undefined;
  if (isSecure && urls.some((url) => url.startsWith('http:'))) {
    issues.push({ path: `upstreams.${name}`, message: 'has both http:// and https://, expected one of them' });
  }
  if (!isSecure && tls !== undefined) {
    issues.push({ path: `upstreamTls.${name}`, message: 'its endpoints are not https://' });
  }
  const hosts = endpoints.map(({ host }) => host);
  return { name, endpoints, tls: isSecure ? planUpstreamTls(tls ?? {}, `upstreamTls.${name}`, hosts) : null };
}

function readEndpoint(text: string, path: string, issues: ConfigIssue[]): Address {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:';
  const plain = url !== null && isHttp && url.pathname === '/' && url.search === '' && url.username === '';
  const host = url?.hostname.replace(/^\[|\]$/g, '') ?? '';
  if (!plain || !/^[0-9.]+$|:/.test(host)) {
    issues.push({ path, message: `${JSON.stringify(text)} is not http:// or https://, an IP address and a port` });
  }
  return { host, port: Number(url?.port || (url?.protocol === 'https:' ? HTTPS_PORT : HTTP_PORT)) };
}
