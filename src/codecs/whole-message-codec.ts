/**
 * WholeMessageCodec: what all codecs of framed whole messages share in both directions: framing, holding while paused, the
 * peer's end behind what is held, words for what is wrong, and the parts of the contract that only streams have.
 */
import type { Codec, Output, Reset, Sink } from '../metaprotocol/codec.ts';
import type { Message } from '../metaprotocol/message.ts';
import { type ProxyStatus, Status, statusOf } from '../metaprotocol/status.ts';
import { type FrameFault, type FrameMeter, type FrameReceiver, Framer } from './framing.ts';

export abstract class WholeMessageCodec<M extends Message> implements Codec, FrameReceiver {
  protected readonly sink: Sink<M>;
  protected readonly out: Output;
  protected readonly framer: Framer;
  protected readonly protocol: string;
  #ended = false;

  constructor(protocol: string, sink: Sink<M>, out: Output, meter: FrameMeter) {
    this.protocol = protocol;
    this.sink = sink;
    this.out = out;
    this.framer = new Framer(meter, this);
  }

  abstract onFrame(bytes: Buffer, from: number, to: number, lent: boolean): void;
  abstract onBadFrame(fault: FrameFault, bytes: Buffer, from: number, to: number): void;
  abstract reset(id: number, status: ProxyStatus): Reset;
  /** The peer's FIN, when nothing is held any more. */
  protected abstract onEnd(): void;

  start(): void {}

  decode(chunk: Buffer, lent: boolean): void {
    this.framer.decode(chunk, lent);
  }

  peerEnded(): void {
    this.#ended = true;
    if (!this.framer.held) this.#end();
  }

  pause(): void {
    this.framer.hold();
  }

  resume(): void {
    if (this.framer.release() && this.#ended) this.#end();
  }

  get reading(): boolean {
    return !this.framer.held || this.framer.parkedBytes === 0;
  }

  get midHead(): boolean {
    return this.framer.midFrame;
  }

  /** Bytes of an unfinished frame, or held while paused. */
  get parkedBytes(): number {
    return this.framer.parkedBytes;
  }

  credit(): void {}

  data(): boolean {
    throw new Error(`${this.protocol}: messages have no data`);
  }

  trailers(): boolean {
    throw new Error(`${this.protocol}: messages have no trailers`);
  }

  room(): void {}

  goAway(): void {}

  keepalive(): void {}

  /** The sink may have closed, inside the call just made. */
  protected stopIfClosed(): void {
    if (this.sink.closed) this.framer.stop();
  }

  /** Of a caller: `onEnd` for codecs that cannot answer half a message. */
  protected endDownstream(): void {
    const { parkedBytes } = this;
    if (parkedBytes === 0) return;
    this.framer.stop();
    const text = `${this.protocol}: the connection ended ${parkedBytes} bytes into a frame`;
    this.sink.onError(statusOf(Status.malformed, text));
  }

  /** Of a server: nothing can be asked on a half-closed connection, so what is owed will not come. */
  protected endUpstream(owed: number): void {
    const { parkedBytes } = this;
    if (owed === 0 && parkedBytes === 0) {
      this.sink.onGoAway();
      return;
    }
    this.framer.stop();
    const text = `${this.protocol}: the upstream closed with ${owed} answers owed and ${parkedBytes} bytes of one`;
    this.sink.onError(statusOf(Status.upstream_reset, text));
  }

  /** `at`: offset from the start of the frame looked at last. */
  protected describe(text: string, at: number): string {
    return `${this.protocol}: ${text} at byte ${this.framer.frameOffset + at}`;
  }

  /** With the bytes around the fault, for the log. The frame is `bytes[from, to)` as far as it came. */
  protected describeWithBytes({ text, at }: FrameFault, bytes: Buffer, from: number, to: number): string {
    const place = from + at;
    const hex = (start: number, end: number) => bytes.toString('hex', Math.max(from, start), Math.min(to, end));
    return `${this.describe(text, at)}: ${hex(place - 16, place)}[${hex(place, place + 4)}]${hex(place + 4, place + 16)}`;
  }

  #end(): void {
    this.#ended = false;
    if (!this.framer.stopped && !this.sink.closed) this.onEnd();
  }
}
