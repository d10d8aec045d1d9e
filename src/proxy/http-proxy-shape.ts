/** checkShape: what a program without types gave as HttpProxyOptions, before anything reads it: unknown names, other types. */
import { ConfigError, type ConfigIssue } from '../metaprotocol/config-error.ts';
import type { Filter } from '../metaprotocol/filter.ts';
import type { HttpProxyOptions, HttpRoute } from './http-proxy-options.ts';
import type { HttpCertificate, HttpProxyTls, HttpUpstreamTls } from './http-proxy-tls.ts';

type Check = (value: unknown) => boolean;
/** By name, so that a field which is new in the type has to be here too. */
type Shape<T> = { readonly [Name in keyof Required<T>]: readonly [Check, string] };

const isText: Check = (value) => typeof value === 'string';
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isWhole = (value: unknown): value is number => Number.isInteger(value) && Number(value) >= 0;
const isAmount: Check = (value) => Number.isFinite(value) && Number(value) >= 0;
const isListOf = (check: Check): Check => {
  return (value) => Array.isArray(value) && value.every(check);
};
const isMapOf = (check: Check): Check => {
  return (value) => isObject(value) && Object.values(value).every(check);
};
const isAnyOf = (...checks: readonly Check[]): Check => {
  return (value) => checks.some((check) => check(value));
};
const isRegExp: Check = (value) => value instanceof RegExp;
const isNameOf = (name: string): Check => {
  return (value) => isObject(value) && isText(value[name]) && Object.keys(value).length === 1;
};
const isPem = isAnyOf(isText, Buffer.isBuffer, isNameOf('file'));
const isValueMatch = isAnyOf(isText, isRegExp, isNameOf('prefix'), (value) => value === true);
const isAddress: Check = (value) =>
  isObject(value) && isText(value.host) && isWhole(value.port) && value.port <= 65_535;

const TEXT = [isText, 'a text'] as const;
const OBJECT = [isObject, 'an object'] as const;
const MATCHES = [isMapOf(isValueMatch), 'texts, RegExps, { prefix } or true by name'] as const;
const PEM = [isPem, 'PEM as text or Buffer, or { file }'] as const;

const OPTIONS: Shape<HttpProxyOptions> = {
  listen: [isAddress, '{ host, port } with a port of 0 to 65535'],
  upstreams: [isMapOf(isListOf(isText)), 'lists of URLs by name'],
  upstreamTls: OBJECT,
  routes: [isListOf(isObject), 'a list of objects'],
  tls: OBJECT,
  filters: [isListOf(isObject), 'a list of objects'],
  timeouts: OBJECT,
  codecOptions: OBJECT,
};
const ROUTE: Shape<HttpRoute> = {
  name: TEXT,
  host: TEXT,
  path: [isAnyOf(isText, isRegExp, isNameOf('exact')), 'a text, a RegExp or { exact }'],
  method: TEXT,
  headers: MATCHES,
  query: MATCHES,
  to: [isAnyOf(isText, isMapOf(isAmount)), "an upstream's name, or weights by name"],
  rewrite: TEXT,
  setHeaders: [isMapOf(isText), 'texts by name'],
  removeHeaders: [isListOf(isText), 'a list of names'],
  timeoutMs: [isAmount, 'a number of at least 0'],
};
const TLS: Shape<HttpProxyTls> = {
  certificates: [isListOf(isObject), 'a list of { cert, key }'],
  clientCa: PEM,
  minVersion: TEXT,
};
const CERTIFICATE: Shape<HttpCertificate> = { cert: PEM, key: PEM };
const UPSTREAM_TLS: Shape<HttpUpstreamTls> = {
  serverName: TEXT,
  ca: PEM,
  certificate: [isObject, '{ cert, key }'],
  verify: [(value) => value === false, 'false, or nothing'],
};

const HOOKS: Readonly<Record<keyof Required<Filter>, true>> = {
  onRequest: true,
  onRequestData: true,
  onRequestTrailers: true,
  onAttempt: true,
  onResponse: true,
  onResponseData: true,
  onResponseTrailers: true,
  onEnd: true,
};

/** A mistyped hook would never be called. Filters may have other methods, those of classes too. */
function checkHooks(filter: unknown, path: string, issues: ConfigIssue[]): void {
  const names = new Set<string>();
  for (let at = filter; isObject(at) && at !== Object.prototype; at = Object.getPrototypeOf(at))
    for (const name of Object.getOwnPropertyNames(at)) names.add(name);
  const wrong = [...names].filter((name) => /^on[A-Z]/.test(name) && !Object.hasOwn(HOOKS, name));
  for (const name of wrong)
    issues.push({ path: `${path}.${name}`, message: `is no hook, expected one of ${Object.keys(HOOKS).join(', ')}` });
}

/** Throws ConfigError with every fault. Values that may be keys are not shown. */
export function checkShape(options: unknown): void {
  const issues: ConfigIssue[] = [];
  const check = <T>(value: unknown, shape: Shape<T>, path: string, required: readonly (keyof T & string)[]): void => {
    if (!isObject(value)) return;
    const prefix = path === '' ? '' : `${path}.`;
    for (const name of required) {
      if (value[name] === undefined)
        issues.push({ path: `${prefix}${name}`, message: `is missing, expected ${shape[name][1]}` });
    }
    for (const [name, given] of Object.entries(value)) {
      const known = Object.hasOwn(shape, name) ? shape[name as keyof T] : undefined;
      if (known === undefined) {
        const names = Object.keys(shape).join(', ');
        issues.push({ path: `${prefix}${name}`, message: `is no option, expected one of ${names}` });
      } else if (given !== undefined && !known[0](given)) {
        const actual = Array.isArray(given)
          ? 'a list'
          : isObject(given)
            ? 'an object'
            : given === null
              ? 'null'
              : `a ${typeof given}`;
        issues.push({ path: `${prefix}${name}`, message: `is ${actual}, expected ${known[1]}` });
      }
    }
  };
  const each = (value: unknown, visit: (item: unknown, key: string) => void): void => {
    if (Array.isArray(value)) for (const [index, item] of value.entries()) visit(item, `[${index}]`);
    else if (isObject(value)) for (const [name, item] of Object.entries(value)) visit(item, `.${name}`);
  };
  if (!isObject(options)) throw new ConfigError([{ path: '', message: 'expected an object of options' }]);
  check(options, OPTIONS, '', ['listen', 'upstreams', 'routes']);
  each(options.routes, (route, key) => check(route, ROUTE, `routes${key}`, ['to']));
  each(options.filters, (filter, key) => checkHooks(filter, `filters${key}`, issues));
  each(options.upstreamTls, (tls, key) => {
    check(tls, UPSTREAM_TLS, `upstreamTls${key}`, []);
    if (isObject(tls)) check(tls.certificate, CERTIFICATE, `upstreamTls${key}.certificate`, ['cert', 'key']);
  });
  check(options.tls, TLS, 'tls', ['certificates']);
  if (isObject(options.tls)) {
    each(options.tls.certificates, (one, key) => check(one, CERTIFICATE, `tls.certificates${key}`, ['cert', 'key']));
  }
  if (issues.length > 0) throw new ConfigError(issues);
}
