/**
 * The codecs. Messages are whole, so there are no data, trailers or windows; answers are paired by `request_id`, which upstream
 * is the core's own. The protocol has no heartbeat and no goodbye. Streams are refused by their first frame.
 */
import {
  type ClientCodec,
  Flag,
  type FrameFault,
  type Message,
  type Output,
  type ProxyStatus,
  type RequestMessage,
  Reset,
  type ResponseMessage,
  refused,
  type ServerCodec,
  type Sink,
  Status,
  statusOf,
  type UpstreamSink,
  WholeMessageCodec,
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

/** What both directions share besides: the two kinds of frames. */
abstract class TrpcCodec<M extends Message> extends WholeMessageCodec<M> {
  protected readonly meta = new MetaReader();

  constructor(sink: Sink<M>, out: Output, options: TrpcOptions) {
    super('trpc', sink, out, new TrpcMeter(options));
  }

  protected abstract onUnary(bytes: Buffer, from: number, to: number, lent: boolean): void;
  protected abstract onStreamFrame(bytes: Buffer, from: number, to: number): void;

  override onFrame(bytes: Buffer, from: number, to: number, lent: boolean): void {
    if (bytes[from + TYPE_AT] === FrameType.Unary) this.onUnary(bytes, from, to, lent);
    else this.onStreamFrame(bytes, from, to);
    this.stopIfClosed();
  }

  /** What the last walk of a protobuf found wrong. */
  protected metaFault(): FrameFault {
    const { status, fault, faultAt } = this.meta;
    return { status, text: fault, at: faultAt };
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
      this.sink.onGoAway(statusOf(Status.unsupported, this.describeWithBytes(fault, bytes, from, to)));
    }
    // Feedback and close of a stream that was refused change nothing.
  }

  override onBadFrame(fault: FrameFault, bytes: Buffer, from: number, to: number): void {
    this.#refuse(fault, bytes, from, to);
  }

  protected override onEnd(): void {
    this.endDownstream();
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
    const status = statusOf(fault.status, this.describeWithBytes(fault, bytes, from, to));
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
    this.sink.onHead(++this.#lastId, refused(new RefusedRequest(head, answer), status));
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

  protected override onEnd(): void {
    this.endUpstream(this.#owed.size);
  }

  /** The answer of a call given up still comes; a oneway call has none. */
  override reset(id: number): Reset {
    return this.#owed.has(id) ? Reset.Owed : Reset.Done;
  }

  #fail(fault: FrameFault, bytes: Buffer, from: number, to: number): void {
    this.framer.stop();
    this.sink.onError(statusOf(Status.upstream_malformed, this.describeWithBytes(fault, bytes, from, to)));
  }
}
