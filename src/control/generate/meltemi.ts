/** generateMeltemi: Mesh -> the complete xDS of one Meltemi proxy. */
import { isJsonObject } from '../../xds/json.ts';
import type { NodeInfo } from '../../xds/node.ts';
import type { XdsResource } from '../../xds/resource.ts';
import { TypeUrl } from '../../xds/type-urls.ts';
import { compare } from '../model/resource.ts';
import {
  type ClusterPolicy,
  type CodecProtocol,
  type ConnectionRoute,
  codecsOf,
  type Destination,
  type DestinationPolicy,
  type IngressPort,
  isHttp,
  type Mesh,
  type RouteTable,
  type Service,
  type ServicePort,
  type ServiceProtocol,
  type SidecarPolicy,
  type Subset,
  sharedBy,
} from '../translate/mesh.ts';
import { MeshIndex } from '../translate/mesh-index.ts';
import { clusterPolicy } from '../translate/policies.ts';
import { defaultRoute } from '../translate/routes.ts';
import {
  connectionTableFor,
  isForCaller,
  labelsMatch,
  policyFor,
  tableFor,
  visibleServices,
} from '../translate/visibility.ts';
import { type Bind, chooseBind, LocalAddresses, serviceAddresses } from './bind.ts';
import { clusterResources, workloadCluster } from './clusters.ts';
import { generateGateways } from './gateways.ts';
import {
  type Generated,
  type Generator,
  type GeneratorContext,
  type NodeNote,
  resourceId,
  type ServiceAddress,
} from './generated.ts';
import type { ChainSpec, ListenerSpec } from './listener-spec.ts';
import { listenerResource } from './listeners.ts';
import { domainsOf, inboundName, outboundCluster, routeConfigName, shortNames } from './names.ts';
import {
  blackHole,
  routeResources,
  singleRoute,
  toWeightedClusters,
  type Upstreams,
  type VirtualHost,
} from './routes.ts';

export const generateMeltemi: Generator = (context, node) => new MeltemiGeneration(context, node).run();

type ServedProtocol = Exclude<ServiceProtocol, { kind: 'unsupported' }>;

/** Who has a socket, the service address that it has it for, and its routes if other services may share it. */
interface SocketOwner {
  readonly source: string;
  readonly address: string | null;
  readonly shared: { readonly listener: string; readonly routes: string; readonly by: 'host' | 'sni' } | null;
}

/** A listener whose services are told apart by SNI. */
interface SniListener {
  readonly spec: ListenerSpec;
  readonly sources: Set<string>;
  /** SNI -> the resource that has it. */
  readonly names: Map<string, string>;
}

interface HttpMember {
  readonly service: Service;
  readonly port: ServicePort;
  readonly protocol: CodecProtocol;
}

class MeltemiGeneration {
  readonly #mesh: Mesh;
  readonly #node: NodeInfo;
  readonly #context: GeneratorContext;
  readonly #index: MeshIndex;
  readonly #local: LocalAddresses;
  /** By `<host>_<port>`: the service that this proxy means by it. */
  readonly #visible = new Map<string, Service>();
  readonly #codecs: ReadonlySet<string>;
  readonly #resources = new Map<string, XdsResource>();
  readonly #products = new Map<string, Set<string>>();
  readonly #notes = new Map<string, NodeNote>();
  readonly #addresses: ServiceAddress[] = [];
  /** Socket -> the resource that has it, and the service address it has it for. */
  readonly #sockets = new Map<string, SocketOwner>();
  /** By name. */
  readonly #sniListeners = new Map<string, SniListener>();
  /** By the name of its routes: the services behind each HTTP listener, the one that has the socket first. */
  readonly #sharing = new Map<string, HttpMember[]>();

