/** VirtualService -> RouteTable, one for each HTTP port of each of its hosts. Semantics: Istio's. */
import { findUnreachableRoutes } from '../analyze/route-findings.ts';
import { parseDurationMs } from '../model/duration.ts';
import { type FieldPath, type Finding, findingAt, type Resource } from '../model/resource.ts';
import type {
  HeaderOperationsSpec,
  HttpMatchSpec,
  HttpRouteSpec,
  VirtualServiceSpec,
} from '../model/virtual-service.ts';
import { immutableKey } from './attributes.ts';
import { DestinationResolver, hostHint, type Report } from './destinations.ts';
import { HTTP_FILTER, httpActions, isAuthority } from './http-actions.ts';
import { httpMatches } from './http-matches.ts';
import type { Mirror, Mutation, PortProtocol, Route, RouteTable, ServicePort, WeightedDestination } from './mesh.ts';
import { hostMatches, type MeshIndex } from './mesh-index.ts';
import { defaultRoute } from './routes.ts';
import type { Compiled } from './translation-round.ts';
import { DEFAULT_EXPORT } from './visibility.ts';

type VirtualService = Resource<VirtualServiceSpec>;
type CodecProtocol = Extract<PortProtocol, { kind: 'codec' }>;

const HTTP = 'http';
/** Istio's word for the sidecars of the mesh. */
const MESH = 'mesh';

/** A table, and how exactly its VirtualService names the host: of two, the more exact one is used. */
export interface HttpTable {
  readonly table: RouteTable;
  /** Length of the pattern; an exact host counts as longest. */
  readonly exactness: number;
}

export function compileVirtualService(resource: VirtualService, index: MeshIndex): Compiled<readonly HttpTable[]> {
  const findings = new Map<string, Finding>();
  const report: Report = (level, path, message) => {
    const finding = findingAt(resource.document, level, ['spec', ...path], message);
    // Two ports of one service give the same finding once.
    findings.set(`${finding.path} ${finding.message}`, finding);
  };
  const { spec } = resource;
  if (spec.gateways?.length && !spec.gateways.includes(MESH)) {
    report('notApplied', ['gateways'], 'gateways are not built yet');
    return { findings: [...findings.values()], make: () => [] };
  }
  const tables = spec.hosts.flatMap((pattern, at) => {
    const found: HttpTable[] = [];
    const lower = pattern.toLowerCase();
    const hosts = hostsOf(lower, resource.metadata.namespace, index);
    for (const host of hosts) {
      for (const table of tablesOf(host, resource, index, report)) {
        found.push({ table, exactness: lower.startsWith('*') ? lower.length : Number.MAX_SAFE_INTEGER });
      }
    }
    if (hosts.length === 0) {
      report('warning', ['hosts', at], `no service has the host ${pattern}: no effect on it${hostHint(lower, index)}`);
    } else if (found.length === 0 && spec.http?.length) {
      report('warning', ['hosts', at], `no port of ${pattern} is served as HTTP: no effect on it`);
    }
    return found;
  });
  return { findings: [...findings.values()], make: () => tables };
}

/** A name without a dot is a service of the resource's own namespace. */
function hostsOf(pattern: string, namespace: string, index: MeshIndex): string[] {
  if (pattern.startsWith('*')) return index.hosts().filter((host) => hostMatches(pattern, host));
  if (index.services(pattern).length > 0) return [pattern];
  const full = `${pattern}.${namespace}.svc.cluster.local`;
  return !pattern.includes('.') && index.services(full).length > 0 ? [full] : [];
}

function* tablesOf(host: string, resource: VirtualService, index: MeshIndex, report: Report): Iterable<RouteTable> {
  const { spec, metadata, key } = resource;
  if (!spec.http?.length) return;
  for (const port of index.services(host).flatMap((service) => service.ports)) {
    if (port.protocol.kind !== 'codec' || port.protocol.manifest.family !== HTTP) continue;
    const compiler = new HttpRouteCompiler(host, port, port.protocol, index, report);
    const compiled = spec.http.flatMap((route, at) => compiler.compile(route, at));
    const routes = compiled.map(({ route }) => route);
    for (const { index: at, message } of findUnreachableRoutes(routes)) report('warning', compiled[at]!.path, message);
    yield {
      source: key,
      namespace: metadata.namespace,
      exportTo: spec.exportTo?.length ? spec.exportTo : DEFAULT_EXPORT,
      host,
      port: port.number,
      routes,
      filters: [],
      codecOptions: {},
    };
  }
}

class HttpRouteCompiler {
  readonly #host: string;
  readonly #port: ServicePort;
  readonly #protocol: CodecProtocol;
  readonly #destinations: DestinationResolver;
  readonly #report: Report;

  constructor(host: string, port: ServicePort, protocol: CodecProtocol, index: MeshIndex, report: Report) {
    this.#host = host;
    this.#port = port;
    this.#protocol = protocol;
    this.#destinations = new DestinationResolver(port.number, protocol.manifest, index, report);
    this.#report = report;
  }

