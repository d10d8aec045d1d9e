/**
 * The brpc codecs. Messages are whole, so there are no data, trailers or windows; answers are paired by correlation id, which
 * upstream is the core's own. The protocol has no heartbeats and no word for going away.
 */
import {
  type ClientCodec,
  type Codec,
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
import { AttributeReader } from './attributes.ts';
import { bytesField } from './field-walker.ts';
import { PrpcMeter, readUint32 } from './frame-meter.ts';
import { BrpcRequest, BrpcResponse, type MessageContext } from './message.ts';
import { MetaIndex } from './meta-index.ts';
import type { BrpcOptions } from './options.ts';
import { errorReply } from './reply.ts';
import { HEAD_BYTES, META_BYTES_AT, MetaTag } from './wire.ts';
import { writeMessage } from './write-message.ts';

/** Ids put no bound of their own on calls in flight. */
const MANY_STREAMS = 0x7fff_ffff;
/** For answers whose id is none of the core's: it drops and counts them. */
const NO_STREAM = -1;
const NO_STREAMING = statusOf(
  Status.unsupported,
  'brpc: stream_settings: streaming RPC needs a connection of its own, and is not supported',
);

/** What both directions share: framing, holding, and all that whole messages do not need. */
abstract class BrpcCodec<M extends Message> implements Codec, FrameReceiver {
  protected readonly sink: Sink<M>;
  protected readonly out: Output;
  protected readonly framer: Framer;
  protected readonly context: MessageContext;
  protected readonly index = new MetaIndex();
  #ended = false;

  constructor(sink: Sink<M>, out: Output, options: BrpcOptions) {
    this.sink = sink;
    this.out = out;
    this.framer = new Framer(new PrpcMeter(options), this);
    this.context = { reader: new AttributeReader(), options };
  }

  abstract reset(id: number, status: ProxyStatus): Reset;
  /** `index` has read its meta. */
  protected abstract onMessage(bytes: Buffer, from: number, to: number, lent: boolean): void;
  protected abstract onFault(fault: FrameFault): void;
  /** The peer's FIN, when nothing is held any more. */
  protected abstract onEnd(): void;

  start(): void {}

  decode(chunk: Buffer, lent: boolean): void {
    this.framer.decode(chunk, lent);
  }

  onFrame(bytes: Buffer, from: number, to: number, lent: boolean): void {
    const metaFrom = from + HEAD_BYTES;
    if (this.index.read(bytes, metaFrom, metaFrom + readUint32(bytes, from + META_BYTES_AT))) {
      this.onMessage(bytes, from, to, lent);
    } else {
      const { fault, faultAt } = this.index;
      this.fail({ status: Status.malformed, text: `RpcMeta: ${fault}`, at: faultAt - from });
    }
    // The sink may have closed, inside the call just made.
    if (this.sink.closed) this.framer.stop();
  }

  onBadFrame(fault: FrameFault): void {
    this.fail(fault);
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
    throw new Error('brpc: messages have no data');
  }

  trailers(): boolean {
    throw new Error('brpc: messages have no trailers');
  }

  room(): void {}

  goAway(): void {}

  keepalive(): void {}

  protected fail(fault: FrameFault): void {
    this.framer.stop();
    this.onFault({ ...fault, text: `brpc: ${fault.text} at byte ${this.framer.frameOffset + fault.at}` });
  }

  #end(): void {
    this.#ended = false;
    if (!this.framer.stopped && !this.sink.closed) this.onEnd();
  }
}

export class BrpcServerCodec extends BrpcCodec<RequestMessage> implements ServerCodec {
  #lastId = 0;
  /** Callers may say who they are in their first request only. */
  #connectionKey = '';

