/** Where a proxy binds for a service: at the service's own address where that is local, else on loopback. */
import { BlockList, isIP } from 'node:net';
import type { NodeInfo } from '../../xds/node.ts';
import type { Mesh, Service } from '../translate/mesh.ts';
import type { BindAllocator, BindNames } from './bind-allocator.ts';

export interface Bind {
  readonly address: string;
  readonly port: number;
}

/** Every name that some proxy may need a loopback bind for. */
export function bindNames(mesh: Mesh): BindNames {
  const pairs = mesh.services.flatMap((service) => serviceAddresses(service).map((address) => ({ service, address })));
  return {
    addresses: pairs.map(({ service, address }) => bindName(service, address)),
    ports: pairs.flatMap(({ service, address }) =>
      service.ports.map((port) => bindName(service, address, port.number)),
    ),
  };
}

/** null stands for a service that has no address: it is reached at its bind alone. */
export function serviceAddresses(service: Service): (string | null)[] {
  return service.addresses.length > 0 ? [...service.addresses] : [null];
}

function bindName(service: Service, address: string | null, port?: number): string {
  return `${service.namespace}/${service.host}/${address ?? ''}${port === undefined ? '' : `:${port}`}`;
}

/** null: no loopback address or port is left. */
export function chooseBind(
  service: Service,
  address: string | null,
  port: number,
  local: LocalAddresses,
  binds: BindAllocator,
): Bind | null {
  if (address !== null && local.binds(address)) return { address, port };
  if (local.wholeLoopback) {
    const allocated = binds.addressOf(bindName(service, address));
    return allocated === null ? null : { address: allocated, port };
  }
  const allocated = binds.portOf(bindName(service, address, port));
  return allocated === null ? null : { address: '127.0.0.1', port: allocated };
}

/** What a proxy said of the addresses it can bind to. */
export class LocalAddresses {
  /** False on systems where only 127.0.0.1 is local, such as macOS. */
  readonly wholeLoopback: boolean;
  readonly #node: NodeInfo;
  readonly #local = new BlockList();

  constructor(node: NodeInfo) {
    this.#node = node;
    for (const text of [...node.localAddresses, ...node.ips]) {
      const [address = '', bits] = text.split('/');
      const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
      if (isIP(address) === 0) continue;
      if (bits === undefined) this.#local.addAddress(address, family);
      else if (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 'ipv4' ? 32 : 128))
        this.#local.addSubnet(address, Number(bits), family);
    }
    this.wholeLoopback = this.has('127.64.0.1');
  }

  has(address: string): boolean {
    return this.#local.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }

  /** In loopback mode a service's own address is used only if it is a loopback address itself. */
  binds(address: string): boolean {
    return this.has(address) && (this.#node.bind === 'direct' || address.startsWith('127.') || address === '::1');
  }
}
