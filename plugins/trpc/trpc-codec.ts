/**
 * The codecs. Messages are whole, so there are no data, trailers or windows; answers are paired by `request_id`, which upstream
 * is the core's own. The protocol has no heartbeat and no goodbye. Streams are refused by their first frame.
 */
import {
  type ClientCodec,
  type Codec,
  Flag,
  type FrameFault,
  type FrameReceiver,
  Framer,
  type Message,
  type Output,
  type ProxyStatus,
  type RequestMessage,
  Reset,
  type ResponseMessage,
  type ServerCodec,
  type Sink,
  Status,
  statusOf,
  type UpstreamSink,
} from 'meltemi/codec';
import { REQUEST_SIDE, RESPONSE_SIDE } from './attributes.ts';
import { TrpcMeter, type TrpcOptions } from './frame-meter.ts';
import { requestFlags, TrpcRequest, TrpcResponse } from './message.ts';
import { MetaReader } from './meta.ts';
import { RefusedRequest, StreamRefusal } from './refused-request.ts';
import { localReply, NO_STREAMS, streamRefusal } from './reply.ts';
import { FIXED_BYTES, FrameType, STREAM_ID_AT, STREAM_TYPE_AT, StreamType, TYPE_AT, VERSION_AT } from './wire.ts';
import { writeMessage } from './write-message.ts';

/** Ids put no bound of their own on calls in flight. */
const MANY_STREAMS = 0x7fff_ffff;
/** An id that the core never counted: it drops and counts what comes under it. */
const NO_STREAM = -1;

/** What both directions share: framing, holding, and all that whole messages do not need. */
abstract class TrpcCodec<M extends Message> implements Codec, FrameReceiver {
  protected readonly sink: Sink<M>;
  protected readonly out: Output;
  protected readonly framer: Framer;
  protected readonly meta = new MetaReader();
  #ended = false;

  constructor(sink: Sink<M>, out: Output, options: TrpcOptions) {
    this.sink = sink;
    this.out = out;
    this.framer = new Framer(new TrpcMeter(options), this);
  }

  protected abstract onUnary(bytes: Buffer, from: number, to: number, lent: boolean): void;
  protected abstract onStreamFrame(bytes: Buffer, from: number, to: number): void;
  protected abstract onEnd(): void;
  abstract onBadFrame(fault: FrameFault, bytes: Buffer, from: number, to: number): void;
  abstract reset(id: number, status: ProxyStatus): Reset;

  start(): void {}

  decode(chunk: Buffer, lent: boolean): void {
    this.framer.decode(chunk, lent);
  }

  onFrame(bytes: Buffer, from: number, to: number, lent: boolean): void {
    if (bytes[from + TYPE_AT] === FrameType.Unary) this.onUnary(bytes, from, to, lent);
    else this.onStreamFrame(bytes, from, to);
    // The sink may have closed inside the call just made.
    if (this.sink.closed) this.framer.stop();
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

  credit(): void {}

  data(): boolean {
    throw new Error('trpc: messages have no data');
  }

  trailers(): boolean {
    throw new Error('trpc: messages have no trailers');
  }

  room(): void {}

  goAway(): void {}

  keepalive(): void {}

  #end(): void {
    this.#ended = false;
    if (!this.framer.stopped && !this.sink.closed) this.onEnd();
  }

  /** What the last walk of a protobuf found wrong. */
  protected metaFault(): FrameFault {
    const { status, fault, faultAt } = this.meta;
    return { status, text: fault, at: faultAt };
  }

  /** With the bytes around the fault. The frame is `bytes[from, to)` as far as it came. */
  protected describe({ text, at }: FrameFault, bytes: Buffer, from: number, to: number): string {
    const place = from + at;
    const hex = (start: number, end: number) => bytes.toString('hex', Math.max(from, start), Math.min(to, end));
    const around = `${hex(place - 16, place)}[${hex(place, place + 4)}]${hex(place + 4, place + 16)}`;
    return `trpc: ${text} at byte ${this.framer.frameOffset + at}: ${around}`;
  }
}

export class TrpcServerCodec extends TrpcCodec<RequestMessage> implements ServerCodec {
  #lastId = 0;