  constructor(context: GeneratorContext, node: NodeInfo) {
    this.#context = context;
    this.#mesh = context.mesh;
    this.#node = node;
    this.#index = new MeshIndex(context.mesh);
    for (const service of visibleServices(context.mesh.services, node.namespace)) {
      for (const port of service.ports) {
        const name = routeConfigName(service.host, port.number);
        if (!this.#visible.has(name)) this.#visible.set(name, service);
      }
    }
    this.#local = new LocalAddresses(node);
    this.#codecs = new Set(node.manifests.map((manifest) => (isJsonObject(manifest) ? String(manifest.name) : '')));
  }

  run(): Generated {
    // Inbound listeners say their bind themselves, so they choose before those that can be placed elsewhere.
    if (this.#node.type === 'sidecar') this.#inbound();
    this.#outbound();
    if (this.#node.type === 'router') this.#gateways();
    const resources = [...this.#resources.values()].sort(
      (a, b) => compare(a.typeUrl, b.typeUrl) || compare(a.name, b.name),
    );
    return { resources, products: this.#products, notes: [...this.#notes.values()], addresses: this.#addresses };
  }

  #outbound(): void {
    const ports = [...this.#visible].flatMap(([name, service]) => {
      const port = service.ports.find((each) => routeConfigName(service.host, each.number) === name)!;
      const protocol = service.discovery === 'none' ? null : this.#served(port.protocol, service.source);
      return protocol === null ? [] : [{ service, port, protocol }];
    });
    // All before the first that may be led to by another's routes.
    for (const { service, port, protocol } of ports) this.#clusters(service, port, protocol);
    if (this.#node.type === 'router') return;
    for (const { service, port, protocol } of ports) this.#listeners(service, port, protocol);
    for (const [routes, members] of this.#sharing) this.#routes(routes, members);
  }

  #gateways(): void {
    generateGateways({
      mesh: this.#mesh,
      node: this.#node,
      accessLogFile: this.#context.accessLogFile,
      services: this.#mesh.services.filter((service) => this.#isWorkloadOf(service)),
      add: (resource, sources) => this.#add(resource, sources),
      note: (source, message) => this.#note(source, message),
      address: (address) => this.#addresses.push(address),
      serves: (protocol, source) => this.#served(protocol, source) !== null,
      upstreamsOf: (protocol, source) => this.#upstreamsOf(protocol, source),
    });
  }

  #clusters(service: Service, port: ServicePort, protocol: ServedProtocol): void {
    const policy = this.#policyFor(service);
    const upstream = this.#mesh.upstreams.get(service.host);
    const sources = [
      service.source,
      ...(policy?.sources ?? []),
      ...service.endpoints.flatMap((endpoint) => endpoint.sources),
      ...(upstream === undefined ? [] : [upstream.source]),
    ];
    for (const subset of [null, ...(policy?.subsets.values() ?? [])]) {
      const name = outboundCluster(port.number, subset?.name ?? '', service.host);
      const settings = this.#clusterPolicy(policy, subset, service, port, protocol);
      const { ca, from } = this.#credentialOf(settings, policy);
      for (const resource of clusterResources(name, service, port, subset, settings, ca))
        this.#add(resource, [...sources, ...from]);
    }
  }

  #listeners(service: Service, port: ServicePort, protocol: ServedProtocol): void {
    let listens = false;
    for (const address of serviceAddresses(service))
      listens = this.#listen(service, port, protocol, address) || listens;
    for (const codec of listens ? codecsOf(protocol) : []) {
      const routes = routesNameOf(service, port, protocol, codec);
      this.#sharing.set(routes, [{ service, port, protocol: codec }, ...(this.#sharing.get(routes) ?? [])]);
    }
  }

  #clusterPolicy(
    policy: DestinationPolicy | null,
    subset: Subset | null,
    service: Service,
    port: ServicePort,
    protocol: ServedProtocol,
  ): ClusterPolicy {
    const settings = clusterPolicy(policy, subset, port.number, service, placementKeyOf(protocol));
    const upstream = this.#mesh.upstreams.get(service.host);
    if (upstream === undefined || protocol.kind !== 'codec') return settings;
    const { maxConnections, connectTimeoutMs, codecOptions } = upstream;
    const changed = {
      ...settings,
      maxConnections: maxConnections ?? settings.maxConnections,
      connectTimeoutMs: connectTimeoutMs ?? settings.connectTimeoutMs,
    };
    if (Object.keys(codecOptions).length === 0) return changed;
    const options = { ...protocol.options, ...codecOptions };
    return { ...changed, codecOptions: { codec: protocol.manifest.name, options } };
  }

