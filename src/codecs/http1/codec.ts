/** Http1Codec: what both sides of HTTP/1.1 share: parking, pausing, reading heads and bodies, windows, tunnels. */
import type { Codec, Output, Reset, Sink } from '../../metaprotocol/codec.ts';
import type { Message, Trailers } from '../../metaprotocol/message.ts';
import type { ProxyStatus } from '../../metaprotocol/status.ts';
import { BodyWriter } from './body-writer.ts';
import { ChunkLine } from './chunk-reader.ts';
import { Fields } from './fields.ts';
import { HeadRules } from './head-rules.ts';
import { Http1Trailers } from './message.ts';
import type { Http1Options } from './options.ts';
import { BAD, MORE, SectionReader } from './section-reader.ts';
import { EMPTY, Framing } from './wire.ts';

/** What the next byte belongs to. */
export const Phase = {
  Head: 0,
  Length: 1,
  ChunkLine: 2,
  ChunkData: 3,
  Trailers: 4,
  UntilClose: 5,
  Tunnel: 6,
  /** Nothing more is read: an error, a reset, or a connection that takes no further message. */
  Stopped: 7,
} as const;
export type Phase = (typeof Phase)[keyof typeof Phase];

/** Trailers may not say again what frames, addresses or secures the message (RFC 9110 §6.5.1). */
const NOT_IN_TRAILERS = new Set(
  'authorization connection content-encoding content-length content-range content-type cookie expect host keep-alive max-forwards proxy-authorization proxy-connection range set-cookie te trailer transfer-encoding upgrade'.split(
    ' ',
  ),
);

export abstract class Http1Codec<M extends Message> implements Codec {
  protected readonly sink: Sink<M>;
  protected readonly out: Output;
  protected readonly options: Http1Options;
  protected readonly section: SectionReader;
  protected readonly rules = new HeadRules();
  protected readonly writer: BodyWriter;
  protected phase: Phase = Phase.Head;
  /** The message whose body is read; 0: none. */
  protected current = 0;
  readonly #chunkLine: ChunkLine;
  #left = 0;
  #uncredited = 0;
  #paused = false;
  #running = false;
  /** The peer's FIN came and was not told yet. */
  #peerEnd = false;
  #waitingId = 0;
  /** Bytes [#parkedFrom, #parkedTo) of it are still to be read. Never written to again below #parkedTo. */
  #parked: Buffer = EMPTY;
  #parkedFrom = 0;
  #parkedTo = 0;
  /** Bytes of this connection before what is parked, for error texts. */
  #offset = 0;

  constructor(sink: Sink<M>, out: Output, options: Http1Options) {
    this.sink = sink;
    this.out = out;
    this.options = options;
    this.section = new SectionReader(options);
    this.writer = new BodyWriter(out);
    this.#chunkLine = new ChunkLine(options.chunkLineLimitBytes);
  }

  abstract start(): void;
  abstract reset(id: number, status: ProxyStatus): Reset;
  abstract goAway(): void;
  protected abstract sendEnded(): void;
  /** Bytes of a head are there. False: they wait, or nothing more is read. */
  protected abstract mayReadHead(): boolean;
  /** A head of `length` bytes was read. */
  protected abstract onHeadRead(bytes: Buffer, base: number, length: number, lent: boolean, left: boolean): void;
  protected abstract onBadHead(at: number): void;
  /** The body of `current` is malformed. */
  protected abstract onBadBody(text: string): void;
  /** Before the event that ends the message that is read. `left`: bytes follow. False: the sink closed. */
  protected abstract onEnding(left: boolean): boolean;
  /** The peer's FIN, behind all that was parked. */
  protected abstract onPeerEnd(): void;

