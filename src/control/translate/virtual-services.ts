/** VirtualService -> the routes of its hosts' services at sidecars, and of the Gateways that it names. */
import { findUnreachableRoutes } from '../analyze/route-findings.ts';
import { type FieldPath, type Finding, findingAt, type Resource } from '../model/resource.ts';
import type { VirtualServiceSpec } from '../model/virtual-service.ts';
import { Binding, findGateway, gatewayName, MESH, type Scheme } from './bindings.ts';
import { ConnectionRouteCompiler } from './connection-routes.ts';
import { DestinationResolver, hostHint, type Report } from './destinations.ts';
import { hostMatches, intersectHosts } from './hosts.ts';
import { type CompiledHttpRoute, HttpRouteCompiler } from './http-routes.ts';
import {
  type CodecProtocol,
  type ConnectionRoute,
  type ConnectionTable,
  codecsOf,
  type Gateway,
  type GatewayRoutes,
  type GatewayServer,
  isEncrypted,
  isHttp,
  type Route,
  type RouteTable,
  type ServicePort,
} from './mesh.ts';
import type { MeshIndex } from './mesh-index.ts';
import type { Compiled } from './translation-round.ts';
import { DEFAULT_EXPORT } from './visibility.ts';

type VirtualService = Resource<VirtualServiceSpec>;

/** A host that is named as it is. */
export const EXACT = Number.MAX_SAFE_INTEGER;

/** A table, and how exactly its VirtualService names the host: of two, the more exact one is used. */
export interface Ranked<T> {
  readonly table: T;
  /** Length of the pattern; an exact host counts as longest. */
  readonly exactness: number;
}

export interface CompiledVirtualService {
  readonly http: readonly Ranked<RouteTable>[];
  readonly connections: readonly Ranked<ConnectionTable>[];
  readonly gatewayRoutes: readonly GatewayRoutes[];
}

export function compileVirtualService(
  resource: VirtualService,
  index: MeshIndex,
  gateways: readonly Gateway[],
): Compiled<CompiledVirtualService> {
  const compiler = new VirtualServiceCompiler(resource, index);
  const { spec, metadata } = resource;
  const names = (spec.gateways?.length ? spec.gateways : [MESH]).map((name) => gatewayName(name, metadata.namespace));
  compiler.checkMatches(names);
  const gatewayRoutes = names.flatMap((name, at) => (name === MESH ? [] : compiler.atGateway(name, at, gateways)));
  const made = names.includes(MESH) ? compiler.atSidecars() : { http: [], connections: [] };
  return { findings: compiler.findings(), make: () => ({ ...made, gatewayRoutes }) };
}

class VirtualServiceCompiler {
  readonly #resource: VirtualService;
  readonly #index: MeshIndex;
  readonly #found = new Map<string, Finding>();

  constructor(resource: VirtualService, index: MeshIndex) {
    this.#resource = resource;
    this.#index = index;
  }

  findings(): Finding[] {
    return [...this.#found.values()];
  }

  /** A block for a Gateway that the resource does not name is for nobody. */
  checkMatches(bound: readonly string[]): void {
    const { spec, metadata } = this.#resource;
    for (const kind of ['http', 'tls', 'tcp'] as const) {
      spec[kind]?.forEach((route, at) => {
        route.match?.forEach((match, index) => {
          match.gateways?.forEach((name, place) => {
            if (bound.includes(gatewayName(name, metadata.namespace))) return;
            const message = `no effect: the gateways of this VirtualService are ${bound.join(', ')}`;
            this.#report('warning', [kind, at, 'match', index, 'gateways', place], message);
          });
        });
      });
    }
  }

  atSidecars(): Omit<CompiledVirtualService, 'gatewayRoutes'> {
    const { spec } = this.#resource;
    const http: Ranked<RouteTable>[] = [];
    const connections: Ranked<ConnectionTable>[] = [];
    spec.hosts.forEach((pattern, at) => {
      const lower = pattern.toLowerCase();
      const exactness = lower.startsWith('*') ? lower.length : EXACT;
      const hosts = this.#servicesOf(lower);
      let used = 0;
      for (const host of hosts) {
        for (const port of this.#index.services(host).flatMap((service) => service.ports)) {
          const table = this.#httpTable(host, port);
          if (table !== null) used = http.push({ table, exactness });
          const opaque = this.#connectionTable(host, port);
          if (opaque !== null) used = connections.push({ table: opaque, exactness });
        }
      }
      if (hosts.length === 0)
        this.#report(
          'warning',
          ['hosts', at],
          `no service has the host ${pattern}: no effect on it${hostHint(lower, this.#index)}`,
        );
      else if (used === 0 && spec.http?.length)
        this.#report('warning', ['hosts', at], `no port of ${pattern} is served as HTTP: no effect on it`);
      else if (used === 0)
        this.#report('warning', ['hosts', at], `no port of ${pattern} takes these routes: no effect on it`);
    });
    return { http, connections };
  }

