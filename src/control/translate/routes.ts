/** MetaRouter -> RouteTable, one for each port of its host that a codec serves. */
import type { ProtocolManifest } from '../../metaprotocol/manifest.ts';
import { describe } from '../../schema/describe.ts';
import { findNamesakes, findUnreachableRoutes } from '../analyze/route-findings.ts';
import { parseDurationMs } from '../model/duration.ts';
import { headerFault } from '../model/http-text.ts';
import type { MetaRouterSpec, MetaRouteSpec, StringMatchSpec } from '../model/meta-router.ts';
import { compare, type FieldPath, type Finding, findingAt, type Resource } from '../model/resource.ts';
import { type AttributeFault, canonicalKey, immutableKey, mutationFault, unknownKey } from './attributes.ts';
import { findGateway, gatewayName, MESH } from './bindings.ts';
import { DestinationResolver, hostHint, type Report } from './destinations.ts';
import { hostMatches } from './hosts.ts';
import {
  type AttributeMatch,
  type CodecProtocol,
  codecsOf,
  type Gateway,
  type GatewayRoutes,
  isHttp,
  type Mutation,
  type Route,
  type RouteTable,
  type ServicePort,
} from './mesh.ts';
import type { MeshIndex } from './mesh-index.ts';
import type { Compiled } from './translation-round.ts';
import { DEFAULT_EXPORT } from './visibility.ts';

type MetaRouter = Resource<MetaRouterSpec>;
type AttributeMap = Readonly<Record<string, StringMatchSpec | null>>;

export interface CompiledRouter {
  readonly tables: readonly RouteTable[];
  readonly gatewayRoutes: readonly GatewayRoutes[];
}

export function compileRouter(
  resource: MetaRouter,
  index: MeshIndex,
  gateways: readonly Gateway[],
): Compiled<CompiledRouter> {
  const host = index.fullHost(resource.spec.hosts[0]!.toLowerCase(), resource.metadata.namespace);
  const ports = index.services(host).flatMap((service) => service.ports);
  const findings = new Map<string, Finding>();
  const report: Report = (level, path, message) => {
    const finding = findingAt(resource.document, level, ['spec', ...path], message);
    // Two ports of one service give the same finding once.
    findings.set(`${finding.path} ${finding.message}`, finding);
  };
  if (ports.length === 0)
    report(
      'warning',
      ['hosts', 0],
      `no service has the host ${host}: the router has no effect${hostHint(host, index)}`,
    );
  const tables: RouteTable[] = [];
  for (const [port, protocol] of ports.flatMap(spokenAt)) {
    const compiler = new RouteCompiler(port, protocol, resource.metadata.namespace, index, report);
    const routes = (resource.spec.routes ?? []).map((spec, at) => compiler.compile(spec, at));
    for (const { index: at, message } of [...findUnreachableRoutes(routes), ...findNamesakes(routes)])
      report('warning', ['routes', at], message);
    tables.push({
      source: resource.key,
      namespace: resource.metadata.namespace,
      exportTo: resource.spec.exportTo?.length ? resource.spec.exportTo : DEFAULT_EXPORT,
      host,
      port: port.number,
      codec: protocol.manifest.name,
      routes: routes.length > 0 ? routes : [defaultRoute(host, port.number)],
      filters: [],
      codecOptions: {},
    });
  }
  if (ports.length > 0 && tables.length === 0)
    report('warning', ['hosts', 0], `no port of ${host} is served by a codec: the router has no effect`);
  const gatewayRoutes = (resource.spec.gateways ?? []).flatMap((text, at) =>
    atGateway(gatewayName(text, resource.metadata.namespace), at, tables, gateways, report),
  );
  return { findings: [...findings.values()], make: () => ({ tables, gatewayRoutes }) };
}

/** Where a port may speak HTTP too, that is a VirtualService's. */
function spokenAt(port: ServicePort): (readonly [ServicePort, CodecProtocol])[] {
  const protocols = codecsOf(port.protocol).filter((one) => port.protocol.kind === 'codec' || !isHttp(one));
  return protocols.map((protocol) => [port, protocol]);
}

/** A Gateway's port of the same protocol serves the routes of the port that has its number, else of the host's only one. */
function atGateway(
  name: string,
  at: number,
  tables: readonly RouteTable[],
  gateways: readonly Gateway[],
  report: Report,
): GatewayRoutes[] {
  // Naming a Gateway does not take the routes from sidecars.
  if (name === MESH) return [];
  const gateway = findGateway(name, at, gateways, report);
  const found = (gateway?.servers ?? []).flatMap((server): GatewayRoutes[] => {
    const { protocol } = server;
    if (protocol.kind !== 'codec') return [];
    const spoken = tables.filter(({ codec }) => codec === protocol.manifest.name);
    const served = spoken.filter(({ host }) => server.hosts.some((each) => hostMatches(each.host, host)));
    const table = served.find(({ port }) => port === server.port) ?? (served.length === 1 ? served[0] : undefined);
    if (table === undefined) return [];
    const { source, namespace, exportTo } = table;
    return [
      { source, gateway: gateway!.source, server: server.index, namespace, exportTo, routes: { kind: 'table', table } },
    ];
  });
  if (gateway !== null && tables.length > 0 && found.length === 0)
    report(
      'warning',
      ['gateways', at],
      `no server of Gateway ${name} has the protocol and a host of this router: no effect at it`,
    );
  return found;
}

