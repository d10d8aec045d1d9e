/**
 * The codec contract. Codecs are sans-I/O and synchronous: bytes in, events out; commands in, bytes out.
 * They own no socket, timer, clock or promise. The thirteen rules are in ARCHITECTURE.md; each has a test on toy codecs.
 */
import type { ProtocolManifest } from './manifest.ts';
import type { Message, RequestMessage, ResponseMessage, Trailers } from './message.ts';
import type { ProxyStatus } from './status.ts';

/** The version of this contract. A plugin states the range that it was written for. */
export const CODEC_API_VERSION = '1.1.0';

/** What `Codec.reset` found. */
export const Reset = {
  /** Nothing more comes under this id. */
  Done: 0,
  /** Upstream: the answer still comes; the core keeps the slot counted and drops it. */
  Owed: 1,
  /** The core closes this connection (downstream, with `no_error`, it lingers). */
  Close: 2,
} as const;
export type Reset = (typeof Reset)[keyof typeof Reset];

/**
 * What a codec calls: implemented by the core, one per connection. It throws nothing.
 * After each call the codec looks at `closed` and stops if it is true. Heads and chunks are lent (see `Codec.decode`).
 *
 * Ids are numbers of this connection, never reused, retired at 2^31. The server codec counts downstream ids from 1,
 * the core counts upstream ids. Events for an id that the core does not know (late answers) are dropped and counted.
 */
export interface Sink<M extends Message> {
  readonly closed: boolean;
  /** Now, as RFC 9110 §5.6.7 writes it, for local replies. Absent where there is no clock. */
  readonly dateText?: string;
  /**
   * Of a codec that knows runs (`RequestMessage.run`), behind the head with this id and before anything else is emitted: shall
   * the call `next`, which came right behind, be part of that request? True: it is, and needs no head. Absent: no.
   */
  join?(id: number, next: M): boolean;
  /** Once for each message, after 0..n Informational heads. Unsolicited heads have id 0. */
  onHead(id: number, head: M): void;
  /** 0..n times after the head, unless it had End. The core owes `credit(id, chunk.length)`. */
  onData(id: number, chunk: Buffer, end: boolean): void;
  /** At most once; ends the message. */
  onTrailers(id: number, trailers: Trailers): void;
  /** The peer gave up this stream; nothing more comes under id. `refused` = surely not processed. */
  onReset(id: number, status: ProxyStatus): void;
  /** Once for each `false` of `data()` or `trailers()`. */
  onWritable(id: number): void;
  /**
   * Upstream: no new streams (GOAWAY, read-only, Connection: close), told *before* the event that ends the last one.
   * Downstream: close after the answers (QUIT, a malformed head); `why` is counted and logged if the peer did wrong.
   */
  onGoAway(why?: ProxyStatus): void;
  /** The connection is unusable. Once, and the last call. */
  onError(status: ProxyStatus): void;
}

export interface UpstreamSink extends Sink<ResponseMessage> {
  /** After the handshake, and whenever the peer's limit changes. Before the first one no request is encoded. */
  onReady(maxStreams: number): void;
}

/** Where a codec writes: one per connection, flushed at most once per turn of the event loop. */
export interface Output {
  /** Copies `bytes[from, to)`. Returns its offset in `slab`, which is yours to stamp until you return or write again. */
  append(bytes: Buffer, from: number, to: number): number;
  /** The current slab. Read it after `append` or `reserve`: both may replace it. */
  readonly slab: Buffer;
  /** Room for exactly `n` bytes at the returned offset in `slab`: fill all of it. */
  reserve(n: number): number;
  /** By reference: kept bytes only, never written to again. */
  view(bytes: Buffer): void;
  /** FIN behind what is queued; reading goes on. */
  end(): void;
  /** More is queued than the peer takes. Having read true here, the codec gets `room()` when it no longer is. */
  readonly full: boolean;
}