  decode(chunk: Buffer, lent: boolean): void {
    if (this.phase === Phase.Stopped) return;
    if (this.#parkedTo > this.#parkedFrom) {
      this.#park(chunk, 0, chunk.length);
      this.#runParked();
      return;
    }
    const at = this.#run(chunk, 0, chunk.length, lent);
    this.#offset += at;
    if (at < chunk.length) this.#park(chunk, at, chunk.length);
  }

  peerEnded(): void {
    this.#peerEnd = true;
    this.#settlePeerEnd();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#runParked();
    this.#settlePeerEnd();
  }

  get reading(): boolean {
    if (this.#uncredited > this.options.windowBytes) return false;
    const parked = this.parkedBytes;
    return parked === 0 || (!this.#paused && parked <= this.options.heldLimitBytes);
  }

  get parkedBytes(): number {
    return this.#parkedTo - this.#parkedFrom;
  }

  credit(id: number, bytes: number): void {
    // Of a message that was read to its end nothing is held back any more.
    if (id === this.current && this.phase !== Phase.Head) this.#uncredited -= bytes;
  }

  data(id: number, chunk: Buffer, end: boolean, lent: boolean): boolean {
    if (!this.mayWrite(id)) return true;
    if (this.phase === Phase.Tunnel) {
      if (chunk.length > 0) {
        if (lent) this.out.append(chunk, 0, chunk.length);
        else this.out.view(chunk);
      }
      if (end) this.out.end();
    } else {
      this.writer.data(chunk, end, lent);
    }
    if (end) this.sendEnded();
    return this.#taken(id);
  }

  trailers(id: number, trailers: Trailers): boolean {
    if (!this.mayWrite(id)) return true;
    this.writer.trailers(trailers);
    this.sendEnded();
    return this.#taken(id);
  }

  room(): void {
    const id = this.#waitingId;
    this.#waitingId = 0;
    if (id !== 0) this.sink.onWritable(id);
  }

  keepalive(): void {}

  protected mayWrite(id: number): boolean {
    return id === this.current && this.phase !== Phase.Stopped;
  }

  /** The next bytes are the body of message `id`. */
  protected startBody(id: number, framing: Framing, contentLength: number): void {
    this.current = id;
    this.#uncredited = 0;
    this.#left = contentLength;
    if (framing === Framing.Length) this.phase = Phase.Length;
    else if (framing === Framing.UntilClose) this.phase = Phase.UntilClose;
    else if (framing === Framing.Chunked) {
      this.#chunkLine.reset(false);
      this.phase = Phase.ChunkLine;
    } else this.phase = Phase.Head;
  }

  protected stop(): void {
    this.phase = Phase.Stopped;
    this.#parked = EMPTY;
    this.#parkedFrom = 0;
    this.#parkedTo = 0;
  }

  protected describe(text: string, at = 0): string {
    return `http1: ${text} at byte ${this.#offset + at}`;
  }

  #taken(id: number): boolean {
    if (!this.out.full) return true;
    this.#waitingId = id;
    return false;
  }

  #settlePeerEnd(): void {
    if (!this.#peerEnd || this.#paused || this.sink.closed || this.phase === Phase.Stopped) return;
    this.#peerEnd = false;
    this.onPeerEnd();
  }

  #runParked(): void {
    if (this.#running || this.#parkedTo === this.#parkedFrom) return;
    const from = this.#parkedFrom;
    const at = this.#run(this.#parked, from, this.#parkedTo, false);
    if (this.phase === Phase.Stopped) return;
    this.#offset += at - from;
    this.#parkedFrom = at;
    if (at === this.#parkedTo) {
      this.#parked = EMPTY;
      this.#parkedFrom = 0;
      this.#parkedTo = 0;
    }
  }

  /** Reads as far as it may; returns where it stopped. */
  #run(bytes: Buffer, from: number, to: number, lent: boolean): number {
    this.#running = true;
    let at = from;
    while (at < to && !this.#paused && !this.sink.closed) {
      const next = this.#step(bytes, at, to, lent);
      if (next < 0) break;
      at = next;
    }
    this.#running = false;
    return this.phase === Phase.Stopped ? to : at;
  }

