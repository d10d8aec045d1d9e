/**
 * The one message model of every protocol: a head, then zero or more data chunks, then perhaps trailers.
 * A whole message (Thrift, Dubbo, Redis) is a head whose flags hold `End`. There is no second type and no mode.
 */
import type { ProxyStatus } from './status.ts';

/** Bits of `Message.flags`. */
export const Flag = {
  /** The head is all there is: no data and no trailers follow. */
  End: 1,
  /** The request gets no answer: its stream ends when it was written. */
  Oneway: 2,
  /** A response before the response (HTTP 1xx): 0..n of them precede the final head. */
  Informational: 4,
  /** On a request: asks for a tunnel. On a response: grants it; never with End. */
  Tunnel: 8,
  /** A push that answers no request (Redis pub/sub); its id is 0. */
  Unsolicited: 16,
  /** From here on the caller has an upstream connection of its own… */
  Bind: 32,
  /** …until here. May stand on an answer. */
  Unbind: 64,
  /** The codec emits no further head until `resume()`. */
  Hold: 128,
} as const;

/** What a protocol says of its own answer. */
export interface Outcome {
  /** The protocol's own code: Dubbo status 31, HTTP 503, gRPC 14. */
  readonly code: number;
  /** Is this success in the protocol's own terms? */
  readonly ok: boolean;
}

/**
 * A head. Keys are compared in the case that the codec's attribute schema states.
 * Reading is lazy: a codec scans raw bytes for what is asked and parses no further.
 */
export interface Message {
  /** `http` for HTTP/1.1 and HTTP/2: another wire of the family encodes from `entries()`. */
  readonly family: string;
  /** Bits of {@link Flag}. */
  readonly flags: number;
  /** The whole frame as received, never written to; null if the message streams or was made by the proxy. */
  readonly raw: Buffer | null;
  /** Bytes of a message that is whole with its head, for a codec without `raw` or whose `raw` is made anew each time. */
  readonly rawBytes?: number;
  /** True: values are the wire's bytes, one a character. Who compares or shows them as text takes them for UTF-8. */
  readonly bytewise?: boolean;
  /** Its bytes are lent until `decode()` returns. Copies them now; a second call does nothing. */
  keep(): void;
  /** First value of the attribute, edits included; a protocol whose repeated fields combine (HTTP) gives the combined value. */
  get(key: string): string | undefined;
  /** Every value of every attribute, edits included, in wire order. */
  entries(visit: (key: string, value: string) => void): void;
  /** Replaces every value of the key. False: this message cannot carry it (counted by the core, not applied). */
  set(key: string, value: string): boolean;
  /** Adds one value, where the protocol knows repeated keys; else as `set`. */
  add(key: string, value: string): boolean;
  /** Removes every value. False: this message has such a key but cannot lose it. */
  remove(key: string): boolean;
  /** For a second attempt or a mirror: shares `raw` (call keep() first), copies edits. Edits of a fork never show here. */
  fork(): this;
  /** Does `get(key)` begin with this text? For codecs that know without making the text; null: ask `get`. */
  beginsWith?(key: string, prefix: string): boolean | null;
  /** As `add`, of bytes that are never written to again, one a character. For codecs that need no text; without it: `add`. */
  addBytes?(key: string, value: ByteRange): boolean;
  /** Where `get(key)` stands as it came or was added, one byte a character. False: nowhere, it has none. null, or no such method: ask `get`. */
  locate?(key: string, range: ByteRange): boolean | null;
}

/**
 * A request that is a run: pipelined calls of one caller that take one route, sent as one and answered in their order by one
 * response, whose head and chunks hold whole answers. `Sink.join` makes it; what is counted and logged of calls is counted and
 * logged of each.
 */
export interface Run {
  readonly calls: number;
  /** How many of them the upstream answered with what the core was given so far, and how many of these answers are failures. */
  readonly answered: number;
  readonly failed: number;
  /** Bytes of the call with this index, from 0. */
  requestBytes(index: number): number;
  /** Bytes of its answer, and what that says: the upstream's, or a local reply behind those. 0 and null: there is none. */
  responseBytes(index: number): number;
  outcome(index: number): Outcome | null;
}

/** `bytes[from, to)`, for whoever asks to be filled in. */
export interface ByteRange {
  bytes: Buffer;
  from: number;
  to: number;
}

export interface RequestMessage extends Message {
  /** Upstream state that it needs (Redis user, db, RESP version); '' = none. Connections are pooled by it. */
  readonly connectionKey: string;
  /** The codec's verdict: sending it twice does no harm. */
  readonly replaySafe: boolean;
  /** True: the caller asks for an answer that may be long in coming (BLPOP), so the route's timeout does not apply. */
  readonly mayWait?: boolean;
  /** True: it means something only on the connection that an earlier Bind took; where that is lost, it fails. */
  readonly needsBinding?: boolean;
  /** null, or absent: it is one call. */
  readonly run?: Run | null;
  /** The codec's own answer (PING, QUIT, a 400): queued in order, counted, logged, not routed. */
  readonly answer: ResponseMessage | null;
  /** Why `answer` refuses it; absent: it was asked for. Set by `refused`. */
  readonly refusal?: ProxyStatus;
  /**
   * For a request about several things (keys), forks of it that routes see as each further one would be seen; null: there is
   * only one. Called once, when a route was matched: unless all take that route too, the request is answered `unsupported`.
   */
  routeVariants?(): readonly RequestMessage[] | null;
  /**
   * Parts of a request that touches several endpoints (MGET). Called on whole messages only, and again where they had to wait.
   * `group` tells the endpoint's number for a hash key; null: it does not need to be split. No parts: what `merge` gives for
   * none is the answer (it needs to be split and cannot be).
   */
  split?(group: (hashKey: string) => number): Split | null;
}

export interface Split {
  readonly parts: readonly { readonly group: number; readonly request: RequestMessage }[];
  /** Called once, with one answer for each part, in part order. A failed part comes as `reply(status, part)`. */
  merge(answers: readonly ResponseMessage[]): ResponseMessage;
}

export interface ResponseMessage extends Message {
  /** null until trailers say. */
  readonly outcome: Outcome | null;
}

/** The metadata that ends a message behind its data. */
export interface Trailers {
  /** Where the protocol says its outcome in trailers (gRPC); else null. */
  readonly outcome: Outcome | null;
  get(key: string): string | undefined;
  entries(visit: (key: string, value: string) => void): void;
  set(key: string, value: string): boolean;
  remove(key: string): boolean;
}

/** A request whose own answer refuses it (malformed, too large): its log line and statistics say why. */
export function refused<Request extends RequestMessage>(request: Request, refusal: ProxyStatus): Request {
  return Object.assign(request, { refusal });
}
