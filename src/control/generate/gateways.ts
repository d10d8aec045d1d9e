/** Gateways -> the listeners, routes and Secrets of one router. What one socket cannot tell apart, the first Gateway has. */
import type { XdsResource } from '../../xds/resource.ts';
import { compare } from '../model/resource.ts';
import { isNested, sharedSubject } from '../translate/gateway-conflicts.ts';
import {
  type CodecProtocol,
  type ConnectionRoute,
  type Gateway,
  type GatewayRoutes,
  type GatewayServer,
  isHttp,
  type Route,
  type Service,
} from '../translate/mesh.ts';
import { defaultRoute } from '../translate/routes.ts';
import { endpointPort } from '../translate/services.ts';
import { isForCaller, isVisible, labelsMatch } from '../translate/visibility.ts';
import type { Bind } from './bind.ts';
import type { ChainSpec } from './listener-spec.ts';
import { listenerResource } from './listeners.ts';
import { domainsOf } from './names.ts';
import type { ProxySite } from './proxy-site.ts';
import { type PlacedRoute, routeResources, toWeightedClusters, type Upstreams, type VirtualHost } from './routes.ts';
import type { ServiceClusters } from './service-clusters.ts';
import { secretResource } from './transport-sockets.ts';

/** A server that has its socket, with the routes that this proxy's namespace sees. */
interface Member {
  readonly gateway: Gateway;
  readonly server: GatewayServer;
  readonly routes: readonly GatewayRoutes[];
}

interface Chain {
  readonly spec: ChainSpec;
  readonly sources: readonly string[];
}

const ANY_ADDRESS = '0.0.0.0';

export function generateGateways(site: ProxySite, clusters: ServiceClusters): void {
  const gateways = site.mesh.gateways.filter((gateway) => labelsMatch(gateway.selector, site.labels));
  const members = claimSockets(site, gateways);
  for (const sharing of Map.groupBy(members, ({ server }) => `${server.bind ?? ''} ${server.port}`).values())
    new GatewayPort(site, clusters, sharing).generate();
}

/** In order of precedence, without those whose callers look like another's. */
function claimSockets(site: ProxySite, gateways: readonly Gateway[]): Member[] {
  const visible = site.mesh.gatewayRoutes.filter((each) => isVisible(each, site.node.namespace));
  const given = Map.groupBy(visible, (each) => each.gateway);
  const services = site.ownServices();
  const members: Member[] = [];
  for (const gateway of gateways) {
    for (const server of gateway.servers.flatMap((each) => atListenPorts(each, services, site.node.ips))) {
      if (site.served(server.protocol, gateway.source) === null) continue;
      const rival = members.find((member) => isRival(member.server, server));
      if (rival !== undefined) {
        tellConflict(site, rival.gateway, gateway, sharedSubject(rival.server, server)!);
        continue;
      }
      const routes = (given.get(gateway.source) ?? []).filter((each) => each.server === server.index);
      members.push({ gateway, server, routes });
    }
  }
  return members;
}

/** As in Istio: where a service of the router (`services`) has the port, at that service's target port, else at the port itself. */
function atListenPorts(server: GatewayServer, services: readonly Service[], ips: readonly string[]): GatewayServer[] {
  const ports = services.flatMap((service) => {
    const port = service.ports.find(({ number }) => number === server.port);
    if (port === undefined) return [];
    const own = service.endpoints.filter(({ address }) => ips.includes(address));
    return own.length === 0 ? [port.targetPort] : own.map((endpoint) => endpointPort(endpoint, port));
  });
  return ports.length === 0 ? [server] : [...new Set(ports)].map((port) => ({ ...server, port }));
}

/** Names of one SNI are told apart one by one, later. */
function isRival(a: GatewayServer, b: GatewayServer): boolean {
  return sharedSubject(a, b) !== null && (a.bind !== b.bind || a.tls === null || b.tls === null);
}

/** Where every router that one selects is selected by the other, both resources say it already. */
function tellConflict(site: ProxySite, winner: Gateway, loser: Gateway, subject: string): void {
  if (isNested(winner, loser)) return;
  site.note(loser.source, `${subject} belongs to ${winner.source}, which comes first`);
  site.note(winner.source, `${loser.source} wants ${subject} too; this one comes first and has it`);
}

/** The servers of one socket. */
class GatewayPort {
  readonly #site: ProxySite;
  readonly #clusters: ServiceClusters;
  readonly #members: readonly Member[];
  readonly #bind: Bind;
  /** SNI -> who has it; '' stands for every other one. */
  readonly #names = new Map<string, Gateway>();
  readonly #statPrefix: string;

  constructor(site: ProxySite, clusters: ServiceClusters, members: readonly Member[]) {
    this.#site = site;
    this.#clusters = clusters;
    this.#members = members;
    const { server } = members[0]!;
    const address = server.bind ?? (site.node.bind === 'loopback' ? '127.0.0.1' : ANY_ADDRESS);
    this.#bind = { address, port: server.port };
    this.#statPrefix = `${address}_${server.port}`;
  }