  protected override onUnary(bytes: Buffer, from: number, to: number, lent: boolean): void {
    const { meta } = this;
    if (!meta.read(REQUEST_SIDE, bytes, from)) {
      this.#refuse(this.metaFault(), bytes, from, to);
      return;
    }
    this.sink.onHead(++this.#lastId, new TrpcRequest(meta, requestFlags(meta.callType), bytes, from, to, lent));
  }

  /** Only the stream is refused: unary calls of the same connection go on. */
  protected override onStreamFrame(bytes: Buffer, from: number, to: number): void {
    const type = bytes[from + STREAM_TYPE_AT]!;
    if (type === StreamType.Init) {
      const head = Buffer.from(bytes.subarray(from, from + FIXED_BYTES));
      this.sink.onHead(++this.#lastId, new RefusedRequest(head, streamRefusal(head)));
    } else if (type === StreamType.Data) {
      const text = `data of a stream that was not opened: ${NO_STREAMS.detail}`;
      this.framer.stop();
      const fault = { status: Status.unsupported, text, at: STREAM_ID_AT };
      this.sink.onGoAway(statusOf(Status.unsupported, this.describe(fault, bytes, from, to)));
    }
    // Feedback and close of a stream that was refused change nothing.
  }

  override onBadFrame(fault: FrameFault, bytes: Buffer, from: number, to: number): void {
    this.#refuse(fault, bytes, from, to);
  }

  protected override onEnd(): void {
    const { parkedBytes } = this.framer;
    if (parkedBytes === 0) return;
    this.framer.stop();
    this.sink.onError(statusOf(Status.malformed, `trpc: the connection ended ${parkedBytes} bytes into a frame`));
  }

  encode(_id: number, response: ResponseMessage, request: RequestMessage | null): void {
    if (request === null) throw new Error('trpc: a server cannot push');
    if ((request.flags & Flag.Oneway) !== 0) return;
    if (response instanceof StreamRefusal) {
      this.out.append(response.raw, 0, response.raw.length);
      return;
    }
    const call = request as TrpcRequest | RefusedRequest;
    writeMessage(this.out, response as TrpcResponse, call.id, call.streamId);
  }

  reply(status: ProxyStatus, request: RequestMessage | null): ResponseMessage {
    return localReply(this.meta, status, request as TrpcRequest | RefusedRequest | null);
  }

  /** The protocol has no word for giving up: without an answer only closing tells its caller. */
  override reset(): Reset {
    return Reset.Close;
  }

  /** Who can be told gets an answer, in its turn; the connection ends either way. */
  #refuse(fault: FrameFault, bytes: Buffer, from: number, to: number): void {
    const status = statusOf(fault.status, this.describe(fault, bytes, from, to));
    this.framer.stop();
    // From version 1 on the fixed head tells the request's id.
    const known = fault.at > TYPE_AT && to - from >= FIXED_BYTES && bytes[from + TYPE_AT] === FrameType.Unary;
    if (!known || bytes[from + VERSION_AT] === 0) {
      this.sink.onError(status);
      return;
    }
    const head = Buffer.from(bytes.subarray(from, from + FIXED_BYTES));
    const text = `trpc: ${fault.text}`;
    const answer = localReply(this.meta, statusOf(fault.status, text), null);
    answer.bytes[VERSION_AT] = head[VERSION_AT]!;
    this.sink.onHead(++this.#lastId, new RefusedRequest(head, answer));
    if (!this.sink.closed) this.sink.onGoAway(status);
  }
}

export class TrpcClientCodec extends TrpcCodec<ResponseMessage> implements ClientCodec {
  readonly #upstream: UpstreamSink;
  /** Requests whose answer has not come. */
  readonly #owed = new Set<number>();

  constructor(sink: UpstreamSink, out: Output, options: TrpcOptions) {
    super(sink, out, options);
    this.#upstream = sink;
  }

  override start(): void {
    this.#upstream.onReady(MANY_STREAMS);
  }

  encode(id: number, request: RequestMessage): void {
    const call = request as TrpcRequest;
    // In version 0 that part of the fixed head means nothing for unary calls.
    writeMessage(this.out, call, id, call.version === 0 ? call.streamId : id);
    if ((call.flags & Flag.Oneway) === 0) this.#owed.add(id);
  }

  protected override onUnary(bytes: Buffer, from: number, to: number, lent: boolean): void {
    const { meta } = this;
    if (!meta.read(RESPONSE_SIDE, bytes, from)) {
      this.#fail(this.metaFault(), bytes, from, to);
      return;
    }
    const id = this.#owed.delete(meta.id) ? meta.id : NO_STREAM;
    this.sink.onHead(id, new TrpcResponse(meta, bytes, from, to, lent, false));
  }

  protected override onStreamFrame(bytes: Buffer, from: number, to: number): void {
    const text = 'a frame of a stream, though none was opened';
    this.#fail({ status: Status.malformed, text, at: TYPE_AT }, bytes, from, to);
  }

  override onBadFrame(fault: FrameFault, bytes: Buffer, from: number, to: number): void {
    this.#fail(fault, bytes, from, to);
  }

  /** Nothing can be asked on a half-closed connection: what is owed will not come. */
  protected override onEnd(): void {
    const owed = this.#owed.size;
    const { parkedBytes } = this.framer;
    if (owed === 0 && parkedBytes === 0) {
      this.sink.onGoAway();
      return;
    }
    this.framer.stop();
    const text = `trpc: the upstream closed with ${owed} answers owed and ${parkedBytes} bytes of one`;
    this.sink.onError(statusOf(Status.upstream_reset, text));
  }

  /** The answer of a call given up still comes; a oneway call has none. */
  override reset(id: number): Reset {
    return this.#owed.has(id) ? Reset.Owed : Reset.Done;
  }

  #fail(fault: FrameFault, bytes: Buffer, from: number, to: number): void {
    this.framer.stop();
    this.sink.onError(statusOf(Status.upstream_malformed, this.describe(fault, bytes, from, to)));
  }
}
