/** RedisService -> RouteTable: prefixes of keys, mirrors, faults and callers' credentials become what every protocol has. */
import type { NamedCode } from '../../metaprotocol/manifest.ts';
import type { JsonObject } from '../../xds/json.ts';
import { parseDurationMs } from '../model/duration.ts';
import type { RedisRouteSpec, RedisServiceSpec } from '../model/redis-service.ts';
import { type FieldPath, type Finding, findingAt, type Resource } from '../model/resource.ts';
import {
  type AttributeMatch,
  type CodecProtocol,
  codecsOf,
  type Destination,
  type Mirror,
  type Mutation,
  type Route,
  type RouteTable,
  type ServiceProtocol,
  type TableFilter,
} from './mesh.ts';
import type { MeshIndex } from './mesh-index.ts';
import { credentialsOf } from './redis-auth.ts';
import { defaultRoute } from './routes.ts';
import type { Secrets } from './secrets.ts';
import type { Compiled } from './translation-round.ts';
import { DEFAULT_EXPORT } from './visibility.ts';

export const REDIS = 'redis';
/** Aeraki's. */
const OPERATION_TIMEOUT_MS = 60_000;
const NO_MUTATION: Mutation = { set: [], add: [], remove: [] };
/** Of the codec's route filter and of the fault filter. */
const ROUTE_FILTER = 'codec.redis';
const FAULT_FILTER = 'fault';

export function compileRedisService(
  resource: Resource<RedisServiceSpec>,
  index: MeshIndex,
  secrets: Secrets,
): Compiled<readonly RouteTable[]> {
  const compiler = new RedisServiceCompiler(resource, index, secrets);
  const tables = resource.spec.host.flatMap((host, at) => compiler.tables(host.toLowerCase(), at));
  return { findings: compiler.findings, make: () => tables };
}

class RedisServiceCompiler {
  readonly #found = new Map<string, Finding>();
  readonly #resource: Resource<RedisServiceSpec>;
  readonly #index: MeshIndex;
  readonly #codecOptions: Record<string, string>;

