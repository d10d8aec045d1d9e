/**
 * RuntimeDescription: what the data plane shall run, as plain JSON. The main thread makes it from xDS (or a library user
 * by hand), every worker compiles it. Names and units are the core's; nothing here knows xDS or a protocol.
 * All durations are milliseconds; 0 means "none" for a timeout.
 */
import type { Address, Direction } from './filter.ts';

export interface RuntimeDescription {
  /** Any text that names this state in logs and the admin API. */
  readonly version: string;
  readonly listeners: readonly ListenerDescription[];
  readonly clusters: readonly ClusterDescription[];
}

export interface ListenerDescription {
  readonly name: string;
  /** Where the socket is. */
  readonly bind: Address;
  /** What clients mean: the service's own address. */
  readonly serviceAddress: Address;
  readonly direction: Direction;
  /** The one whose match is the most specific takes a new connection; none: it is closed and counted. */
  readonly chains: readonly FilterChainDescription[];
  /** Looked at where a chain needs it: it ends TLS, or matches on more than addresses. */
  readonly inspection: InspectionDescription;
}

/** What a connection's first bytes are asked before a chain is chosen, besides whether they are TLS. */
export interface InspectionDescription {
  /** Protocols that they may be, in the clear; the first one that recognizes them wins. */
  readonly detect: readonly DetectedProtocol[];
  /** Looked at before detection gives up. */
  readonly detectBytes: number;
  /** How long they may take. */
  readonly timeoutMs: number;
  /** Then the connection goes on as one of no known protocol; else it is closed. */
  readonly continueOnTimeout: boolean;
}

export interface DetectedProtocol {
  /** Name of a codec in the registry. */
  readonly codec: string;
  /** What a connection of this protocol has as its application protocols. */
  readonly applicationProtocols: readonly string[];
}

export interface FilterChainDescription {
  readonly name: string;
  readonly match: ChainMatch;
  /** Ended here; null: the bytes are taken as they are, TLS or not. */
  readonly tls: DownstreamTlsDescription | null;
  /** Name of a codec in the registry. */
  readonly protocol: string;
  /** JSON for CodecFactory.parseOptions. */
  readonly codecOptions: unknown;
  readonly routes: RouteTableDescription;
  /** In order; the routing itself is not a filter here. */
  readonly filters: readonly FilterDescription[];
  /** Label of its statistics. */
  readonly statPrefix: string;
  readonly timeouts: CallerTimeouts;
  /** Streams at once on one downstream connection; null: the codec's default. */
  readonly maxStreams: number | null;
}

/** How slow a caller may be. What only whole streams show is noticed up to a quarter later. */
export interface CallerTimeouts {
  /** A connection without streams is closed after this. */
  readonly idleMs: number;
  /** From the first byte of a head (of a whole message) to its last. */
  readonly headMs: number;
  /** From a request's head to its end. */
  readonly requestMs: number;
  /** Of a stream in which nothing moves, either way. */
  readonly streamIdleMs: number;
  /** The same, of a tunnel. */
  readonly tunnelIdleMs: number;
}

/**
 * Empty lists match all. Chosen after accept and before a codec exists, condition by condition in this order; of each the most specific
 * value that any chain has and that holds, as in Envoy.
 */
export interface ChainMatch {
  readonly destinationPort: number | null;
  /** CIDR ranges of the original destination: `10.0.0.0/8`. */
  readonly destinationRanges: readonly string[];
  /** Exact SNI or `*.suffix`. Only TLS connections have one. */
  readonly serverNames: readonly string[];
  readonly transport: 'plaintext' | 'tls' | null;
  /** One of those that a TLS connection offers (ALPN), or that its first bytes were detected to be. */
  readonly applicationProtocols: readonly string[];
  /** Only where no other chain matches. */
  readonly isDefault: boolean;
}

export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

/** What both directions have. All certificates and keys are PEM texts: files are read before a description is made. */
export interface TlsDescription {
  readonly minVersion: TlsVersion | null;
  readonly maxVersion: TlsVersion | null;
  /** OpenSSL names, of TLS up to 1.2; empty: the defaults. */
  readonly ciphers: readonly string[];
  /** The preferred one first; empty: none is negotiated. */
  readonly applicationProtocols: readonly string[];
  /** Of the peer's certificate, or `SYSTEM_CA`; null: it is not verified. */
  readonly trustedCa: string | null;
  /** Of these names the peer's certificate has to have one; empty: any. */
  readonly subjectAltNames: readonly SubjectAltNameMatch[];
}

