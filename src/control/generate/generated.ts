/** What a generator makes for one proxy, and the seam for generators of other kinds of client. */
import type { NodeInfo } from '../../xds/node.ts';
import type { XdsResource } from '../../xds/resource.ts';
import type { Mesh } from '../translate/mesh.ts';
import type { BindAllocator } from './bind-allocator.ts';

export interface Generated {
  /** Sorted by type and name. */
  readonly resources: readonly XdsResource[];
  /** Key of a CRD -> the resources that it shaped, as `resourceId` names them. */
  readonly products: ReadonlyMap<string, ReadonlySet<string>>;
  /** What this proxy does not get, and why. */
  readonly notes: readonly NodeNote[];
  readonly addresses: readonly ServiceAddress[];
}

export interface NodeNote {
  /** Key of the CRD that it is said of. */
  readonly source: string;
  readonly message: string;
}

/** Where to connect for a service at one proxy. */
export interface ServiceAddress {
  readonly direction: 'outbound' | 'inbound' | 'gateway';
  /** Of a gateway: all that it takes, with commas. */
  readonly host: string;
  readonly port: number;
  readonly protocol: string;
  readonly bind: { readonly address: string; readonly port: number };
  readonly listener: string;
}

export interface GeneratorContext {
  readonly mesh: Mesh;
  /** Was told of the mesh before. */
  readonly binds: BindAllocator;
  /** Where proxies write their access log; '' = nowhere. */
  readonly accessLogFile: string;
}

/** Makes the complete configuration of one proxy; the same for the same arguments. */
export type Generator = (context: GeneratorContext, node: NodeInfo) => Generated;

export function resourceId(typeUrl: string, name: string): string {
  return `${typeUrl} ${name}`;
}