export interface Codec {
  /** Once, connected and secure: preface, HELLO, AUTH. */
  start(): void;
  /** `lent`: the buffer is reused as soon as this returns; what is parked must be copied. */
  decode(chunk: Buffer, lent: boolean): void;
  /** The peer's FIN, at most once: end, reset or fail what cannot go on. The core closes only when no stream is left. */
  peerEnded(): void;
  /** Holds heads, data and trailers from the next event on. Windows, resets and pings go on. */
  pause(): void;
  /** Ends `pause` and answers a Hold. May emit what was held, from inside this call. */
  resume(): void;
  /** Looked at after decode, credit, pause, resume and encode. False: the core stops reading the socket. */
  readonly reading: boolean;
  /** The other side took `bytes` of this id's data: open its window. */
  credit(id: number, bytes: number): void;
  /** Always taken (copied if lent). False: wait for `onWritable(id)` before more. */
  data(id: number, chunk: Buffer, end: boolean, lent: boolean): boolean;
  /** As `data`; a stream whose last call returned false ends at its `onWritable`. */
  trailers(id: number, trailers: Trailers): boolean;
  /** `Output.full` was read true and no longer is: serve waiting streams round robin. */
  room(): void;
  /** Gives up one stream. Never calls the sink. */
  reset(id: number, status: ProxyStatus): Reset;
  /** GOAWAY, Connection: close, a read-only event: the peer shall send no new requests here. */
  goAway(): void;
  /** The core's idle timer asks for a sign of life; the core closes if nothing is read until the next one. */
  keepalive(): void;
}

export interface ServerCodec extends Codec {
  /**
   * Writes the response's head (all of it if it has End) under the caller's own id. Never calls the sink.
   * All or nothing for the codec's own tables: append first, register last. `request` null: a server push. The request's bytes
   * were lent and may be gone by now: what an answer needs of them (the caller's id) is copied when the request is decoded.
   */
  encode(id: number, response: ResponseMessage, request: RequestMessage | null): void;
  /** Bytes of a head were read, and it is not whole. Looked at after decode and resume: the core bounds how long it may be so. */
  readonly midHead?: boolean;
  /** It was so for too long: may emit an answer, as to a malformed head, and `onGoAway`. Without it the core closes. */
  refuseHead?(status: ProxyStatus): void;
  /** Local replies to the calls of a run that were not answered. Only codecs that make runs need it. */
  replyRest?(status: ProxyStatus, request: RequestMessage): Buffer;
  /** A local reply, before any head was encoded for that request. `request` null: none could be read. */
  reply(status: ProxyStatus, request: RequestMessage | null): ResponseMessage;
}

export interface ClientCodec extends Codec {
  /** Writes the request under a core id; its answer comes back under it. Same duties as ServerCodec.encode. */
  encode(id: number, request: RequestMessage): void;
  /** Writes one more call of a request that was encoded last, which becomes a run, or a longer one. Same duties. */
  join?(id: number, request: RequestMessage, next: RequestMessage): void;
}

/** Whether the first bytes of a connection are this protocol. */
export type Detection = 'match' | 'reject' | 'more';

/** A named piece of a frame, for people: `meltemi codec decode`, hex views in logs. */
export interface FrameField {
  readonly name: string;
  /** Offset from the start of the frame. */
  readonly at: number;
  readonly bytes: number;
  readonly value: string;
}

/** The id of a frame, for tools that must tell and change it: the conformance kit. */
export interface FrameId {
  /** Of the widest id. */
  readonly bytes: number;
  /** `frame` may be followed by other bytes. */
  read(frame: Buffer): bigint;
  /** A copy of `frame` under this id, with the lengths around it. */
  write(frame: Buffer, id: bigint): Buffer;
}

/** Makes the codecs of one protocol. One object for the life of the process; it holds no state of connections. */
export interface CodecFactory<Options = unknown> {
  readonly manifest: ProtocolManifest;
  readonly alpn: readonly string[];
  /** `in-order`: the core answers each caller in the order of its requests. */
  readonly replies: 'in-order' | 'any-order';
  /** A caller's requests keep their order on one upstream connection (Redis). */
  readonly affinity: boolean;
  /** Default streams at once per connection; clusters may say otherwise for upstream. */
  readonly concurrency: { readonly downstream: number; readonly upstream: number };
  detect?(head: Buffer): Detection;
  /** `raw` is JSON from config, or undefined. Throws ConfigError that names every bad field; limits have defaults. */
  parseOptions(raw: unknown): Options;
  /** The fields of one frame as far as they can be read, in the order of its bytes. Never throws. */
  fieldsOf?(frame: Buffer): readonly FrameField[];
  /** Of a protocol with ids, unless `fieldsOf` names them `id` and they have a fixed size. */
  readonly frameId?: FrameId;
  createServerCodec(sink: Sink<RequestMessage>, out: Output, options: Options, maxStreams: number): ServerCodec;
  createClientCodec(sink: UpstreamSink, out: Output, options: Options, connectionKey: string): ClientCodec;
}