export interface CertificateDescription {
  /** The certificate, then those of its issuers. */
  readonly chain: string;
  readonly key: string;
}

export interface DownstreamTlsDescription extends TlsDescription {
  /** At least one. The first that is for the server name is shown, else the first. */
  readonly certificates: readonly CertificateDescription[];
  /** With `trustedCa`: callers without a certificate are refused. */
  readonly requireClientCertificate: boolean;
  /** From the end of the ClientHello. */
  readonly handshakeTimeoutMs: number;
}

export interface UpstreamTlsDescription extends TlsDescription {
  /** Shown where the server asks for one. */
  readonly certificate: CertificateDescription | null;
  /** SNI; null: none is sent. */
  readonly serverName: string | null;
}

export interface SubjectAltNameMatch {
  readonly type: 'dns' | 'uri' | 'ip' | 'email';
  readonly test: TextTest;
}

export interface FilterDescription {
  readonly name: string;
  readonly options: unknown;
}

export interface RouteTableDescription {
  readonly name: string;
  /** Domains are exact, `*.suffix`, `prefix.*` or `*`; protocols without hosts have one virtual host `*`. */
  readonly virtualHosts: readonly VirtualHostDescription[];
  /** The `:port` of a request's host is nothing to choose by. */
  readonly ignorePort?: boolean;
}

export interface VirtualHostDescription {
  readonly name: string;
  readonly domains: readonly string[];
  /** First match wins. */
  readonly routes: readonly RouteDescription[];
}

export interface RouteDescription {
  readonly name: string;
  /** All of them must hold; none: every request. */
  readonly match: readonly AttributeMatch[];
  /** Of weights that sum to more than 0. */
  readonly clusters: readonly WeightedCluster[];
  /** From the request's end (whole messages: its head) to the response's end, over all attempts. */
  readonly timeoutMs: number;
  readonly requestMutation: MutationDescription;
  readonly responseMutation: MutationDescription;
  /** Attributes whose values make the hash key, in this order; empty: none. */
  readonly hashOn: readonly string[];
  readonly mirrors: readonly MirrorDescription[];
  readonly retry: RetryDescription;
  /** By filter name. */
  readonly filterOptions: Readonly<Record<string, unknown>>;
}

export interface AttributeMatch {
  readonly key: string;
  readonly test: AttributeTest;
  readonly invert: boolean;
  /** An absent key is tested as ''. Otherwise an absent key fails the match, inverted or not, unless presence itself is tested. */
  readonly absentIsEmpty: boolean;
}

export type TextTest =
  | { readonly kind: 'exact' | 'prefix' | 'suffix' | 'contains'; readonly value: string; readonly ignoreCase: boolean }
  /** RE2 syntax, whole value, linear time. */
  | { readonly kind: 'regex'; readonly value: string };

export type AttributeTest =
  | TextTest
  /** Integer in [start, end). */
  | { readonly kind: 'range'; readonly start: number; readonly end: number }
  | { readonly kind: 'present' };

export interface WeightedCluster {
  readonly cluster: string;
  readonly weight: number;
  readonly requestMutation: MutationDescription;
  readonly responseMutation: MutationDescription;
}

export interface MutationDescription {
  readonly set: readonly (readonly [key: string, value: string])[];
  readonly add: readonly (readonly [key: string, value: string])[];
  readonly remove: readonly string[];
}

export interface MirrorDescription {
  readonly cluster: string;
  /** Of a million. */
  readonly fraction: number;
}

export interface RetryDescription {
  /** Attempts beyond the first; 0: none but the free replay of a stale keep-alive connection. */
  readonly retries: number;
}

