/** ProxySite: one proxy while its configuration is made: what it sees of the mesh, and what it gets so far. */
import { isJsonObject } from '../../xds/json.ts';
import type { NodeInfo } from '../../xds/node.ts';
import type { XdsResource } from '../../xds/resource.ts';
import { compare } from '../model/resource.ts';
import {
  codecsOf,
  type DestinationPolicy,
  type Mesh,
  type Service,
  type ServicePort,
  type ServiceProtocol,
} from '../translate/mesh.ts';
import { MeshIndex } from '../translate/mesh-index.ts';
import { labelsMatch, policyFor, visibleServices } from '../translate/visibility.ts';
import type { Bind } from './bind.ts';
import type { BindAllocator } from './bind-allocator.ts';
import { type Generated, type GeneratorContext, type NodeNote, resourceId, type ServiceAddress } from './generated.ts';
import { routeConfigName } from './names.ts';

type ServedProtocol = Exclude<ServiceProtocol, { kind: 'unsupported' }>;

/** A port of a service that the proxy sees and can serve. */
export interface ServedPort<P extends ServedProtocol = ServedProtocol> {
  readonly service: Service;
  readonly port: ServicePort;
  readonly protocol: P;
}

/** Who has a socket, the service address that it has it for, and its routes if other services may share it. */
export interface SocketOwner {
  readonly source: string;
  readonly address: string | null;
  readonly shared: { readonly listener: string; readonly routes: string; readonly by: 'host' | 'sni' } | null;
}

export class ProxySite {
  readonly mesh: Mesh;
  readonly node: NodeInfo;
  readonly labels: ReadonlyMap<string, string>;
  readonly binds: BindAllocator;
  readonly accessLogFile: string;
  readonly index: MeshIndex;
  /** By `<host>_<port>`: the service that this proxy means by it. */
  readonly visible = new Map<string, Service>();
  readonly #codecs: ReadonlySet<string>;
  readonly #resources = new Map<string, XdsResource>();
  readonly #products = new Map<string, Set<string>>();
  readonly #notes = new Map<string, NodeNote>();
  readonly #addresses: ServiceAddress[] = [];
  readonly #sockets = new Map<string, SocketOwner>();

  constructor({ mesh, binds, accessLogFile }: GeneratorContext, node: NodeInfo) {
    this.mesh = mesh;
    this.node = node;
    this.labels = new Map(Object.entries(node.labels));
    this.binds = binds;
    this.accessLogFile = accessLogFile;
    this.index = new MeshIndex(mesh);
    for (const service of visibleServices(mesh.services, node.namespace)) {
      for (const port of service.ports) {
        const name = routeConfigName(service.host, port.number);
        if (!this.visible.has(name)) this.visible.set(name, service);
      }
    }
    this.#codecs = new Set(node.manifests.map((manifest) => (isJsonObject(manifest) ? String(manifest.name) : '')));
  }

  servedPorts(): ServedPort[] {
    return [...this.visible].flatMap(([name, service]) => {
      const port = service.ports.find((each) => routeConfigName(service.host, each.number) === name)!;
      const protocol = service.discovery === 'none' ? null : this.served(port.protocol, service.source);
      return protocol === null ? [] : [{ service, port, protocol }];
    });
  }

  /** Of which the proxy is a workload. */
  ownServices(): Service[] {
    return this.mesh.services.filter((service) => this.#isWorkloadOf(service));
  }

  /** null: this proxy cannot serve it; said on the resource unless the resource already says so itself. */
  served<P extends ServiceProtocol>(protocol: P, source: string): Exclude<P, { kind: 'unsupported' }> | null {
    if (protocol.kind === 'unsupported') return null;
    const opaque = protocol.kind === 'codec' ? [] : ['tcp'];
    const wanted = [...codecsOf(protocol).map(({ manifest }) => manifest.name), ...opaque];
    const codec = wanted.find((name) => !this.#codecs.has(name));
    if (codec === undefined) return protocol as Exclude<P, { kind: 'unsupported' }>;
    this.note(
      source,
      `the proxy has no codec ${codec}: no listener and no routes (it has ${[...this.#codecs].sort().join(', ') || 'none'})`,
    );
    return null;
  }

  policyFor(service: Service): DestinationPolicy | null {
    return policyFor(this.index, this.mesh.rootNamespace, service, this.node.namespace);
  }

  /** Of a socket; undefined: it is free. */
  ownerOf(bind: Bind): SocketOwner | undefined {
    return this.#sockets.get(socketName(bind));
  }

  /** False: another has it, which is noted. */
  claim(bind: Bind, claim: SocketOwner): boolean {
    const { source, address } = claim;
    const socket = socketName(bind);
    const owner = this.#sockets.get(socket);
    if (owner === undefined) {
      this.#sockets.set(socket, claim);
      return true;
    }
    // That two services want one address is said once and for all proxies, when the mesh is made.
    if (address !== null && owner.address === address) return false;
    this.note(source, `${socket} belongs to ${owner.source}, which comes first: no listener`);
    this.note(owner.source, `${source} wants ${socket} too; this one comes first and has it`);
    return false;
  }

  /** `sources`: the CRDs that shaped it. */
  add(resource: XdsResource, sources: readonly string[]): void {
    const id = resourceId(resource.typeUrl, resource.name);
    this.#resources.set(id, resource);
    this.produce(id, sources);
  }

  /** These sources have a part in a resource. */
  produce(id: string, sources: readonly string[]): void {
    for (const source of sources) {
      const products = this.#products.get(source);
      if (products === undefined) this.#products.set(source, new Set([id]));
      else products.add(id);
    }
  }

  /** Tells whoever reads the status of `source`, for this proxy. */
  note(source: string, message: string): void {
    this.#notes.set(`${source} ${message}`, { source, message });
  }

  has(typeUrl: string, name: string): boolean {
    return this.#resources.has(resourceId(typeUrl, name));
  }

  /** Where a service is reached here. */
  address(address: ServiceAddress): void {
    this.#addresses.push(address);
  }

  generated(): Generated {
    const resources = [...this.#resources.values()].sort(
      (a, b) => compare(a.typeUrl, b.typeUrl) || compare(a.name, b.name),
    );
    return { resources, products: this.#products, notes: [...this.#notes.values()], addresses: this.#addresses };
  }

  #isWorkloadOf(service: Service): boolean {
    if (service.endpoints.some((endpoint) => this.node.ips.includes(endpoint.address))) return true;
    return (
      service.selector !== null &&
      service.selector.size > 0 &&
      service.namespace === this.node.namespace &&
      labelsMatch(service.selector, this.labels)
    );
  }
}

function socketName({ address, port }: Bind): string {
  return `${address} port ${port}`;
}