  constructor(resource: Resource<RedisServiceSpec>, index: MeshIndex, secrets: Secrets) {
    this.#resource = resource;
    this.#index = index;
    const { settings } = resource.spec;
    const findings: Finding[] = [];
    const credentials = credentialsOf(resource, settings?.auth, ['spec', 'settings', 'auth'], secrets, findings);
    for (const finding of findings) this.#add(finding);
    this.#codecOptions =
      credentials === null
        ? {}
        : { downstreamUsername: credentials.username, downstreamPassword: credentials.password };
    if (settings?.readPolicy && settings.readPolicy !== 'MASTER') {
      const message = `${settings.readPolicy} needs to know replicas, which is Redis Cluster's and not built yet: every endpoint is read`;
      this.#report('notApplied', ['settings', 'readPolicy'], message);
    }
    if (settings?.enableHashtagging === false) {
      this.#report(
        'notApplied',
        ['settings', 'enableHashtagging'],
        'the part of a key in {braces} is always what is hashed',
      );
    }
  }

  get findings(): Finding[] {
    return [...this.#found.values()];
  }

  tables(host: string, at: number): RouteTable[] {
    const { spec, key, metadata } = this.#resource;
    const ports = this.#index.services(host).flatMap((service) => service.ports);
    const own = ports.filter(({ protocol }) => redisOf(protocol) !== undefined);
    if (ports.length === 0) this.#report('warning', ['host', at], `no service has the host ${host}: no effect`);
    else if (own.length === 0) this.#report('warning', ['host', at], `no port of ${host} speaks redis: no effect`);
    return own.map((port) => {
      const codes = redisOf(port.protocol)?.manifest.codes ?? [];
      const routes = this.#routes(port.number);
      const stripping = routes.some((route) => ROUTE_FILTER in route.filterOptions);
      return {
        source: key,
        namespace: metadata.namespace,
        exportTo: DEFAULT_EXPORT,
        host,
        port: port.number,
        codec: REDIS,
        routes: routes.length > 0 ? routes : [{ ...defaultRoute(host, port.number), timeoutMs: this.#timeoutMs }],
        filters: [...faultFilters(spec.faults, codes), ...(stripping ? [{ name: ROUTE_FILTER, options: {} }] : [])],
        codecOptions: this.#codecOptions,
      };
    });
  }

  get #timeoutMs(): number {
    const { opTimeout } = this.#resource.spec.settings ?? {};
    return opTimeout ? parseDurationMs(opTimeout)! : OPERATION_TIMEOUT_MS;
  }

  /** The longest prefix first, what matches every key last. */
  #routes(port: number): Route[] {
    const specs = (this.#resource.spec.redis ?? []).map((spec, at) => ({ spec, at, prefix: prefixOf(spec) }));
    const ignoreCase = this.#resource.spec.settings?.caseInsensitive ?? false;
    const seen = new Map<string, number>();
    const kept = specs.filter(({ at, prefix }) => {
      const known = ignoreCase ? prefix.toLowerCase() : prefix;
      const first = seen.get(known);
      if (first === undefined) seen.set(known, at);
      else this.#report('shadowed', ['redis', at], `redis[${first}] comes first and takes the same keys`);
      return first === undefined;
    });
    kept.sort((a, b) => b.prefix.length - a.prefix.length || a.at - b.at);
    return kept.flatMap(({ spec, at, prefix }) => this.#variants(spec, at, prefix, ignoreCase, port));
  }

  /** Two routes where reads are mirrored less than writes. */
  #variants(spec: RedisRouteSpec, at: number, prefix: string, ignoreCase: boolean, port: number): Route[] {
    const path: FieldPath = ['redis', at];
    const match: AttributeMatch[] =
      prefix === '' ? [] : [{ key: 'key', test: { kind: 'prefix', value: prefix, ignoreCase }, negated: false }];
    const mirrors = (spec.mirror ?? []).map((mirror, index): Mirror & { readonly writesOnly: boolean } => ({
      destination: this.#destination(mirror.route, port, [...path, 'mirror', index, 'route']),
      percent: mirror.percentage?.value ?? 100,
      writesOnly: mirror.excludeReadCommands ?? false,
    }));
    const strips = prefix !== '' && spec.match?.key?.removePrefix === true;
    const filterOptions: Record<string, JsonObject> = strips
      ? { [ROUTE_FILTER]: { stripPrefix: prefix, ignoreCase } }
      : {};
    const route = (name: string, more: readonly AttributeMatch[], copies: readonly Mirror[]): Route => ({
      name,
      match: [...match, ...more],
      destinations: [{ ...this.#destination(spec.route, port, [...path, 'route']), weight: 1 }],
      mirrors: copies.map(({ destination, percent }) => ({ destination, percent })),
      timeoutMs: this.#timeoutMs,
      requestMutation: NO_MUTATION,
      responseMutation: NO_MUTATION,
      filterOptions,
    });
    const name = prefix === '' ? 'catch-all' : `prefix ${prefix}`;
    if (!mirrors.some((mirror) => mirror.writesOnly)) return [route(name, [], mirrors)];
    const reads: AttributeMatch = {
      key: 'read-only',
      test: { kind: 'exact', value: 'true', ignoreCase: false },
      negated: false,
    };
    const ofReads = mirrors.filter((mirror) => !mirror.writesOnly);
    return [route(`${name} (reads)`, [reads], ofReads), route(name, [], mirrors)];
  }

  #destination(spec: { host: string; port?: number | null | undefined }, port: number, path: FieldPath): Destination {
    const host = spec.host.toLowerCase();
    const ports = this.#index.services(host).flatMap((service) => service.ports);
    const speaking = ports.filter(({ protocol }) => redisOf(protocol) !== undefined);
    const only = speaking.length === 1 ? speaking[0]!.number : port;
    const number = spec.port ?? only;
    if (ports.length === 0) this.#report('error', [...path, 'host'], `no service has the host ${host}`);
    else if (!speaking.some((each) => each.number === number)) {
      const numbers = speaking.map((each) => each.number).join(', ') || 'none';
      this.#report('error', path, `port ${number} of ${host} does not speak redis, expected one of ${numbers}`);
    }
    return { host, port: number, subset: '' };
  }

  #report(level: Finding['level'], path: FieldPath, message: string): void {
    this.#add(findingAt(this.#resource.document, level, ['spec', ...path], message));
  }

  /** Two ports of one service give the same finding once. */
  #add(finding: Finding): void {
    this.#found.set(`${finding.path} ${finding.message}`, finding);
  }
}

function prefixOf(spec: RedisRouteSpec): string {
  return spec.match?.key?.prefix ?? '';
}

function faultFilters(faults: RedisServiceSpec['faults'], codes: readonly NamedCode[]): TableFilter[] {
  if (!faults || faults.length === 0) return [];
  const code = codes.find(({ name }) => name === 'ERR')?.code ?? null;
  const options = faults.map((fault): JsonObject => {
    const commands = (fault.commands ?? []).map((command) => command.toUpperCase());
    const test = { kind: 'regex', value: commands.map(quoteRegex).join('|') };
    return {
      match: commands.length === 0 ? [] : [{ key: 'command', test, invert: false, absentIsEmpty: false }],
      percentage: fault.percentage?.value ?? 100,
      ...(fault.delay ? { delayMs: parseDurationMs(fault.delay)! } : {}),
      ...(fault.type === 'ERROR' ? { abort: { code, message: 'fault injected by a RedisService' } } : {}),
    };
  });
  return [{ name: FAULT_FILTER, options: { faults: options } }];
}

function quoteRegex(text: string): string {
  return text.replace(/[^A-Za-z0-9_]/g, (char) => `\\x{${char.codePointAt(0)!.toString(16)}}`);
}

/** undefined: the port does not speak it. */
export function redisOf(protocol: ServiceProtocol): CodecProtocol | undefined {
  return codecsOf(protocol).find(({ manifest }) => manifest.name === REDIS);
}