  /** `name`: `namespace/name`, which is item `at` of the list of gateways. */
  atGateway(name: string, at: number, gateways: readonly Gateway[]): GatewayRoutes[] {
    const gateway = findGateway(name, at, gateways, this.#report);
    if (gateway === null) return [];
    const { spec, metadata } = this.#resource;
    const found: GatewayRoutes[] = [];
    let meets = false;
    for (const server of gateway.servers) {
      const hosts = this.#hostsAt(server);
      meets ||= hosts.length > 0;
      const routes = hosts.length === 0 ? null : this.#routesAt(server, name, hosts);
      if (routes === null) continue;
      const exportTo = spec.exportTo?.length ? spec.exportTo : DEFAULT_EXPORT;
      const { namespace } = metadata;
      found.push({
        source: this.#resource.key,
        gateway: gateway.source,
        server: server.index,
        namespace,
        exportTo,
        routes,
      });
    }
    if (gateway.servers.length > 0 && !meets) {
      const served = gateway.servers.flatMap((server) =>
        server.hosts.map(({ namespace, host }) => `${namespace}/${host}`),
      );
      const message = `no host of Gateway ${name} takes in a host of this VirtualService: no effect at it; it has ${served.join(', ')}`;
      this.#report('warning', ['gateways', at], message);
    } else if (gateway.servers.length > 0 && found.length === 0) {
      const kinds = [...new Set(gateway.servers.map(wantedRoutes))].join(', ');
      this.#report(
        'warning',
        ['gateways', at],
        `the servers of Gateway ${name} for these hosts take ${kinds}: no effect at it`,
      );
    }
    return found;
  }

  #routesAt(server: GatewayServer, gateway: string, hosts: readonly string[]): GatewayRoutes['routes'] | null {
    const { spec } = this.#resource;
    const wanted = wantedRoutes(server);
    if (wanted === 'http routes') {
      if (!spec.http?.length) return null;
      const scheme = server.tls === null ? 'http' : 'https';
      const binding = this.#binding(gateway, server.port, scheme);
      const compiled = this.#http(binding, server.port, server.protocol as CodecProtocol);
      const end = compiled.findIndex(({ route }) => isForEverything(route));
      // As in Istio: what stands behind a route for everything is not there, though the routes of others come in between.
      const routes = compiled.slice(0, end < 0 ? compiled.length : end + 1).map(({ route }) => route);
      return { kind: 'http', hosts, routes };
    }
    const compiler = this.#connectionCompiler(gateway, server.port);
    const routes =
      wanted === 'tls routes'
        ? compiler.tls(spec.tls, this.#hosts()).flatMap((route) => within(route, hosts))
        : wanted === 'tcp routes'
          ? compiler.tcp(spec.tcp)
          : [];
    return routes.length === 0 ? null : { kind: 'connections', routes };
  }