export interface ClusterDescription {
  readonly name: string;
  readonly endpoints: readonly EndpointDescription[];
  /** DNS names that the main thread resolves into `endpoints`, for information. */
  readonly balancer: BalancerDescription;
  readonly connectTimeoutMs: number;
  readonly pool: PoolDescription;
  /** null: in the clear. */
  readonly tls: UpstreamTlsDescription | null;
  /** Upstream codec by name; null: that of the chain. */
  readonly protocol: string | null;
  readonly codecOptions: unknown;
}

export interface EndpointDescription {
  /** An IP address; names are resolved before a description is made. */
  readonly host: string;
  readonly port: number;
  readonly weight: number;
  /** `region/zone/subzone`. */
  readonly locality: string;
  readonly priority: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly healthy: boolean;
}

export type BalancerDescription =
  | { readonly policy: 'round_robin' }
  | { readonly policy: 'random' }
  | { readonly policy: 'least_request'; readonly choiceCount: number }
  | { readonly policy: 'ring_hash'; readonly minimumRingSize: number; readonly maximumRingSize: number };

/** The pool's numbers, for this worker (the main thread has split the proxy's own evenly). */
export interface PoolDescription {
  /** Streams at once on one connection; null: the codec's default (and never more than the peer allows). */
  readonly concurrency: number | null;
  /** Opened before requests share connections. */
  readonly minConnections: number;
  /** For each endpoint, over all connection keys. */
  readonly maxConnections: number;
  /** Requests that wait for a connection, for each cluster. */
  readonly maxPending: number;
  /** Of one caller to one cluster; a caller at this number is not read. */
  readonly maxInFlightPerCaller: number;
  /** Connections given to a single caller (Bind), for each cluster. */
  readonly maxBound: number;
  /** An upstream connection without streams is closed after this. */
  readonly idleTimeoutMs: number;
}

/** Where nothing is said. Whole messages do not move for as long as their answer takes, which the route bounds. */
export const CALLER_TIMEOUTS: CallerTimeouts = Object.freeze({
  idleMs: 3_600_000,
  headMs: 60_000,
  requestMs: 0,
  streamIdleMs: 0,
  tunnelIdleMs: 0,
});

/** In place of a CA's certificates: the authorities that Node trusts by itself. */
export const SYSTEM_CA = 'system';

/** Where nothing is said. */
export const INSPECTION: InspectionDescription = Object.freeze({
  detect: [],
  detectBytes: 1_024,
  timeoutMs: 10_000,
  continueOnTimeout: false,
});

/** Every connection. */
export const ANY_CONNECTION: ChainMatch = Object.freeze({
  destinationPort: null,
  destinationRanges: [],
  serverNames: [],
  transport: null,
  applicationProtocols: [],
  isDefault: false,
});

export const NO_MUTATION: MutationDescription = Object.freeze({ set: [], add: [], remove: [] });

/** Where nothing is said. */
export const POOL: PoolDescription = Object.freeze({
  concurrency: null,
  minConnections: 1,
  maxConnections: 1_024,
  maxPending: 1_024,
  maxInFlightPerCaller: 256,
  maxBound: 1_024,
  idleTimeoutMs: 3_600_000,
});

/** Where nothing is said of a cluster but its name and endpoints. */
export const CLUSTER: Omit<ClusterDescription, 'name' | 'endpoints'> = Object.freeze({
  balancer: { policy: 'round_robin' } as const,
  connectTimeoutMs: 5_000,
  pool: POOL,
  tls: null,
  protocol: null,
  codecOptions: null,
});

/** Where nothing is said of an endpoint but its address. */
export const ENDPOINT: Omit<EndpointDescription, 'host' | 'port'> = Object.freeze({
  weight: 1,
  locality: '',
  priority: 0,
  labels: {},
  healthy: true,
});

/** Where nothing is said of a route but its name and clusters: every request. */
export const ROUTE: Omit<RouteDescription, 'name' | 'clusters'> = Object.freeze({
  match: [],
  timeoutMs: 0,
  requestMutation: NO_MUTATION,
  responseMutation: NO_MUTATION,
  hashOn: [],
  mirrors: [],
  retry: { retries: 0 },
  filterOptions: {},
});

/** One of a route's clusters, that changes nothing. */
export function weightedCluster(cluster: string, weight = 1): WeightedCluster {
  return { cluster, weight, requestMutation: NO_MUTATION, responseMutation: NO_MUTATION };
}
