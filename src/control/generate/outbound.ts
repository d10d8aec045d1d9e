/** Services -> the listeners and routes by which one sidecar's workloads call them. */
import { isDeepStrictEqual } from 'node:util';
import { TypeUrl } from '../../xds/type-urls.ts';
import {
  type CodecProtocol,
  type ConnectionRoute,
  codecsOf,
  isHttp,
  type RouteTable,
  sharedBy,
} from '../translate/mesh.ts';
import { defaultRoute } from '../translate/routes.ts';
import { connectionTableFor, isForCaller, tableFor } from '../translate/visibility.ts';
import { type Bind, chooseBind, LocalAddresses, serviceAddresses } from './bind.ts';
import { resourceId } from './generated.ts';
import type { ChainSpec, ListenerSpec } from './listener-spec.ts';
import { listenerResource } from './listeners.ts';
import { domainsOf, outboundCluster, protocolName, routeConfigName, shortNames } from './names.ts';
import type { ProxySite, ServedPort } from './proxy-site.ts';
import { routeResources, toWeightedClusters, type VirtualHost } from './routes.ts';
import type { ServiceClusters } from './service-clusters.ts';

/** A listener whose services are told apart by SNI. */
interface SniListener {
  readonly spec: ListenerSpec;
  readonly sources: Set<string>;
  /** SNI -> the resource that has it. */
  readonly names: Map<string, string>;
}

export class OutboundListeners {
  readonly #site: ProxySite;
  readonly #clusters: ServiceClusters;
  readonly #local: LocalAddresses;
  /** By name. */
  readonly #sniListeners = new Map<string, SniListener>();
  /** By the name of its routes: the services behind each HTTP listener, the one that has the socket first. */
  readonly #sharing = new Map<string, ServedPort<CodecProtocol>[]>();

  /** `clusters`: has those of all services by now. */
  constructor(site: ProxySite, clusters: ServiceClusters) {
    this.#site = site;
    this.#clusters = clusters;
    this.#local = new LocalAddresses(site.node);
  }

  generate(ports: readonly ServedPort[]): void {
    for (const served of ports) this.#listenFor(served);
    for (const [routes, members] of this.#sharing) this.#routes(routes, members);
  }

  #listenFor(served: ServedPort): void {
    let listens = false;
    for (const address of serviceAddresses(served.service)) listens = this.#listen(served, address) || listens;
    for (const codec of listens ? codecsOf(served.protocol) : []) {
      const routes = routesNameOf(served, codec);
      this.#sharing.set(routes, [{ ...served, protocol: codec }, ...(this.#sharing.get(routes) ?? [])]);
    }
  }

