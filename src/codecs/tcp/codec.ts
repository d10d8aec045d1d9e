/**
 * The TCP codecs: a connection is one stream from its first moment on, so that a server may speak first. Its bytes pass as they are,
 * both ways, until each end said its FIN.
 */
import {
  type ClientCodec,
  type Codec,
  type Output,
  Reset,
  type ServerCodec,
  type Sink,
  type UpstreamSink,
} from '../../metaprotocol/codec.ts';
import { Flag, type Message, type RequestMessage, type ResponseMessage } from '../../metaprotocol/message.ts';
import { NO_ANSWER, TcpMessage } from './message.ts';
import type { TcpOptions } from './options.ts';

const EMPTY = Buffer.alloc(0);
/** From here on a chunk that nobody reuses is passed by reference. */
const VIEW_BYTES = 16_384;

abstract class TcpCodec<M extends Message> implements Codec {
  protected readonly sink: Sink<M>;
  protected readonly out: Output;
  protected id = 0;
  protected sendEnded = false;
  /** Reset: what still comes is nobody's. */
  protected stopped = false;
  readonly #windowBytes: number;
  #uncredited = 0;
  #paused = false;
  #held: Buffer[] = [];
  #peerEnd = false;
  #waiting = false;

  constructor(sink: Sink<M>, out: Output, options: TcpOptions) {
    this.sink = sink;
    this.out = out;
    this.#windowBytes = options.windowBytes;
  }

  abstract start(): void;
  /** Before the first event of the stream. False: there is no stream. */
  protected abstract announce(): boolean;

  decode(chunk: Buffer, lent: boolean): void {
    if (this.stopped || this.sink.closed) return;
    if (this.#paused) this.#held.push(lent ? Buffer.from(chunk) : chunk);
    else this.#emit(chunk);
  }

  peerEnded(): void {
    this.#peerEnd = true;
    this.#settle();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    while (!this.#paused && !this.stopped && !this.sink.closed) {
      const chunk = this.#held.shift();
      if (chunk === undefined) break;
      this.#emit(chunk);
    }
    this.#settle();
  }

  get reading(): boolean {
    return this.#uncredited <= this.#windowBytes && this.#held.length === 0;
  }

  credit(_id: number, bytes: number): void {
    this.#uncredited -= bytes;
  }

  data(id: number, chunk: Buffer, end: boolean, lent: boolean): boolean {
    if (id !== this.id || this.stopped) return true;
    if (chunk.length > 0) {
      if (lent || chunk.length < VIEW_BYTES) this.out.append(chunk, 0, chunk.length);
      else this.out.view(chunk);
    }
    if (end) {
      this.sendEnded = true;
      this.out.end();
    }
    if (!this.out.full) return true;
    this.#waiting = true;
    return false;
  }

  trailers(): boolean {
    throw new Error('tcp: bytes have no trailers');
  }

  room(): void {
    if (!this.#waiting) return;
    this.#waiting = false;
    this.sink.onWritable(this.id);
  }

  /** Only closing tells the peer. */
  reset(id: number): Reset {
    if (id !== this.id) return Reset.Done;
    this.stopped = true;
    return Reset.Close;
  }

  goAway(): void {}

  keepalive(): void {}

  #emit(chunk: Buffer): void {
    if (!this.announce()) return;
    this.#uncredited += chunk.length;
    this.sink.onData(this.id, chunk, false);
  }

  #settle(): void {
    if (!this.#peerEnd || this.#paused || this.stopped || this.sink.closed) return;
    this.#peerEnd = false;
    if (this.announce()) this.sink.onData(this.id, EMPTY, true);
  }
}

export class TcpServerCodec extends TcpCodec<RequestMessage> implements ServerCodec {
  override start(): void {
    this.id = 1;
    this.sink.onHead(1, new TcpMessage(0));
    // The connection is this stream and ends with it.
    if (!this.sink.closed) this.sink.onGoAway();
  }

  encode(): void {}

  reply(): ResponseMessage {
    return NO_ANSWER;
  }

  protected override announce(): boolean {
    return true;
  }
}

export class TcpClientCodec extends TcpCodec<ResponseMessage> implements ClientCodec {
  readonly #upstream: UpstreamSink;
  #announced = false;

  constructor(sink: UpstreamSink, out: Output, options: TcpOptions) {
    super(sink, out, options);
    this.#upstream = sink;
  }

  override start(): void {
    this.#upstream.onReady(1);
  }

  encode(id: number): void {
    this.id = id;
  }

  /** Both directions stay open until each has ended, so the answer is a tunnel unless the request has ended already. */
  protected override announce(): boolean {
    if (this.#announced) return !this.sink.closed;
    // Spoken to before anybody was connected through: such a connection is not to be used.
    this.sink.onGoAway();
    if (this.sink.closed || this.id === 0) return false;
    this.#announced = true;
    this.sink.onHead(this.id, new TcpMessage(this.sendEnded ? 0 : Flag.Tunnel));
    return !this.sink.closed;
  }
}