  protected override onMessage(bytes: Buffer, from: number, to: number, lent: boolean): void {
    const { index, context } = this;
    if (!index.isRequest) {
      this.fail({ status: Status.malformed, text: 'a response where a request is expected', at: HEAD_BYTES });
      return;
    }
    const { idAt, idEnd, idHigh, idLow, authAt, authEnd } = index;
    const authenticates = authAt !== -1;
    const metaFrom = from + HEAD_BYTES;
    if (authenticates) this.#connectionKey = bytes.toString('latin1', metaFrom + authAt, metaFrom + authEnd);
    const request = new BrpcRequest(context, bytes, from, to, lent, {
      idAt,
      idEnd,
      idHigh,
      idLow,
      connectionKey: this.#connectionKey,
      authenticates,
      answer: index.opensStream ? errorReply(NO_STREAMING, context) : null,
    });
    this.sink.onHead(++this.#lastId, request);
  }

  /** The caller's id is in the meta, which is not read of a frame that is refused: it cannot be answered. */
  protected override onFault({ status, text }: FrameFault): void {
    this.sink.onError(statusOf(status, text));
  }

  protected override onEnd(): void {
    const { parkedBytes } = this.framer;
    if (parkedBytes === 0) return;
    const text = `the connection ended ${parkedBytes} bytes into a frame`;
    this.fail({ status: Status.malformed, text, at: 0 });
  }

  encode(_id: number, response: ResponseMessage, request: RequestMessage | null): void {
    const call = request as BrpcRequest | null;
    if (call === null) throw new Error('brpc: a server cannot push');
    writeMessage(this.out, response as BrpcResponse, call.idHigh, call.idLow, null);
  }

  reply(status: ProxyStatus): ResponseMessage {
    return errorReply(status, this.context);
  }

  /** A call that is not answered hangs until its own timeout: only closing tells its caller. */
  override reset(): Reset {
    return Reset.Close;
  }
}

export class BrpcClientCodec extends BrpcCodec<ResponseMessage> implements ClientCodec {
  readonly #upstream: UpstreamSink;
  /** Calls whose answer has not come. */
  readonly #owed = new Set<number>();
  /** What the first request must carry; null: nothing, or it was sent. */
  #authentication: Buffer | null;

  constructor(sink: UpstreamSink, out: Output, options: BrpcOptions, connectionKey: string) {
    super(sink, out, options);
    this.#upstream = sink;
    const data = Buffer.from(connectionKey, 'latin1');
    this.#authentication = data.length === 0 ? null : bytesField(MetaTag.AuthenticationData, data);
  }

  override start(): void {
    this.#upstream.onReady(MANY_STREAMS);
  }

  encode(id: number, request: RequestMessage): void {
    const call = request as BrpcRequest;
    writeMessage(this.out, call, 0, id, call.authenticates ? null : this.#authentication);
    this.#authentication = null;
    this.#owed.add(id);
  }

  protected override onMessage(bytes: Buffer, from: number, to: number, lent: boolean): void {
    const { isRequest, idAt, idEnd, idHigh, idLow } = this.index;
    if (isRequest) {
      this.fail({ status: Status.malformed, text: 'a request where a response is expected', at: HEAD_BYTES });
      return;
    }
    const id = idHigh === 0 && this.#owed.delete(idLow) ? idLow : NO_STREAM;
    this.sink.onHead(id, new BrpcResponse(this.context, bytes, from, to, lent, idAt, idEnd, false));
  }

  protected override onFault({ text }: FrameFault): void {
    this.sink.onError(statusOf(Status.upstream_malformed, text));
  }

  /** Nothing can be called on a half-closed connection: what is owed will not come. */
  protected override onEnd(): void {
    const owed = this.#owed.size;
    const { parkedBytes } = this.framer;
    if (owed === 0 && parkedBytes === 0) {
      this.sink.onGoAway();
      return;
    }
    this.framer.stop();
    const text = `brpc: the upstream closed with ${owed} answers owed and ${parkedBytes} bytes of one`;
    this.sink.onError(statusOf(Status.upstream_reset, text));
  }

  /** The answer of a call given up still comes. */
  override reset(id: number): Reset {
    return this.#owed.has(id) ? Reset.Owed : Reset.Done;
  }
}