  /** One head, piece of a body, or line. Returns where the next begins; -1: stop here. */
  #step(bytes: Buffer, at: number, to: number, lent: boolean): number {
    switch (this.phase) {
      case Phase.Head: {
        if (!this.mayReadHead()) return -1;
        const length = this.section.read(bytes, at, to);
        if (length === MORE) return -1;
        if (length === BAD) {
          this.onBadHead(this.section.fault!.at);
          return -1;
        }
        this.onHeadRead(bytes, at, length, lent, at + length < to);
        this.section.reset(false);
        return at + length;
      }
      case Phase.Length: {
        const end = at + Math.min(this.#left, to - at);
        this.#left -= end - at;
        this.#emit(bytes, at, end, this.#left === 0, end < to);
        return end;
      }
      case Phase.ChunkLine: {
        const next = this.#chunkLine.read(bytes, at, to);
        if (next < 0) {
          this.onBadBody(this.#chunkLine.fault);
          return -1;
        }
        if (this.#chunkLine.done) {
          this.#left = this.#chunkLine.size;
          if (this.#left === 0) this.section.reset(true);
          this.phase = this.#left === 0 ? Phase.Trailers : Phase.ChunkData;
        }
        return next;
      }
      case Phase.ChunkData: {
        const end = at + Math.min(this.#left, to - at);
        this.#left -= end - at;
        if (this.#left === 0) {
          this.#chunkLine.reset(true);
          this.phase = Phase.ChunkLine;
        }
        this.#emit(bytes, at, end, false, false);
        return end;
      }
      case Phase.Trailers:
        return this.#readTrailers(bytes, at, to);
      case Phase.UntilClose:
      case Phase.Tunnel:
        this.#emit(bytes, at, to, false, false);
        return to;
      default:
        return -1;
    }
  }

  #emit(bytes: Buffer, from: number, to: number, end: boolean, left: boolean): void {
    const id = this.current;
    this.#uncredited += to - from;
    if (end) {
      this.phase = Phase.Head;
      this.#uncredited = 0;
      if (!this.onEnding(left)) return;
    }
    this.sink.onData(id, bytes.subarray(from, to), end);
  }

  #readTrailers(bytes: Buffer, at: number, to: number): number {
    const { section } = this;
    const length = section.read(bytes, at, to);
    if (length === MORE) return -1;
    if (length === BAD) {
      this.onBadBody(`${section.fault!.text} in trailers`);
      return -1;
    }
    const id = this.current;
    const left = at + length < to;
    let fields: Fields | null = null;
    if (section.count > 0) {
      fields = Fields.of(section, Buffer.from(bytes.subarray(at, at + length)), 0);
      for (let index = 0; index < fields.count; index++) {
        const name = fields.name(index);
        if (!NOT_IN_TRAILERS.has(name)) continue;
        this.onBadBody(`${name} in trailers`);
        return -1;
      }
    }
    section.reset(false);
    this.phase = Phase.Head;
    this.#uncredited = 0;
    if (!this.onEnding(left)) return at + length;
    if (fields === null) this.sink.onData(id, EMPTY, true);
    else this.sink.onTrailers(id, new Http1Trailers(fields));
    return at + length;
  }

  /** Copies: what was read is lent, or may still be looked at through messages. */
  #park(bytes: Buffer, from: number, to: number): void {
    const more = to - from;
    const held = this.#parkedTo - this.#parkedFrom;
    if (this.#parkedTo + more > this.#parked.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(1_024, (held + more) * 2));
      this.#parked.copy(grown, 0, this.#parkedFrom, this.#parkedTo);
      this.#parked = grown;
      this.#parkedFrom = 0;
      this.#parkedTo = held;
    }
    bytes.copy(this.#parked, this.#parkedTo, from, to);
    this.#parkedTo += more;
  }
}