  /** One route for each match block; a block for another port or for gateways gives none. */
  compile(spec: HttpRouteSpec, at: number): { route: Route; path: FieldPath }[] {
    const path: FieldPath = ['http', at];
    const destinations = this.#targets(spec, path);
    const mirrors = this.#mirrors(spec, path);
    const requestMutation = this.#mutation(spec, 'request', path);
    const responseMutation = this.#mutation(spec, 'response', path);
    const timeoutMs = spec.timeout ? parseDurationMs(spec.timeout)! : 0;
    const blocks = spec.match?.length ? spec.match : [null];
    return blocks.flatMap((match, index) => {
      const blockPath = match === null ? path : [...path, 'match', index];
      if (match !== null && !this.#applies(match, blockPath)) return [];
      const actions = httpActions(spec, match);
      const names = [spec.name ?? '', match?.name ?? ''].filter((name) => name !== '');
      const route: Route = {
        name: names.length > 0 ? names.join('.') : `http-${at}${blocks.length > 1 ? `-${index}` : ''}`,
        match: match === null ? [] : httpMatches(match),
        destinations,
        mirrors,
        timeoutMs,
        requestMutation,
        responseMutation,
        filterOptions: actions === null ? {} : { [HTTP_FILTER]: actions },
      };
      return [{ route, path: blockPath }];
    });
  }

  #applies(match: HttpMatchSpec, path: FieldPath): boolean {
    if (match.port && match.port !== this.#port.number) return false;
    if (match.gateways?.length && !match.gateways.includes(MESH)) return false;
    for (const field of ['sourceLabels', 'sourceNamespace'] as const) {
      if (!match[field]) continue;
      // Without its condition it would take requests that it does not mean.
      this.#report('notApplied', [...path, field], 'matching callers is not built yet: this match is left out');
      return false;
    }
    return true;
  }

  #targets(spec: HttpRouteSpec, path: FieldPath): readonly WeightedDestination[] {
    const parts = spec.route ?? [];
    // An answer of the route itself never gets there.
    if (parts.length === 0) return defaultRoute(this.#host, this.#port.number).destinations;
    return parts
      .map((part, at) => {
        const where = [...path, 'route', at];
        if (part.headers && parts.length > 1) {
          this.#report('notApplied', [...where, 'headers'], 'headers of one of several destinations are not built yet');
        }
        const resolved = this.#destinations.resolve(part.destination, [...where, 'destination']);
        return { ...resolved, weight: parts.length === 1 ? 1 : (part.weight ?? 0) };
      })
      .filter(({ weight }) => weight > 0);
  }

  #mirrors(spec: HttpRouteSpec, path: FieldPath): readonly Mirror[] {
    const one = spec.mirror ? [{ destination: spec.mirror, percentage: spec.mirrorPercentage }] : [];
    return [...one, ...(spec.mirrors ?? [])].map(({ destination, percentage }, at) => ({
      destination: this.#destinations.resolve(
        destination,
        spec.mirror ? [...path, 'mirror'] : [...path, 'mirrors', at, 'destination'],
      ),
      percent: percentage ? (percentage.value ?? 0) : 100,
    }));
  }

  /** The only destination's operations come after the route's. */
  #mutation(spec: HttpRouteSpec, direction: 'request' | 'response', path: FieldPath): Mutation {
    const set = new Map<string, string>();
    const add: [string, string][] = [];
    const remove: string[] = [];
    const read = (operations: HeaderOperationsSpec | null | undefined, at: FieldPath): void => {
      for (const [key, value] of this.#changes(operations?.set, direction, [...at, 'set'])) set.set(key, value);
      add.push(...this.#changes(operations?.add, direction, [...at, 'add']));
      operations?.remove?.forEach((key, index) => {
        if (this.#mayChange(key, [...at, 'remove', index])) remove.push(key.toLowerCase());
      });
    };
    read(spec.headers?.[direction], [...path, 'headers', direction]);
    if (spec.route?.length === 1) {
      read(spec.route[0]!.headers?.[direction], [...path, 'route', 0, 'headers', direction]);
    }
    return { set: [...set], add, remove };
  }

  #changes(
    operations: Readonly<Record<string, string>> | null | undefined,
    direction: 'request' | 'response',
    path: FieldPath,
  ): [string, string][] {
    return Object.entries(operations ?? {}).flatMap(([key, value]): [string, string][] => {
      // The authority is the HTTP filter's.
      if (direction === 'request' && isAuthority(key)) return [];
      return this.#mayChange(key, [...path, key]) ? [[key.toLowerCase(), value]] : [];
    });
  }

  #mayChange(key: string, path: FieldPath): boolean {
    if (key.startsWith(':') || isAuthority(key)) {
      this.#report('warning', path, `${key} cannot be changed here: no effect`);
      return false;
    }
    const fault = immutableKey(this.#protocol.manifest, key);
    if (fault?.level === 'error') this.#report('error', path, fault.message);
    return fault?.level !== 'error';
  }
}
