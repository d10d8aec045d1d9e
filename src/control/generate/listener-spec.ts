/** What a listener shall be, before it is written as xDS. */
import type { CodecOptions, CodecProtocol, ServerTls, TableFilter } from '../translate/mesh.ts';
import type { Bind } from './bind.ts';
import type { WeightedClusterSpec } from './routes.ts';

export interface ListenerSpec {
  readonly name: string;
  readonly direction: 'OUTBOUND' | 'INBOUND';
  readonly bind: Bind;
  /** What clients mean: the service's own address, else the bind. */
  readonly serviceAddress: Bind;
  readonly chains: readonly ChainSpec[];
  /** Of connections that no chain takes; absent: they are closed. */
  readonly fallback?: ChainSpec;
  /** Names of the codecs that first bytes are asked for; absent: none. */
  readonly detects?: readonly CodecProtocol[];
  /** '' = none. */
  readonly accessLogFile: string;
}

export interface ChainSpec {
  readonly name: string;
  /** Exact or `*.suffix`; absent or empty: any, or none. */
  readonly serverNames?: readonly string[];
  /** Where both kinds of connection come to one port. */
  readonly transport?: 'tls' | 'raw_buffer';
  /** Taken only where first bytes are of this one. */
  readonly detected?: CodecProtocol;
  /** Absent: TLS does not end here. */
  readonly tls?: ServerTls;
  /** Prefix of statistics. */
  readonly statPrefix: string;
  readonly serves: ConnectionService | CodecService;
}

/** Bytes pass as they are. */
export interface ConnectionService {
  readonly kind: 'connections';
  readonly clusters: readonly WeightedClusterSpec[];
}

export interface CodecService {
  readonly kind: 'codec';
  readonly protocol: CodecProtocol;
  readonly routeConfigName: string;
  /** In front of the router. */
  readonly filters: readonly TableFilter[];
  /** Beside those of the protocol. */
  readonly codecOptions: CodecOptions;
  /** Callers are outside the mesh: what they say of where they come from is not believed. */
  readonly isEdge: boolean;
}
