/** The `http` routes of a VirtualService, for one port that takes them. Semantics: Istio's. */
import type { ProtocolManifest } from '../../metaprotocol/manifest.ts';
import { parseDurationMs } from '../model/duration.ts';
import { isAuthorityKey } from '../model/http-text.ts';
import type { FieldPath } from '../model/resource.ts';
import type { HeaderOperationsSpec, HttpRouteSpec } from '../model/virtual-service.ts';
import { immutableKey } from './attributes.ts';
import { type Binding, callersOf } from './bindings.ts';
import type { DestinationResolver, Report } from './destinations.ts';
import { HTTP_FILTER, httpActions, routeAuthority } from './http-actions.ts';
import { vainConditions } from './http-match-checks.ts';
import { httpMatches } from './http-matches.ts';
import type { Mirror, Mutation, Route, WeightedDestination } from './mesh.ts';

/** RFC 9110 §6.4.1. */
const BODILESS = new Set([204, 304]);
/** A command operator of Envoy's. */
const OPERATOR = /(?<!%)%[A-Z_]+(\([^)]*\))?(:\d+)?%/;

type HeadersSpec = HttpRouteSpec['headers'];
type Direction = 'request' | 'response';

export interface CompiledHttpRoute {
  readonly route: Route;
  readonly path: FieldPath;
}

export class HttpRouteCompiler {
  readonly #binding: Binding;
  readonly #manifest: ProtocolManifest;
  readonly #destinations: DestinationResolver;
  readonly #report: Report;

  /** `binding`: where the routes are asked for. */
  constructor(binding: Binding, manifest: ProtocolManifest, destinations: DestinationResolver, report: Report) {
    this.#binding = binding;
    this.#manifest = manifest;
    this.#destinations = destinations;
    this.#report = report;
  }

  /** One route for each match block that applies here. */
  compile(spec: HttpRouteSpec, at: number): CompiledHttpRoute[] {
    const path: FieldPath = ['http', at];
    const blocks = spec.match?.length ? spec.match : [null];
    const used = [...blocks.entries()].filter(([, match]) => match === null || this.#binding.applies(match));
    if (used.length === 0) return [];
    for (const [index, match] of used) {
      for (const vain of match === null ? [] : vainConditions(match))
        this.#report('warning', [...path, 'match', index, ...vain.path], vain.message);
    }
    const { status = 0, body } = spec.directResponse ?? {};
    if (BODILESS.has(status) && (body?.string || body?.bytes))
      this.#report('warning', [...path, 'directResponse', 'body'], `is not sent: answers with ${status} have no body`);
    const destinations = this.#targets(spec, path);
    const mirrors = this.#mirrors(spec, path);
    const requestMutation = this.#mutation(spec, 'request', path);
    const responseMutation = this.#mutation(spec, 'response', path);
    const timeoutMs = spec.timeout ? parseDurationMs(spec.timeout)! : 0;
    return used.map(([index, match]) => {
      const actions = httpActions(spec, match);
      const names = [spec.name ?? '', match?.name ?? ''].filter((name) => name !== '');
      const route: Route = {
        name: names.length > 0 ? names.join('.') : `http-${at}${blocks.length > 1 ? `-${index}` : ''}`,
        match: match === null ? [] : httpMatches(match, this.#binding.scheme),
        destinations,
        mirrors,
        timeoutMs,
        requestMutation,
        responseMutation,
        ...callersOf(match),
        filterOptions: actions === null ? {} : { [HTTP_FILTER]: actions },
      };
      return { route, path: match === null ? path : [...path, 'match', index] };
    });
  }

  #targets(spec: HttpRouteSpec, path: FieldPath): readonly WeightedDestination[] {
    const parts = spec.route ?? [];
    return parts
      .map((part, at): WeightedDestination => {
        const where = [...path, 'route', at];
        const resolved = this.#destinations.resolve(part.destination, [...where, 'destination']);
        if (parts.length === 1) return { ...resolved, weight: 1 };
        const weighted = { ...resolved, weight: part.weight ?? 0 };
        return part.headers
          ? { ...weighted, ...this.#ofDestination(spec, part.headers, [...where, 'headers']) }
          : weighted;
      })
      .filter(({ weight }) => weight > 0);
  }

  /** Of one of several destinations: before the route's own operations, which win. */
  #ofDestination(
    spec: HttpRouteSpec,
    headers: NonNullable<HeadersSpec>,
    path: FieldPath,
  ): Pick<WeightedDestination, 'requestMutation' | 'responseMutation' | 'authority'> {
    const read = (direction: Direction): Mutation => {
      const own = new Operations();
      this.#read(own, headers[direction], direction, [...path, direction]);
      return own.mutation();
    };
    const mutations = { requestMutation: read('request'), responseMutation: read('response') };
    const authority = routeAuthority(headers);
    const isOpen = !spec.rewrite?.authority && routeAuthority(spec.headers) === undefined;
    return authority !== undefined && isOpen ? { ...mutations, authority } : mutations;
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

  /** The only destination's operations come after the route's. `path`: null where its faults are told elsewhere. */
  #mutation(spec: HttpRouteSpec, direction: Direction, path: FieldPath | null): Mutation {
    const operations = new Operations();
    this.#read(operations, spec.headers?.[direction], direction, path && [...path, 'headers', direction]);
    if (spec.route?.length === 1) {
      const at = path && [...path, 'route', 0, 'headers', direction];
      this.#read(operations, spec.route[0]!.headers?.[direction], direction, at);
    }
    return operations.mutation();
  }

  #read(
    into: Operations,
    operations: HeaderOperationsSpec | null | undefined,
    direction: Direction,
    path: FieldPath | null,
  ): void {
    const changes = (field: 'set' | 'add'): [string, string][] =>
      Object.entries(operations?.[field] ?? {}).flatMap(([key, value]): [string, string][] => {
        // The authority is the HTTP filter's.
        if (direction === 'request' && isAuthorityKey(key)) return [];
        const at = path && [...path, field, key];
        if (at !== null && OPERATOR.test(value))
          this.#report('warning', at, `${value} is sent as it stands: %…% operators are not built`);
        return this.#mayChange(key, at) ? [[key.toLowerCase(), value.replaceAll('%%', '%')]] : [];
      });
    for (const [key, value] of changes('set')) into.set.set(key, value);
    into.add.push(...changes('add'));
    operations?.remove?.forEach((key, index) => {
      if (this.#mayChange(key, path && [...path, 'remove', index])) into.remove.push(key.toLowerCase());
    });
  }

  #mayChange(key: string, path: FieldPath | null): boolean {
    if (key.startsWith(':') || isAuthorityKey(key)) {
      if (path !== null) this.#report('warning', path, `${key} cannot be changed here: no effect`);
      return false;
    }
    const fault = immutableKey(this.#manifest, key);
    if (fault?.level === 'error' && path !== null) this.#report('error', path, fault.message);
    return fault?.level !== 'error';
  }
}

class Operations {
  readonly set = new Map<string, string>();
  readonly add: [string, string][] = [];
  readonly remove: string[] = [];

  mutation(): Mutation {
    return { set: [...this.set], add: this.add, remove: this.remove };
  }
}