  #httpTable(host: string, port: ServicePort): RouteTable | null {
    const { spec, metadata, key } = this.#resource;
    const protocol = codecsOf(port.protocol).find(isHttp);
    if (!spec.http?.length || protocol === undefined) return null;
    return {
      source: key,
      namespace: metadata.namespace,
      exportTo: spec.exportTo?.length ? spec.exportTo : DEFAULT_EXPORT,
      host,
      port: port.number,
      codec: protocol.manifest.name,
      routes: this.#http(this.#binding(MESH, port.number), port.number, protocol).map(({ route }) => route),
      filters: [],
      codecOptions: {},
    };
  }

  #connectionTable(host: string, port: ServicePort): ConnectionTable | null {
    const { spec, metadata, key } = this.#resource;
    const { protocol } = port;
    // What is not detected passes as it is, too.
    if (protocol.kind !== 'tcp' && protocol.kind !== 'detected') return null;
    const compiler = this.#connectionCompiler(MESH, port.number);
    const byName: ConnectionRoute[] = [];
    if (protocol.kind === 'detected' || isEncrypted(protocol)) byName.push(...compiler.tls(spec.tls, this.#hosts()));
    const routes = [...byName, ...compiler.tcp(spec.tcp)];
    if (routes.length === 0) return null;
    const exportTo = spec.exportTo?.length ? spec.exportTo : DEFAULT_EXPORT;
    return { source: key, namespace: metadata.namespace, exportTo, host, port: port.number, routes };
  }

  #http(binding: Binding, port: number, protocol: CodecProtocol): CompiledHttpRoute[] {
    const { manifest } = protocol;
    const compiler = new HttpRouteCompiler(binding, manifest, this.#resolver(port, manifest), this.#report);
    const compiled = (this.#resource.spec.http ?? []).flatMap((route, at) => compiler.compile(route, at));
    const routes: readonly Route[] = compiled.map(({ route }) => route);
    for (const { index: at, message } of findUnreachableRoutes(routes))
      this.#report('warning', compiled[at]!.path, message);
    return compiled;
  }

  #connectionCompiler(gateway: string, port: number): ConnectionRouteCompiler {
    return new ConnectionRouteCompiler(this.#binding(gateway, port), this.#resolver(port, null), this.#report);
  }

  #binding(gateway: string, port: number, scheme: Scheme | null = null): Binding {
    return new Binding(gateway, port, this.#resource.metadata.namespace, scheme);
  }

  #resolver(port: number, manifest: CodecProtocol['manifest'] | null): DestinationResolver {
    return new DestinationResolver(port, manifest, this.#resource.metadata.namespace, this.#index, this.#report);
  }

  /** The hosts that both name; a Gateway may limit the namespaces. */
  #hostsAt(server: GatewayServer): string[] {
    const { namespace } = this.#resource.metadata;
    const served = server.hosts.filter((each) => each.namespace === '*' || each.namespace === namespace);
    const met = this.#hosts().flatMap((own) => served.flatMap(({ host }) => intersectHosts(own, host) ?? []));
    return [...new Set(met)];
  }

  #hosts(): string[] {
    const { spec, metadata } = this.#resource;
    return spec.hosts.map((host) => this.#index.fullHost(host.toLowerCase(), metadata.namespace));
  }

  #servicesOf(pattern: string): string[] {
    if (pattern.startsWith('*')) return this.#index.hosts().filter((host) => hostMatches(pattern, host));
    const host = this.#index.fullHost(pattern, this.#resource.metadata.namespace);
    return this.#index.services(host).length > 0 ? [host] : [];
  }

  readonly #report: Report = (level, path: FieldPath, message) => {
    const finding = findingAt(this.#resource.document, level, ['spec', ...path], message);
    // Two ports of one service give the same finding once.
    this.#found.set(`${finding.path} ${finding.message}`, finding);
  };
}

function wantedRoutes({ tls, protocol }: GatewayServer): string {
  if (tls === 'passthrough') return 'tls routes';
  if (protocol.kind === 'tcp') return 'tcp routes';
  return isHttp(protocol) ? 'http routes' : `MetaRouters of ${protocol.name}`;
}

/** Of every caller, too. */
function isForEverything({ match, callers }: Route): boolean {
  return match.length === 0 && callers === undefined;
}

/** The part of a route that is for these hosts. */
function within(route: ConnectionRoute, hosts: readonly string[]): ConnectionRoute[] {
  const names = route.sniHosts.length === 0 ? ['*'] : route.sniHosts;
  const met = [...new Set(names.flatMap((sni) => hosts.flatMap((host) => intersectHosts(sni, host) ?? [])))];
  return met.length === 0 ? [] : [{ ...route, sniHosts: met.includes('*') ? [] : met }];
}
