/** FilterChain: what connections of one chain run: codec, routes and filters, split by hook so that absent hooks cost nothing. */
import type { CodecFactory } from './codec.ts';
import type { Log } from './core.ts';
import type { CallerTimeouts } from './description.ts';
import { textOf } from './error-text.ts';
import type { Attempt, Filter, FilterStatus, Stream } from './filter.ts';
import type { RequestMessage, ResponseMessage, Trailers } from './message.ts';
import type { RouteTable } from './router/route-table.ts';
import type { Counter } from './stats.ts';

export type HeadHook<M> = (stream: Stream, head: M) => FilterStatus;
export type DataHook = (stream: Stream, chunk: Buffer, end: boolean) => Buffer | FilterStatus;
export type TrailersHook = (stream: Stream, trailers: Trailers) => FilterStatus;

/** The hooks of one direction, in the order in which they run. */
export interface DirectionHooks<M> {
  readonly head: readonly HeadHook<M>[];
  readonly data: readonly DataHook[];
  readonly trailers: readonly TrailersHook[];
  /** No filter looks at data or trailers. */
  readonly headOnly: boolean;
  /** No filter looks at this direction at all. */
  readonly empty: boolean;
}

export interface ChainStats {
  readonly connections: Counter;
  readonly connectionsActive: Counter;
  /** Whose TLS ended here: of all chains of the listener. */
  readonly tlsConnectionsActive: Counter;
  readonly codecErrors: Counter;
  readonly filterErrors: Counter;
  readonly slowConsumers: Counter;
  readonly slowCallers: Counter;
}

export class FilterChain {
  readonly name: string;
  /** The runtime it was compiled for: a connection compares it to learn of a swap. */
  readonly generation: object;
  /** Connections go on with the chain of the same identity (name, protocol, codec options) after a swap. */
  readonly identity: string;
  readonly factory: CodecFactory;
  readonly codecOptions: unknown;
  readonly routes: RouteTable;
  readonly timeouts: CallerTimeouts;
  readonly maxStreams: number;
  readonly filterCount: number;
  readonly request: DirectionHooks<RequestMessage>;
  readonly response: DirectionHooks<ResponseMessage>;
  readonly attempt: readonly ((stream: Stream, attempt: Attempt) => void)[];
  /** Pipelined calls may go through it as one stream. */
  readonly takesRuns: boolean;
  readonly stats: ChainStats;
  readonly #end: readonly ((stream: Stream) => void)[];

  constructor(parts: {
    name: string;
    generation: object;
    identity: string;
    factory: CodecFactory;
    codecOptions: unknown;
    routes: RouteTable;
    timeouts: CallerTimeouts;
    maxStreams: number;
    filters: readonly Filter[];
    stats: ChainStats;
  }) {
    this.name = parts.name;
    this.generation = parts.generation;
    this.identity = parts.identity;
    this.factory = parts.factory;
    this.codecOptions = parts.codecOptions;
    this.routes = parts.routes;
    this.timeouts = parts.timeouts;
    this.maxStreams = parts.maxStreams;
    this.filterCount = parts.filters.length;
    this.stats = parts.stats;
    const { filters } = parts;
    this.takesRuns = filters.every((filter) => filter.knowsRuns === true);
    const reversed = [...filters].reverse();
    this.request = direction(
      hooks(filters, (filter) => filter.onRequest?.bind(filter)),
      hooks(filters, (filter) => filter.onRequestData?.bind(filter)),
      hooks(filters, (filter) => filter.onRequestTrailers?.bind(filter)),
    );
    this.response = direction(
      hooks(reversed, (filter) => filter.onResponse?.bind(filter)),
      hooks(reversed, (filter) => filter.onResponseData?.bind(filter)),
      hooks(reversed, (filter) => filter.onResponseTrailers?.bind(filter)),
    );
    this.attempt = hooks(filters, (filter) => filter.onAttempt?.bind(filter));
    this.#end = hooks(filters, (filter) => filter.onEnd?.bind(filter));
  }

  /** All filters hear of it, whatever others throw. */
  endStream(stream: Stream, log: Log): void {
    for (const hook of this.#end) {
      try {
        hook(stream);
      } catch (error) {
        this.noteFilterError(error, log);
      }
    }
  }

  noteFilterError(error: unknown, log: Log): void {
    this.stats.filterErrors.add();
    log.error({ chain: this.name, error }, `filter failed: ${textOf(error)}`);
  }
}

function hooks<H>(filters: readonly Filter[], take: (filter: Filter) => H | undefined): H[] {
  return filters.map(take).filter((hook) => hook !== undefined);
}

function direction<M>(
  head: readonly HeadHook<M>[],
  data: readonly DataHook[],
  trailers: readonly TrailersHook[],
): DirectionHooks<M> {
  const headOnly = data.length + trailers.length === 0;
  return { head, data, trailers, headOnly, empty: headOnly && head.length === 0 };
}
