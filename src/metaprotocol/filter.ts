/**
 * The filter contract. A filter that only needs the head is written once and works for every protocol.
 * Chains are run by index, so a stream can pause and resume; hooks a filter does not have cost nothing.
 */

import type { Clock } from './clock.ts';
import type { LogWriter } from './log-writer.ts';
import type { Message, RequestMessage, ResponseMessage, Trailers } from './message.ts';
import type { StatsScope } from './stats.ts';
import type { ProxyStatus } from './status.ts';

export const FilterStatus = {
  Continue: 0,
  /** Wait for `stream.resume()`, which goes on at the next filter. Never call resume inside the hook itself. */
  Pause: 1,
  /** The filter replied; no further filter sees this message. */
  Stop: 2,
} as const;
export type FilterStatus = (typeof FilterStatus)[keyof typeof FilterStatus];

/** Where a stream's connection came from and what it meant to reach. */
export interface ConnectionInfo {
  /** Unique in this worker. */
  readonly id: number;
  readonly source: Address;
  /** `host:port` of the source. */
  readonly sourceText: string;
  /** What the caller meant to reach: the service address of the listener, or what interception told. */
  readonly originalDestination: Address;
  readonly direction: Direction;
  readonly listener: string;
  /** null: plaintext. */
  readonly tls: TlsPeer | null;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface TlsPeer {
  readonly serverName: string | null;
  readonly alpn: string | null;
  /** Such as `TLSv1.3`; null: it passes through, and only what the caller asked for is known. */
  readonly version: string | null;
  /** URI SANs of the verified peer certificate, such as SPIFFE ids. */
  readonly uriSans: readonly string[];
}

export type Direction = 'outbound' | 'inbound' | 'gateway';

/** One try at one endpoint. */
export interface Attempt {
  readonly cluster: string;
  readonly endpoint: Address & { readonly address: string; readonly labels: ReadonlyMap<string, string> };
  /** The first attempt's request is the stream's own unless some filter has `onAttempt`; later ones are forks. */
  readonly request: RequestMessage;
  /** Some of its bytes may have left the process. */
  readonly flushed: boolean;
}

/** What a filter knows of the matched route. */
export interface RouteInfo {
  readonly name: string;
  /** This filter's per-route options, parsed; undefined: none for this route. */
  optionsOf(filterIndex: number): unknown;
}

/** One request and its response, as filters see it. */
export interface Stream {
  readonly request: RequestMessage;
  /** null until the response head (an upstream's or a local reply). */
  readonly response: ResponseMessage | null;
  readonly downstream: ConnectionInfo;
  readonly route: RouteInfo | null;
  /** One cell for each filter of the chain, by its index; yours alone. */
  readonly slots: unknown[];
  readonly attempts: readonly Attempt[];
  /** No retry any more: a head was forwarded, or the replay limit passed. */
  readonly committed: boolean;
  /** When the request head was decoded, on the core's monotonic clock. */
  readonly startMs: number;
  /** Milliseconds since then. Of the whole stream in `onEnd`. */
  readonly elapsedMs: number;
  /** Why the stream ended or was answered locally; `no_error` when the upstream's answer was delivered. */
  readonly status: ProxyStatus;
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** More than 1: it is a run (`request.run`). */
  readonly calls: number;
  /** After Pause: goes on at the next filter. */
  resume(): void;
  /** Instead of an upstream: answers locally. After a response head was forwarded it resets. */
  reply(status: ProxyStatus): void;
  /** A filter changed attributes that routes match on: the route is chosen anew before an endpoint is. */
  rematch(): void;
}

/** One instance for each chain of a runtime; state of a stream lives in `stream.slots[index]`. */
export interface Filter {
  /** True: it looks at ended streams only, and at each call of a run (`RequestMessage.run`). Where a filter does more, each call is a stream. */
  readonly knowsRuns?: boolean;
  /** Once, before anything else of this stream. */
  onRequest?(stream: Stream, request: RequestMessage): FilterStatus;
  /** 0..n times. A Buffer replaces the chunk (an empty one drops it). Pause holds this and later chunks. */
  onRequestData?(stream: Stream, chunk: Buffer, end: boolean): Buffer | FilterStatus;
  onRequestTrailers?(stream: Stream, trailers: Trailers): FilterStatus;
  /** For each try, before it is encoded; edits touch this attempt only. */
  onAttempt?(stream: Stream, attempt: Attempt): void;
  /** Once for the final head, in reverse order of the chain. Local replies pass too. */
  onResponse?(stream: Stream, response: ResponseMessage): FilterStatus;
  onResponseData?(stream: Stream, chunk: Buffer, end: boolean): Buffer | FilterStatus;
  onResponseTrailers?(stream: Stream, trailers: Trailers): FilterStatus;
  /** Exactly once, whatever happened. */
  onEnd?(stream: Stream): void;
}

/** What a filter gets when its chain is built. */
export interface FilterContext {
  /** Position in the chain: the index of its slot. */
  readonly index: number;
  readonly stats: StatsScope;
  readonly clock: Clock;
  readonly random: () => number;
  /** Where the lines of an access log named in the chain's description go; buffered, in order. */
  openLog(path: string): LogWriter;
}

export interface FilterFactory<Options = unknown> {
  readonly name: string;
  /** `raw` is JSON from config. Throws ConfigError. Used for chain and route options alike. */
  parseOptions(raw: unknown): Options;
  create(options: Options, context: FilterContext): Filter;
}

/** A change to attributes, as routes and the cluster of a weighted split carry it. */
export interface Mutation {
  readonly set: readonly (readonly [key: string, value: string])[];
  readonly add: readonly (readonly [key: string, value: string])[];
  readonly remove: readonly string[];
}

/** Applies a mutation; returns how many of its changes this message could not carry. */
export function mutate(message: Message, mutation: Mutation): number {
  let refused = 0;
  for (const key of mutation.remove) if (!message.remove(key)) refused++;
  for (const [key, value] of mutation.set) if (!message.set(key, value)) refused++;
  for (const [key, value] of mutation.add) if (!message.add(key, value)) refused++;
  return refused;
}
