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
  /** The first one whose match holds takes a new connection; none: it is closed and counted. */
  readonly chains: readonly FilterChainDescription[];
}

export interface FilterChainDescription {
  readonly name: string;
  readonly match: ChainMatch;
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

/** Empty lists match all. Chosen after accept and before a codec exists. */
export interface ChainMatch {
  readonly destinationPort: number | null;
  /** CIDR ranges of the original destination: `10.0.0.0/8`. */
  readonly destinationRanges: readonly string[];
  /** Exact SNI or `*.suffix`. Only TLS connections have one. */
  readonly serverNames: readonly string[];
  readonly transport: 'plaintext' | 'tls' | null;
  readonly applicationProtocols: readonly string[];
}

export interface FilterDescription {
  readonly name: string;
  readonly options: unknown;
}

export interface RouteTableDescription {
  readonly name: string;
  /** Domains are exact, `*.suffix`, `prefix.*` or `*`; protocols without hosts have one virtual host `*`. */
  readonly virtualHosts: readonly VirtualHostDescription[];
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

export type AttributeTest =
  | { readonly kind: 'exact' | 'prefix' | 'suffix' | 'contains'; readonly value: string; readonly ignoreCase: boolean }
  /** RE2 syntax, whole value, linear time. */
  | { readonly kind: 'regex'; readonly value: string }
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

export const NO_MUTATION: MutationDescription = Object.freeze({ set: [], add: [], remove: [] });
