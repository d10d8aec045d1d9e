/**
 * WholeMessageCodec: what all codecs of framed whole messages share in both directions: framing, holding while paused, the
 * peer's end behind what is held, and the parts of the contract that only streams have.
 */
import type { Codec, Output, Reset, Sink } from '../metaprotocol/codec.ts';
import type { Message } from '../metaprotocol/message.ts';
import type { ProxyStatus } from '../metaprotocol/status.ts';
import { type FrameFault, type FrameMeter, type FrameReceiver, Framer } from './framing.ts';

export abstract class WholeMessageCodec<M extends Message> implements Codec, FrameReceiver {
  protected readonly sink: Sink<M>;
  protected readonly out: Output;
  protected readonly framer: Framer;
  readonly #protocol: string;
  #ended = false;

  constructor(protocol: string, sink: Sink<M>, out: Output, meter: FrameMeter) {
    this.#protocol = protocol;
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

  /** Bytes of an unfinished frame, or held while paused. */
  get parkedBytes(): number {
    return this.framer.parkedBytes;
  }

  credit(): void {}

  data(): boolean {
    throw new Error(`${this.#protocol}: messages have no data`);
  }

  trailers(): boolean {
    throw new Error(`${this.#protocol}: messages have no trailers`);
  }

  room(): void {}

  goAway(): void {}

  keepalive(): void {}

  /** The sink may have closed, inside the call just made. */
  protected stopIfClosed(): void {
    if (this.sink.closed) this.framer.stop();
  }

  #end(): void {
    this.#ended = false;
    if (!this.framer.stopped && !this.sink.closed) this.onEnd();
  }
}