  /** At one of the service's addresses; null: it has none. */
  #listen(served: ServedPort, address: string | null): boolean {
    const { service, port, protocol } = served;
    const bind = chooseBind(service, address, port.number, this.#local, this.#site.binds);
    const name = `${address ?? service.host}_${port.number}`;
    if (bind === null)
      this.#site.note(
        service.source,
        `no loopback address or port is left for ${address ?? service.host} port ${port.number}: no listener`,
      );
    if (bind === null || this.#joins(bind, served, address)) return false;
    const by = sharedBy(protocol);
    const shared = by === null ? null : { listener: name, routes: routeConfigName(service.host, port.number), by };
    if (!this.#site.claim(bind, { source: service.source, address, shared })) return false;
    const serviceAddress = address === null ? bind : { address, port: port.number };
    const sources = new Set([service.source]);
    const { accessLogFile } = this.#site;
    const chains = this.#chains(served, sources);
    const spec = { name, direction: 'OUTBOUND', bind, serviceAddress, accessLogFile, ...chains } as const;
    this.#site.add(listenerResource(spec), [...sources]);
    if (by === 'sni') {
      const own = [service.host, ...spec.chains.flatMap(({ serverNames }) => serverNames ?? [])];
      this.#sniListeners.set(name, { spec, sources, names: new Map(own.map((sni) => [sni, service.source])) });
    }
    this.#tellAddress(served, bind, name);
    return true;
  }

  /** `sources`: are added those that shape them. */
  #chains(served: ServedPort, sources: Set<string>): Pick<ListenerSpec, 'chains' | 'fallback' | 'detects'> {
    const { protocol } = served;
    if (protocol.kind === 'codec') return { chains: [this.#codecChain(served, protocol, sources)] };
    const opaque = this.#connectionChains(served, sources);
    if (protocol.kind === 'tcp') return { chains: opaque };
    const chains = protocol.protocols.map((codec): ChainSpec => {
      const chain = this.#codecChain(served, codec, sources);
      // TLS may offer the same names of protocols: its bytes are another's.
      return { ...chain, transport: 'raw_buffer', detected: codec };
    });
    const last = opaque.pop()!;
    const fallback = { ...last, name: `${last.name}.opaque` };
    return { chains: [...chains, ...opaque], fallback, detects: protocol.protocols };
  }

  #codecChain(served: ServedPort, protocol: CodecProtocol, sources: Set<string>): ChainSpec {
    const name = routesNameOf(served, protocol);
    const statPrefix = statPrefixOf(served);
    const table = this.#tableFor({ ...served, protocol });
    const { filters, codecOptions } = table ?? { filters: [], codecOptions: {} };
    if (table !== null && (filters.length > 0 || Object.keys(codecOptions).length > 0)) sources.add(table.source);
    const serves = { kind: 'codec', protocol, routeConfigName: name, filters, codecOptions, isEdge: false } as const;
    return { name, statPrefix, serves };
  }

  /** The last one takes every connection. */
  #connectionChains(served: ServedPort, sources: Set<string>): ChainSpec[] {
    const { service, port } = served;
    const statPrefix = statPrefixOf(served);
    const name = routeConfigName(service.host, port.number);
    const table = connectionTableFor(this.#site.index, service.host, port.number, this.#site.node.namespace);
    const source = table?.source ?? service.source;
    sources.add(source);
    const routes: ConnectionRoute[] = [];
    // Nobody comes to what stands behind a route for every connection.
    for (const route of table?.routes ?? []) {
      if (routes.at(-1)?.sniHosts.length !== 0 && isForCaller(route, this.#site.node)) routes.push(route);
    }
    const isOpen = routes.every(({ sniHosts }) => sniHosts.length > 0);
    if (isOpen) routes.push({ sniHosts: [], destinations: defaultRoute(service.host, port.number).destinations });
    return routes.map(({ sniHosts, destinations }, at): ChainSpec => {
      if (sniHosts.length > 0) this.#clusters.checkPassedTls(destinations, source);
      const clusters = toWeightedClusters(destinations, this.#clusters.upstreamsOf(null, source));
      const ownName = at === routes.length - 1 ? name : `${name}.${at}`;
      return { name: ownName, serverNames: sniHosts, statPrefix, serves: { kind: 'connections', clusters } };
    });
  }

  /** Services with one address and port share its listener: those of HTTP as virtual hosts, those of TLS as chains for their names. */
  #joins(bind: Bind, served: ServedPort, address: string | null): boolean {
    const { service, port, protocol } = served;
    const owner = this.#site.ownerOf(bind);
    if (address === null || owner?.address !== address || owner.shared === null) return false;
    const { listener, routes, by } = owner.shared;
    if (sharedBy(protocol) !== by) return false;
    if (protocol.kind === 'codec')
      this.#sharing.set(routes, [...(this.#sharing.get(routes) ?? []), { service, port, protocol }]);
    else this.#addNames(listener, served);
    this.#site.produce(resourceId(TypeUrl.Listener, listener), [service.source]);
    this.#tellAddress(served, bind, listener);
    return true;
  }

  /** The chains of the first service stay: its last one takes the names that nobody has. */
  #addNames(listener: string, served: ServedPort): void {
    const { service } = served;
    const { spec, sources, names } = this.#sniListeners.get(listener)!;
    const chains = this.#connectionChains(served, sources).flatMap((chain): ChainSpec[] => {
      const wanted = chain.serverNames?.length ? chain.serverNames : [service.host];
      const free = wanted.filter((sni) => !names.has(sni));
      for (const sni of wanted) {
        if (names.has(sni))
          this.#site.note(service.source, `the SNI ${sni} at ${listener} belongs to ${names.get(sni)}`);
        else names.set(sni, service.source);
      }
      return free.length === 0 ? [] : [{ ...chain, serverNames: free }];
    });
    const grown = { ...spec, chains: [...chains, ...spec.chains] };
    this.#sniListeners.set(listener, { spec: grown, sources, names });
    this.#site.add(listenerResource(grown), [...sources]);
  }

  #routes(name: string, members: readonly ServedPort<CodecProtocol>[]): void {
    const [first, ...others] = members;
    for (const { service, port, protocol } of others) {
      if (isDeepStrictEqual(protocol.options, first!.protocol.options)) continue;
      this.#site.note(
        service.source,
        `${first!.service.host} has the listener of port ${port.number}: the options of its protocol ${first!.protocol.name} count for callers, not those of ${protocol.name}`,
      );
    }
    const sources: string[] = [];
    const taken = new Set<string>();
    // Every full name before any short one.
    for (const { service } of members) for (const domain of domainsOf(service.host)) taken.add(domain);
    const hosts = members.map((member): VirtualHost => {
      const { service, port, protocol } = member;
      const table = this.#tableFor(member);
      const routes = (table?.routes ?? [defaultRoute(service.host, port.number)]).filter((route) =>
        isForCaller(route, this.#site.node),
      );
      const source = table?.source ?? service.source;
      sources.push(source);
      const upstreams = this.#clusters.upstreamsOf(protocol, source);
      const placed = routes.map((route) => ({ route, upstreams }));
      // Alone behind its address, a service takes requests by whatever name they call it.
      if (members.length === 1) return { name: '*', domains: ['*'], routes: placed };
      const short = shortNames(service.host, this.#site.node.namespace).filter((domain) => !taken.has(domain));
      for (const domain of short) taken.add(domain);
      const domains = [...domainsOf(service.host), ...short];
      return { name: `${service.host}:${port.number}`, domains, routes: placed };
    });
    for (const resource of routeResources(name, hosts, members[0]!.protocol.manifest))
      this.#site.add(resource, sources);
  }

  #tableFor({ service, port, protocol }: ServedPort<CodecProtocol>): RouteTable | null {
    const { index, node } = this.#site;
    return tableFor(index, service.host, port.number, protocol.manifest.name, node.namespace);
  }

  #tellAddress({ service, port, protocol }: ServedPort, bind: Bind, listener: string): void {
    this.#site.address({
      direction: 'outbound',
      host: service.host,
      port: port.number,
      protocol: protocolName(protocol),
      bind,
      listener,
    });
  }
}

/** Of several protocols at one port each has routes of its own. */
function routesNameOf({ service, port, protocol }: ServedPort, codec: CodecProtocol): string {
  const name = routeConfigName(service.host, port.number);
  return protocol.kind === 'detected' && !isHttp(codec) ? `${name}.${codec.name}` : name;
}

function statPrefixOf({ service, port }: ServedPort): string {
  return outboundCluster(port.number, '', service.host);
}
