/** RedisCodec: what both directions share: framing, holding, replication streams, and all that whole messages do not need. */
import type { Codec, Output, Reset, Sink } from '../../metaprotocol/codec.ts';
import type { Message } from '../../metaprotocol/message.ts';
import type { ProxyStatus } from '../../metaprotocol/status.ts';
import { type FrameFault, type FrameMeter, type FrameReceiver, Framer } from '../framing.ts';
import type { KeptBytes } from './kept-bytes.ts';
import { LentChunk } from './lent-chunk.ts';
import type { RedisOptions } from './options.ts';

const EMPTY = Buffer.alloc(0);
/** Bytes of a replication stream that may be on their way to the other side before this one is not read. */
const STREAM_WINDOW_BYTES = 262_144;

export abstract class RedisCodec<M extends Message> implements Codec, FrameReceiver {
  protected readonly sink: Sink<M>;
  protected readonly out: Output;
  protected readonly framer: Framer;
  readonly #meter: FrameMeter & { opaque: boolean };
  readonly #kept: KeptBytes;
  readonly #heldLimitBytes: number;
  #ended = false;
  /** The stream that SYNC turned the connection into; 0: none. */
  protected streamId = 0;
  #uncreditedBytes = 0;
  #isFull = false;
  #chunk: LentChunk | null = null;

  constructor(
    sink: Sink<M>,
    out: Output,
    meter: FrameMeter & { opaque: boolean },
    kept: KeptBytes,
    options: RedisOptions,
  ) {
    this.sink = sink;
    this.out = out;
    this.#meter = meter;
    this.#kept = kept;
    this.framer = new Framer(meter, this);
    this.#heldLimitBytes = options.heldLimitBytes;
  }

  abstract start(): void;
  abstract onFrame(bytes: Buffer, from: number, to: number, lent: boolean): void;
  abstract onBadFrame(fault: FrameFault): void;
  abstract reset(id: number, status: ProxyStatus): Reset;
  /** What was there is decoded: nothing stays untold. */
  protected abstract onDecoded(): void;
  /** The peer's FIN, when nothing is held any more. */
  protected abstract onEnd(): void;

  decode(chunk: Buffer, lent: boolean): void {
    this.framer.decode(chunk, lent);
    this.onDecoded();
    this.#chunk = null;
  }

  /** Of frames that stand in the buffer that is being decoded. */
  protected chunkOf(bytes: Buffer, lent: boolean): LentChunk | null {
    if (!lent) return null;
    this.#chunk ??= new LentChunk(bytes, this.#kept);
    return this.#chunk;
  }

  peerEnded(): void {
    this.#ended = true;
    if (!this.framer.held) this.#end();
  }

  pause(): void {
    this.framer.hold();
  }

  resume(): void {
    const isAll = this.framer.release();
    this.onDecoded();
    if (isAll && this.#ended) this.#end();
  }

  get reading(): boolean {
    if (this.framer.held) return this.framer.parkedBytes <= this.#heldLimitBytes;
    return this.#uncreditedBytes < STREAM_WINDOW_BYTES;
  }

  get midHead(): boolean {
    return this.framer.midFrame;
  }

  /** Bytes of an unfinished message, or held while paused. */
  get parkedBytes(): number {
    return this.framer.parkedBytes;
  }

  credit(id: number, bytes: number): void {
    // Answers of a run are never held back: others share their connection.
    if (id === this.streamId) this.#uncreditedBytes -= bytes;
  }

  data(id: number, chunk: Buffer, end: boolean, lent: boolean): boolean {
    if (id !== this.streamId) throw new Error(`redis: data for stream ${id}, whose message is whole`);
    this.writeChunk(chunk, lent);
    if (end) this.out.end();
    this.#isFull = this.out.full;
    return !this.#isFull;
  }

  trailers(): boolean {
    throw new Error('redis: messages have no trailers');
  }

  room(): void {
    if (!this.#isFull) return;
    this.#isFull = false;
    this.sink.onWritable(this.streamId);
  }

  goAway(): void {}

  keepalive(): void {}

  #end(): void {
    this.#ended = false;
    if (this.framer.stopped || this.sink.closed) return;
    if (this.streamId === 0) this.onEnd();
    else this.sink.onData(this.streamId, EMPTY, true);
  }

  /** From here on bytes pass as they are. */
  protected becomeStream(id: number): void {
    this.streamId = id;
    this.#meter.opaque = true;
  }

  protected passStream(bytes: Buffer, from: number, to: number): void {
    this.#uncreditedBytes += to - from;
    this.sink.onData(this.streamId, bytes.subarray(from, to), false);
  }

  protected writeChunk(chunk: Buffer, lent: boolean): void {
    if (lent) this.write(chunk);
    else this.out.view(chunk);
  }

  protected write(bytes: Buffer): void {
    this.out.append(bytes, 0, bytes.length);
  }

  protected describe(fault: FrameFault): string {
    return `redis: ${fault.text} at byte ${this.framer.frameOffset + fault.at}`;
  }
}