  generate(): void {
    const plain = this.#members.filter(({ server }) => server.tls === null);
    const encrypted = this.#members.filter(({ server }) => server.tls !== null);
    const mixed = plain.length > 0 && encrypted.length > 0;
    const chains: Chain[] = encrypted
      .flatMap((member) => (member.server.tls === 'passthrough' ? this.#passed(member) : this.#ended(member)))
      .map(({ spec, sources }) => ({ spec: mixed ? { ...spec, transport: 'tls' } : spec, sources }));
    for (const { spec, sources } of plain.length === 0 ? [] : this.#plain(plain))
      chains.push({ spec: mixed ? { ...spec, transport: 'raw_buffer' } : spec, sources });
    if (chains.length === 0) return;
    const name = this.#statPrefix;
    const { accessLogFile } = this.#site;
    this.#site.add(
      listenerResource({
        name,
        direction: 'OUTBOUND',
        bind: this.#bind,
        serviceAddress: this.#bind,
        chains: chains.map(({ spec }) => spec),
        accessLogFile,
      }),
      [...new Set(chains.flatMap(({ sources }) => sources))],
    );
    for (const { server } of this.#members) this.#tellAddress(server, name);
  }

  /** In plaintext: any number of servers of HTTP, or one of something else. */
  #plain(members: readonly Member[]): Chain[] {
    const { server } = members[0]!;
    if (server.protocol.kind === 'tcp') return this.#connections(members[0]!, 'tcp');
    const own = server.bind === null ? '' : `.${server.bind}`;
    const routes = `${isHttp(server.protocol) ? 'http' : server.protocol.name}.${server.port}${own}`;
    return this.#codec(members, server.protocol, routes);
  }

  /** TLS ends here. */
  #ended(member: Member): Chain[] {
    const { gateway, server } = member;
    if (server.tls === null || server.tls === 'passthrough' || !this.#haveCredentials(member)) return [];
    const serverNames = this.#claimNames(
      gateway,
      server.hosts.map(({ host }) => (host === '*' ? '' : host)),
    );
    if (serverNames === null) return [];
    const { protocol, tls } = server;
    const scheme = protocol.kind === 'codec' && !isHttp(protocol) ? protocol.name : 'https';
    const routes = `${scheme}.${server.port}.${server.portName}.${gateway.name.split('/').reverse().join('.')}`;
    const chains =
      protocol.kind === 'tcp' ? this.#connections(member, routes) : this.#codec([member], protocol, routes);
    return chains.map(({ spec, sources }) => ({ spec: { ...spec, serverNames, tls }, sources }));
  }

  /** TLS ends at the server behind: a chain for each route. */
  #passed({ gateway, server, routes }: Member): Chain[] {
    const chains = routes.flatMap(({ source, routes: content }) => {
      if (content.kind !== 'connections') return [];
      return content.routes.flatMap((route, at): Chain[] => {
        if (!isForCaller(route, this.#site.node)) return [];
        const serverNames = this.#claimNames(gateway, route.sniHosts.length === 0 ? [''] : route.sniHosts);
        if (serverNames === null) return [];
        this.#clusters.checkPassedTls(route.destinations, source);
        const chain = this.#connectionChain(`${server.portName}.${source}.${at}`, route, [gateway.source, source]);
        return [{ ...chain, spec: { ...chain.spec, serverNames } }];
      });
    });
    if (chains.length === 0) this.#tellUnrouted(gateway, server, 'VirtualService has a tls route');
    return chains;
  }

  #connections({ gateway, server, routes }: Member, name: string): Chain[] {
    for (const { source, routes: content } of routes) {
      const [route] =
        content.kind === 'connections' ? content.routes.filter((each) => isForCaller(each, this.#site.node)) : [];
      if (route !== undefined) return [this.#connectionChain(name, route, [gateway.source, source])];
    }
    this.#tellUnrouted(gateway, server, 'VirtualService has a tcp route');
    return [];
  }

  /** `sources`: the resource whose route it is comes last. */
  #connectionChain(name: string, route: ConnectionRoute, sources: readonly string[]): Chain {
    const clusters = toWeightedClusters(route.destinations, this.#clusters.upstreamsOf(null, sources.at(-1)!));
    return { spec: { name, statPrefix: this.#statPrefix, serves: { kind: 'connections', clusters } }, sources };
  }

  #codec(members: readonly Member[], protocol: CodecProtocol, name: string): Chain[] {
    const gateways = members.map(({ gateway }) => gateway.source);
    const found = members.flatMap(({ routes }) => routes);
    const sources = [...new Set([...gateways, ...found.map(({ source }) => source)])];
    const { manifest } = protocol;
    const serves = { kind: 'codec', protocol, routeConfigName: name, isEdge: true } as const;
    const spec = { name, statPrefix: this.#statPrefix };
    if (isHttp(protocol)) {
      this.#addAll(routeResources(name, this.#virtualHosts(members, protocol), manifest), sources);
      return [{ spec: { ...spec, serves: { ...serves, filters: [], codecOptions: {} } }, sources: gateways }];
    }
    for (const { source, routes: content } of found) {
      if (content.kind !== 'table') continue;
      const { routes, filters, codecOptions } = content.table;
      const upstreams = this.#clusters.upstreamsOf(protocol, source);
      const placed = routes.map((route) => ({ route, upstreams }));
      this.#addAll(routeResources(name, [{ name: '*', domains: ['*'], routes: placed }], manifest), sources);
      return [{ spec: { ...spec, serves: { ...serves, filters, codecOptions } }, sources }];
    }
    this.#tellUnrouted(members[0]!.gateway, members[0]!.server, 'MetaRouter has routes');
    return [];
  }

  #addAll(resources: readonly XdsResource[], sources: readonly string[]): void {
    for (const resource of resources) this.#site.add(resource, sources);
  }

  /** The routes of all VirtualServices of one host, those for everything last. */
  #virtualHosts(members: readonly Member[], protocol: CodecProtocol): VirtualHost[] {
    const { port } = this.#bind;
    const hosts = new Map<string, PlacedRoute[]>();
    const redirected = new Set<string>();
    for (const { server, routes } of members) {
      const named = server.hosts.map(({ host }) => host);
      for (const { source, routes: content } of routes) {
        if (content.kind !== 'http') continue;
        if (server.httpsRedirect) named.push(...content.hosts);
        const upstreams = this.#clusters.upstreamsOf(protocol, source);
        const own = content.routes.filter((route) => isForCaller(route, this.#site.node));
        const placed = own.map((route) => ({ route, upstreams }));
        for (const host of content.hosts) {
          hosts.set(host, [...(hosts.get(host) ?? []), ...placed]);
        }
      }
      if (!server.httpsRedirect) continue;
      for (const host of named) {
        redirected.add(host);
        if (!hosts.has(host)) hosts.set(host, []);
      }
    }
    if (hosts.size === 0) return [{ name: `blackhole:${port}`, domains: ['*'], routes: [] }];
    return [...hosts]
      .sort(([a], [b]) => compare(a, b))
      .map(([host, routes]) => ({
        name: `${host}:${port}`,
        domains: domainsOf(host),
        routes: redirected.has(host) ? [{ route: TO_HTTPS, upstreams: NOWHERE }] : catchAllsLast(routes),
      }));
  }

  /** null: all are taken. */
  #claimNames(gateway: Gateway, names: readonly string[]): string[] | null {
    const free = names.filter((name) => {
      const owner = this.#names.get(name);
      if (owner === undefined) this.#names.set(name, gateway);
      else if (owner !== gateway)
        tellConflict(this.#site, owner, gateway, `port ${this.#bind.port} with the SNI ${name || '*'}`);
      return owner === undefined;
    });
    if (free.length === 0) return null;
    return free.includes('') ? [] : free;
  }

  /** A chain whose certificate never comes would hold its listener back. */
  #haveCredentials({ gateway, server }: Member): boolean {
    const { namespace } = this.#site.node;
    const { credentials } = server.tls as Exclude<GatewayServer['tls'], null | 'passthrough'>;
    return credentials.every((name) => {
      const credential = this.#site.mesh.credentials.find(namespace, name);
      const secret = credential && secretResource(name, credential);
      if (secret) this.#site.add(secret, [gateway.source, credential.source]);
      else
        this.#site.note(
          gateway.source,
          `${this.#site.mesh.credentials.lackOf(namespace, name, 'a certificate and its key')}: the router, which is in this namespace, does not serve ${hostsText(server)} on port ${server.port}`,
        );
      return Boolean(secret);
    });
  }

  #tellUnrouted(gateway: Gateway, server: GatewayServer, wanted: string): void {
    this.#site.note(gateway.source, `no ${wanted} for port ${server.port} and ${hostsText(server)}: it is not served`);
  }

  #tellAddress(server: GatewayServer, listener: string): void {
    const { protocol, tls } = server;
    const inner = protocol.kind === 'tcp' ? 'tcp' : protocol.name;
    this.#site.address({
      direction: 'gateway',
      host: hostsText(server),
      port: server.port,
      protocol: tls === null ? inner : tls === 'passthrough' ? 'TLS, passed through' : `${inner} over TLS`,
      bind: this.#bind,
      listener,
    });
  }
}

function hostsText({ hosts }: GatewayServer): string {
  return hosts.map(({ host }) => host).join(', ');
}

/** As in Istio: the first route for everything is the last of all. */
function catchAllsLast(routes: readonly PlacedRoute[]): PlacedRoute[] {
  const conditional = routes.filter(({ route }) => route.match.length > 0);
  const rest = routes.find(({ route }) => route.match.length === 0);
  return rest === undefined ? conditional : [...conditional, rest];
}

const NOWHERE: Upstreams = { clusterOf: () => null, hashKeyOf: () => null };

const TO_HTTPS: Route = Object.freeze({
  ...defaultRoute('', 0),
  name: 'https-redirect',
  destinations: [],
  filterOptions: { http: { redirect: { status: 301, scheme: 'https' } } },
});