  /** PEM of the CA that a Secret holds; null: none is asked for, or there is none, and the proxy refuses the cluster. `from`: that Secret. */
  #credentialOf({ tls }: ClusterPolicy, policy: DestinationPolicy | null): { ca: string | null; from: string[] } {
    const ca = tls?.ca;
    if (!ca || ca === 'system' || 'file' in ca) return { ca: null, from: [] };
    const { namespace } = this.#node;
    const { credentials } = this.#mesh;
    const found = credentials.find(namespace, ca.credential);
    if (!found?.ca)
      for (const source of policy?.sources ?? [])
        this.#note(source, `${credentials.lackOf(namespace, ca.credential, 'ca.crt')}: no connections`);
    return { ca: found?.ca ?? null, from: found === null ? [] : [found.source] };
  }

  #listen(service: Service, port: ServicePort, protocol: ServedProtocol, address: string | null): boolean {
    const bind = chooseBind(service, address, port.number, this.#local, this.#context.binds);
    const name = `${address ?? service.host}_${port.number}`;
    if (bind === null)
      this.#note(
        service.source,
        `no loopback address or port is left for ${address ?? service.host} port ${port.number}: no listener`,
      );
    if (bind === null || this.#joins(bind, service, port, protocol, address)) return false;
    const by = sharedBy(protocol);
    const shared = by === null ? null : { listener: name, routes: routeConfigName(service.host, port.number), by };
    if (!this.#claim(bind, { source: service.source, address, shared })) return false;
    const serviceAddress = address === null ? bind : { address, port: port.number };
    const sources = new Set([service.source]);
    const { accessLogFile } = this.#context;
    const served = this.#chains(service, port, protocol, sources);
    const spec = { name, direction: 'OUTBOUND', bind, serviceAddress, accessLogFile, ...served } as const;
    this.#add(listenerResource(spec), [...sources]);
    if (by === 'sni') {
      const own = [service.host, ...spec.chains.flatMap(({ serverNames }) => serverNames ?? [])];
      this.#sniListeners.set(name, { spec, sources, names: new Map(own.map((sni) => [sni, service.source])) });
    }
    this.#addresses.push({
      direction: 'outbound',
      host: service.host,
      port: port.number,
      protocol: protocolName(protocol),
      bind,
      listener: name,
    });
    return true;
  }

  /** `sources`: are added those that shape them. */
  #chains(
    service: Service,
    port: ServicePort,
    protocol: ServedProtocol,
    sources: Set<string>,
  ): Pick<ListenerSpec, 'chains' | 'fallback' | 'detects'> {
    if (protocol.kind === 'codec') return { chains: [this.#codecChain(service, port, protocol, protocol, sources)] };
    const opaque = this.#connectionChains(service, port, sources);
    if (protocol.kind === 'tcp') return { chains: opaque };
    const chains = protocol.protocols.map((codec): ChainSpec => {
      const chain = this.#codecChain(service, port, protocol, codec, sources);
      // TLS may offer the same names of protocols: its bytes are another's.
      return { ...chain, transport: 'raw_buffer', detected: codec };
    });
    const last = opaque.pop()!;
    const fallback = { ...last, name: `${last.name}.opaque` };
    return { chains: [...chains, ...opaque], fallback, detects: protocol.protocols };
  }

  #codecChain(
    service: Service,
    port: ServicePort,
    spoken: ServedProtocol,
    protocol: CodecProtocol,
    sources: Set<string>,
  ): ChainSpec {
    const name = routesNameOf(service, port, spoken, protocol);
    const statPrefix = outboundCluster(port.number, '', service.host);
    const table = this.#tableFor(service, port, protocol);
    const { filters, codecOptions } = table ?? { filters: [], codecOptions: {} };
    if (table !== null && (filters.length > 0 || Object.keys(codecOptions).length > 0)) sources.add(table.source);
    const serves = { kind: 'codec', protocol, routeConfigName: name, filters, codecOptions, isEdge: false } as const;
    return { name, statPrefix, serves };
  }

  /** The last one takes every connection. */
  #connectionChains(service: Service, port: ServicePort, sources: Set<string>): ChainSpec[] {
    const statPrefix = outboundCluster(port.number, '', service.host);
    const name = routeConfigName(service.host, port.number);
    const table = connectionTableFor(this.#index, service.host, port.number, this.#node.namespace);
    const source = table?.source ?? service.source;
    sources.add(source);
    const routes: ConnectionRoute[] = [];
    // Nobody comes to what stands behind a route for every connection.
    for (const route of table?.routes ?? []) {
      if (routes.at(-1)?.sniHosts.length !== 0 && isForCaller(route, this.#node)) routes.push(route);
    }
    const isOpen = routes.every(({ sniHosts }) => sniHosts.length > 0);
    if (isOpen) routes.push({ sniHosts: [], destinations: defaultRoute(service.host, port.number).destinations });
    return routes.map(({ sniHosts, destinations }, at): ChainSpec => {
      const clusters = toWeightedClusters(destinations, this.#upstreamsOf(null, source));
      const ownName = at === routes.length - 1 ? name : `${name}.${at}`;
      return { name: ownName, serverNames: sniHosts, statPrefix, serves: { kind: 'connections', clusters } };
    });
  }

  #tableFor(service: Service, port: ServicePort, { manifest }: CodecProtocol): RouteTable | null {
    return tableFor(this.#index, service.host, port.number, manifest.name, this.#node.namespace);
  }

  #routes(name: string, members: readonly HttpMember[]): void {
    const sources: string[] = [];
    const taken = new Set<string>();
    // Every full name before any short one.
    for (const { service } of members) for (const domain of domainsOf(service.host)) taken.add(domain);
    const hosts = members.map(({ service, port, protocol }): VirtualHost => {
      const table = this.#tableFor(service, port, protocol);
      const routes = (table?.routes ?? [defaultRoute(service.host, port.number)]).filter((route) =>
        isForCaller(route, this.#node),
      );
      const source = table?.source ?? service.source;
      sources.push(source);
      const upstreams = this.#upstreamsOf(protocol, source);
      const placed = routes.map((route) => ({ route, upstreams }));
      // Alone behind its address, a service takes requests by whatever name they call it.
      if (members.length === 1) return { name: '*', domains: ['*'], routes: placed };
      const short = shortNames(service.host, this.#node.namespace).filter((domain) => !taken.has(domain));
      for (const domain of short) taken.add(domain);
      const domains = [...domainsOf(service.host), ...short];
      return { name: `${service.host}:${port.number}`, domains, routes: placed };
    });
    for (const resource of routeResources(name, hosts, members[0]!.protocol.manifest)) this.#add(resource, sources);
  }

  /** What destinations of `source` are here. `protocol`: of the requests that are led there; null: bytes as they are. */
  #upstreamsOf(protocol: CodecProtocol | null, source: string): Upstreams {
    return {
      clusterOf: (destination) => this.#clusterOf(destination, source),
      hashKeyOf: (destination) => {
        const policy = this.#destinationPolicy(destination, source);
        const subset = policy?.subsets.get(destination.subset) ?? null;
        const placement = protocol === null ? null : placementKeyOf(protocol);
        return clusterPolicy(policy, subset, destination.port, null, placement).hashKey;
      },
    };
  }

  /** null, and noted: it is there, but not for this proxy. What is nowhere any more keeps its name: who has its cluster goes on. */
  #clusterOf(destination: Destination, source: string): string | null {
    const { host, port, subset } = destination;
    const name = outboundCluster(port, subset, host);
    if (this.#resources.has(resourceId(TypeUrl.Cluster, name))) return name;
    const isSomewhere =
      this.#index.services(host).some((service) => service.ports.some(({ number }) => number === port)) &&
      (subset === '' || this.#index.policies(host).some((policy) => policy.subsets.has(subset)));
    this.#destinationPolicy(destination, source);
    if (!isSomewhere) return name;
    const whole = resourceId(TypeUrl.Cluster, outboundCluster(port, '', host));
    if (this.#visible.has(routeConfigName(host, port)) && !this.#resources.has(whole))
      this.#note(source, `${host} port ${port} is not served at this proxy: what is sent there fails`);
    this.#add(blackHole(), [source]);
    return null;
  }

  /** Also notes a destination that this proxy cannot have, though the route's resource is valid by itself. */
  #destinationPolicy(destination: Destination, source: string): DestinationPolicy | null {
    const { host, port, subset } = destination;
    const namespace = this.#node.namespace;
    const service = this.#visible.get(routeConfigName(host, port));
    if (service === undefined) {
      this.#note(source, `${host} port ${port} does not exist or is not exported to the namespace ${namespace}`);
      return null;
    }
    const policy = this.#policyFor(service);
    if (subset !== '' && !policy?.subsets.has(subset))
      this.#note(
        source,
        `the DestinationRule that applies in the namespace ${namespace} has no subset ${subset} of ${host}`,
      );
    return policy;
  }

  #policyFor(service: Service): DestinationPolicy | null {
    return policyFor(this.#index, this.#mesh.rootNamespace, service, this.#node.namespace);
  }

  #inbound(): void {
    const sidecar = this.#sidecar();
    if (sidecar === null) return;
    const services = this.#mesh.services.filter((service) => this.#isWorkloadOf(service));
    // A Sidecar without a selector is for every proxy of the namespace, those without a workload included.
    if (sidecar.selector === null && services.length === 0) return;
    for (const ingress of sidecar.ingress) this.#ingress(sidecar, ingress, services);
  }

  #ingress(sidecar: SidecarPolicy, ingress: IngressPort, services: readonly Service[]): void {
    const protocol = this.#served(ingress.protocol, sidecar.source);
    const address = ingress.bind ?? this.#node.ips[0];
    if (protocol === null) return;
    if (address === undefined) {
      this.#note(
        sidecar.source,
        `no address for the inbound port ${ingress.port}: the proxy declares none and the Sidecar has no bind`,
      );
      return;
    }
    const bind: Bind = { address, port: ingress.port };
    if (!this.#claim(bind, { source: sidecar.source, address: null, shared: null })) return;
    const name = inboundName(ingress.port);
    const service = services.find((each) => each.ports.some((port) => port.targetPort === ingress.port));
    const sources = service === undefined ? [sidecar.source] : [sidecar.source, service.source];
    const { endpoint } = ingress;
    for (const resource of workloadCluster(
      name,
      endpoint.address,
      endpoint.port,
      clusterPolicy(null, null, ingress.port, null),
    ))
      this.#add(resource, sources);
    const serves: ChainSpec['serves'] =
      protocol.kind === 'tcp'
        ? { kind: 'connections', clusters: [{ name, weight: 1, changes: {} }] }
        : { kind: 'codec', protocol, routeConfigName: name, filters: [], codecOptions: {}, isEdge: false };
    const { accessLogFile } = this.#context;
    const chains = [{ name, statPrefix: name, serves }];
    this.#add(
      listenerResource({ name, direction: 'INBOUND', bind, serviceAddress: bind, chains, accessLogFile }),
      sources,
    );
    if (protocol.kind === 'codec') this.#add(singleRoute(name, name), sources);
    this.#addresses.push({
      direction: 'inbound',
      host: service?.host ?? '',
      port: ingress.port,
      protocol: protocolName(protocol),
      bind,
      listener: name,
    });
  }

  /** The own namespace's with a matching selector, then its one without, then the root namespace's without. */
  #sidecar(): SidecarPolicy | null {
    const labels = new Map(Object.entries(this.#node.labels));
    const inNamespace = this.#mesh.sidecars.filter((sidecar) => sidecar.namespace === this.#node.namespace);
    return (
      inNamespace.find((sidecar) => sidecar.selector !== null && labelsMatch(sidecar.selector, labels)) ??
      inNamespace.find((sidecar) => sidecar.selector === null) ??
      this.#mesh.sidecars.find(
        (sidecar) => sidecar.namespace === this.#mesh.rootNamespace && sidecar.selector === null,
      ) ??
      null
    );
  }

  #isWorkloadOf(service: Service): boolean {
    if (service.endpoints.some((endpoint) => this.#node.ips.includes(endpoint.address))) return true;
    const labels = new Map(Object.entries(this.#node.labels));
    return (
      service.selector !== null &&
      service.selector.size > 0 &&
      service.namespace === this.#node.namespace &&
      labelsMatch(service.selector, labels)
    );
  }

  /** null: this proxy cannot serve it; said on the resource unless the resource already says so itself. */
  #served<P extends ServiceProtocol>(protocol: P, source: string): Exclude<P, { kind: 'unsupported' }> | null {
    if (protocol.kind === 'unsupported') return null;
    const opaque = protocol.kind === 'codec' ? [] : ['tcp'];
    const wanted = [...codecsOf(protocol).map(({ manifest }) => manifest.name), ...opaque];
    const codec = wanted.find((name) => !this.#codecs.has(name));
    if (codec === undefined) return protocol as Exclude<P, { kind: 'unsupported' }>;
    this.#note(
      source,
      `the proxy has no codec ${codec}: no listener and no routes (it has ${[...this.#codecs].sort().join(', ') || 'none'})`,
    );
    return null;
  }

  /** Services with one address and port share its listener: those of HTTP as virtual hosts, those of TLS as chains for their names. */
  #joins(bind: Bind, service: Service, port: ServicePort, protocol: ServedProtocol, address: string | null): boolean {
    const owner = this.#sockets.get(`${bind.address} port ${bind.port}`);
    if (address === null || owner?.address !== address || owner.shared === null) return false;
    const { listener, routes, by } = owner.shared;
    if (sharedBy(protocol) !== by) return false;
    if (protocol.kind === 'codec')
      this.#sharing.set(routes, [...(this.#sharing.get(routes) ?? []), { service, port, protocol }]);
    else this.#addNames(listener, service, port);
    this.#produce(resourceId(TypeUrl.Listener, listener), [service.source]);
    this.#addresses.push({
      direction: 'outbound',
      host: service.host,
      port: port.number,
      protocol: protocolName(protocol),
      bind,
      listener,
    });
    return true;
  }

  /** The chains of the first service stay: its last one takes the names that nobody has. */
  #addNames(listener: string, service: Service, port: ServicePort): void {
    const { spec, sources, names } = this.#sniListeners.get(listener)!;
    const chains = this.#connectionChains(service, port, sources).flatMap((chain): ChainSpec[] => {
      const wanted = chain.serverNames?.length ? chain.serverNames : [service.host];
      const free = wanted.filter((sni) => !names.has(sni));
      for (const sni of wanted) {
        if (names.has(sni)) this.#note(service.source, `the SNI ${sni} at ${listener} belongs to ${names.get(sni)}`);
        else names.set(sni, service.source);
      }
      return free.length === 0 ? [] : [{ ...chain, serverNames: free }];
    });
    const grown = { ...spec, chains: [...chains, ...spec.chains] };
    this.#sniListeners.set(listener, { spec: grown, sources, names });
    this.#add(listenerResource(grown), [...sources]);
  }

  #claim(bind: Bind, claim: SocketOwner): boolean {
    const { source, address } = claim;
    const socket = `${bind.address} port ${bind.port}`;
    const owner = this.#sockets.get(socket);
    if (owner === undefined) {
      this.#sockets.set(socket, claim);
      return true;
    }
    // That two services want one address is said once and for all proxies, when the mesh is made.
    if (address !== null && owner.address === address) return false;
    this.#note(source, `${socket} belongs to ${owner.source}, which comes first: no listener`);
    this.#note(owner.source, `${source} wants ${socket} too; this one comes first and has it`);
    return false;
  }

  #add(resource: XdsResource, sources: readonly string[]): void {
    const id = resourceId(resource.typeUrl, resource.name);
    this.#resources.set(id, resource);
    this.#produce(id, sources);
  }

  /** Notes that these sources have a part in a resource. */
  #produce(id: string, sources: readonly string[]): void {
    for (const source of sources) {
      const products = this.#products.get(source);
      if (products === undefined) this.#products.set(source, new Set([id]));
      else products.add(id);
    }
  }

  #note(source: string, message: string): void {
    this.#notes.set(`${source} ${message}`, { source, message });
  }
}

/** A store whose endpoints hold different keys. */
function placementKeyOf(protocol: ServedProtocol): string | null {
  return protocol.kind === 'codec' ? (protocol.manifest.attributes.placementKey ?? null) : null;
}

function protocolName(protocol: ServedProtocol): string {
  const names = codecsOf(protocol).map(({ name }) => name);
  return [...names, ...(protocol.kind === 'codec' ? [] : ['tcp'])].join(' or ');
}

/** Of several protocols at one port each has routes of its own. */
function routesNameOf(service: Service, port: ServicePort, protocol: ServedProtocol, codec: CodecProtocol): string {
  const name = routeConfigName(service.host, port.number);
  return protocol.kind === 'detected' && !isHttp(codec) ? `${name}.${codec.name}` : name;
}