export function defaultRoute(host: string, port: number): Route {
  return {
    name: 'default',
    match: [],
    destinations: [{ host, port, subset: '', weight: 1 }],
    mirrors: [],
    timeoutMs: 0,
    requestMutation: { set: [], add: [], remove: [] },
    responseMutation: { set: [], add: [], remove: [] },
    filterOptions: {},
  };
}

class RouteCompiler {
  readonly #protocol: CodecProtocol;
  readonly #manifest: ProtocolManifest;
  readonly #destinations: DestinationResolver;
  readonly #report: Report;

  constructor(port: ServicePort, protocol: CodecProtocol, namespace: string, index: MeshIndex, report: Report) {
    this.#protocol = protocol;
    this.#manifest = protocol.manifest;
    this.#destinations = new DestinationResolver(port.number, protocol.manifest, namespace, index, report);
    this.#report = report;
  }

  compile(spec: MetaRouteSpec, index: number): Route {
    const path: FieldPath = ['routes', index];
    const parts = spec.route.length === 1 ? [{ ...spec.route[0]!, weight: 1 }] : spec.route;
    const destinations = parts.map((part, at) => ({
      ...this.#destinations.resolve(part.destination, [...path, 'route', at, 'destination']),
      weight: part.weight ?? 0,
    }));
    const mirrors = spec.mirror
      ? [
          {
            destination: this.#destinations.resolve(spec.mirror, [...path, 'mirror']),
            percent: spec.mirrorPercentage?.value ?? 100,
          },
        ]
      : [];
    return {
      name: spec.name || `route-${index}`,
      match: this.#match(spec, path),
      destinations: destinations.filter((destination) => destination.weight > 0),
      mirrors,
      timeoutMs: spec.timeout ? parseDurationMs(spec.timeout)! : 0,
      requestMutation: this.#mutation(spec, 'request', path),
      responseMutation: this.#mutation(spec, 'response', path),
      filterOptions: {},
    };
  }

  #match(spec: MetaRouteSpec, path: FieldPath): AttributeMatch[] {
    const read = (attributes: AttributeMap | null | undefined, field: string, negated: boolean): AttributeMatch[] =>
      Object.entries(attributes ?? {}).map(([key, match]) => {
        this.#reportFault(unknownKey(this.#manifest, key), [...path, 'match', field, key]);
        return { key: canonicalKey(this.#manifest, key), test: toTest(match), negated };
      });
    const matches = [
      ...read(spec.match?.attributes, 'attributes', false),
      ...read(spec.match?.withoutAttributes, 'withoutAttributes', true),
    ];
    // The order of a mapping's keys means nothing, so it must not change what goes on the wire.
    return matches.sort((a, b) => compare(a.key, b.key) || Number(a.negated) - Number(b.negated));
  }

  #mutation(spec: MetaRouteSpec, direction: 'request' | 'response', path: FieldPath): Mutation {
    const listed = direction === 'request' ? spec.requestMutation : spec.responseMutation;
    const operations = spec.headers?.[direction];
    const listPath = [...path, `${direction}Mutation`];
    const headerPath = [...path, 'headers', direction];
    const key = (name: string, value: string | null, at: FieldPath): string => {
      this.#reportFault(immutableKey(this.#manifest, name), at);
      const expected = isHttp(this.#protocol) ? headerFault(name, value) : null;
      if (expected !== null) {
        const actual = value === null ? describe(name) : `${describe(value)} for ${describe(name)}`;
        this.#report('error', at, `actual ${actual}, expected ${expected}`);
      }
      return canonicalKey(this.#manifest, name);
    };
    const set = new Map<string, string>();
    const setOnce = (name: string, value: string, at: FieldPath): void => {
      const wanted = key(name, value, at);
      if (set.has(wanted))
        this.#report('warning', at, `${wanted} is set before to ${describe(set.get(wanted))}: this one is used`);
      set.set(wanted, value);
    };
    (listed ?? []).forEach((item, index) => {
      setOnce(item.key, item.value, [...listPath, index, 'key']);
    });
    for (const [name, value] of Object.entries(operations?.set ?? {}))
      setOnce(name, value, [...headerPath, 'set', name]);
    const add = Object.entries(operations?.add ?? {}).map(
      ([name, value]) => [key(name, value, [...headerPath, 'add', name]), value] as const,
    );
    const remove = (operations?.remove ?? []).map((name, index) => key(name, null, [...headerPath, 'remove', index]));
    if (set.size + add.length + remove.length > 0) {
      this.#reportFault(
        mutationFault(this.#manifest, this.#protocol.options, direction),
        listed?.length ? listPath : headerPath,
      );
    }
    return { set: [...set], add, remove };
  }

  #reportFault(fault: AttributeFault | null, path: FieldPath): void {
    if (fault !== null) this.#report(fault.level, path, fault.message);
  }
}

function toTest(match: StringMatchSpec | null): AttributeMatch['test'] {
  if (match?.prefix) return { kind: 'prefix', value: match.prefix, ignoreCase: false };
  if (match?.regex && match.regex !== '*') return { kind: 'regex', value: match.regex };
  if (match?.exact) return { kind: 'exact', value: match.exact, ignoreCase: false };
  return { kind: 'present' };
}
