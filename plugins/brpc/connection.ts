/**
 * The brpc codecs. Messages are whole, so there are no data, trailers or windows; answers are paired by correlation id, which
 * upstream is the core's own. The protocol has no heartbeats and no word for going away.
 */
import {
  type ClientCodec,
  type FrameFault,
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
  WholeMessageCodec,
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

/** What both directions share besides: the meta in front of each message. */
abstract class BrpcCodec<M extends Message> extends WholeMessageCodec<M> {
  protected readonly context: MessageContext;
  protected readonly index = new MetaIndex();

  constructor(sink: Sink<M>, out: Output, options: BrpcOptions) {
    super('brpc', sink, out, new PrpcMeter(options));
    this.context = { reader: new AttributeReader(), options };
  }

  /** `index` has read its meta. */
  protected abstract onMessage(bytes: Buffer, from: number, to: number, lent: boolean): void;

  override onFrame(bytes: Buffer, from: number, to: number, lent: boolean): void {
    const metaFrom = from + HEAD_BYTES;
    if (this.index.read(bytes, metaFrom, metaFrom + readUint32(bytes, from + META_BYTES_AT))) {
      this.onMessage(bytes, from, to, lent);
    } else {
      const { fault, faultAt } = this.index;
      this.onBadFrame({ status: Status.malformed, text: `RpcMeta: ${fault}`, at: faultAt - from });
    }
    this.stopIfClosed();
  }

  /** The caller's id is in the meta, which is not read of a frame that is refused: nobody can be answered. */
  override onBadFrame({ status, text, at }: FrameFault): void {
    this.framer.stop();
    this.sink.onError(statusOf(this.badStatus ?? status, this.describe(text, at)));
  }

  /** Of whatever is wrong in this direction; null: of the fault itself. */
  protected abstract readonly badStatus: ProxyStatus | null;
}

export class BrpcServerCodec extends BrpcCodec<RequestMessage> implements ServerCodec {
  protected override readonly badStatus = null;
  #lastId = 0;
  /** Callers may say who they are in their first request only. */
  #connectionKey = '';

  protected override onMessage(bytes: Buffer, from: number, to: number, lent: boolean): void {
    const { index, context } = this;
    if (!index.isRequest) {
      this.onBadFrame({ status: Status.malformed, text: 'a response where a request is expected', at: HEAD_BYTES });
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

  protected override onEnd(): void {
    this.endDownstream();
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
  protected override readonly badStatus = Status.upstream_malformed;
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
      this.onBadFrame({ status: Status.malformed, text: 'a request where a response is expected', at: HEAD_BYTES });
      return;
    }
    const id = idHigh === 0 && this.#owed.delete(idLow) ? idLow : NO_STREAM;
    this.sink.onHead(id, new BrpcResponse(this.context, bytes, from, to, lent, idAt, idEnd, false));
  }

  protected override onEnd(): void {
    this.endUpstream(this.#owed.size);
  }

  /** The answer of a call given up still comes. */
  override reset(id: number): Reset {
    return this.#owed.has(id) ? Reset.Owed : Reset.Done;
  }
}
