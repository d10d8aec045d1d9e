/**
 * The Dubbo codecs. Messages are whole, so there are no data, trailers or windows; answers are paired by id, which upstream is
 * the core's own. Heartbeats end here, on both sides; a provider's read-only event is a go-away.
 */
import {
  type ClientCodec,
  type Output,
  Reset,
  type ServerCodec,
  type Sink,
  type UpstreamSink,
} from '../../metaprotocol/codec.ts';
import { IdTable } from '../../metaprotocol/id-table.ts';
import { Flag, type Message, type RequestMessage, type ResponseMessage, refused } from '../../metaprotocol/message.ts';
import { type ProxyStatus, Status, statusOf } from '../../metaprotocol/status.ts';
import type { FrameFault } from '../framing.ts';
import { WholeMessageCodec } from '../whole-message-codec.ts';
import { CALL_HEAD_STRINGS, type CallHead, CallHeads } from './call-head.ts';
import { DubboMeter } from './frame-meter.ts';
import { HessianWalker } from './hessian-walker.ts';
import { DubboRequest, DubboResponse, type MessageContext } from './message.ts';
import type { DubboOptions } from './options.ts';
import { errorReply } from './reply.ts';
import {
  FLAGS_AT,
  FrameFlag,
  HEADER_BYTES,
  HESSIAN2,
  ID_AT,
  MAGIC_HIGH,
  MAGIC_LOW,
  NULL,
  ResponseStatus,
  readInt32,
  SERIALIZATION_MASK,
  STATUS_AT,
} from './wire.ts';
import { writeMessage } from './write-message.ts';

/** Ids put no bound of their own on calls in flight. */
const MANY_STREAMS = 0x7fff_ffff;
/** For answers whose id is none of the core's. */
const NO_STREAM = -1;
const HEARTBEAT = eventFrame(FrameFlag.Request | FrameFlag.TwoWay | FrameFlag.Event | HESSIAN2, [NULL]);
/** "R". */
const READ_ONLY_BODY = [0x01, 0x52];
const READ_ONLY = eventFrame(FrameFlag.Request | FrameFlag.Event | HESSIAN2, READ_ONLY_BODY);
const NO_CALLBACKS = statusOf(
  Status.unsupported,
  'a proxy shares connections, so providers cannot call consumers back',
);

/** Id 0, which no call has. */
function eventFrame(flags: number, body: readonly number[]): Buffer {
  return Buffer.from([MAGIC_HIGH, MAGIC_LOW, flags, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, body.length, ...body]);
}

/** What both directions share besides: events. */
abstract class DubboCodec<M extends Message> extends WholeMessageCodec<M> {
  protected readonly context: MessageContext;

  constructor(sink: Sink<M>, out: Output, options: DubboOptions) {
    super('dubbo', sink, out, new DubboMeter(options));
    this.context = { walker: new HessianWalker(options), frameLimitBytes: options.frameLimitBytes };
  }

  protected abstract onRequest(bytes: Buffer, from: number, to: number, lent: boolean): void;
  protected abstract onResponse(bytes: Buffer, from: number, to: number, lent: boolean): void;
  /** The peer takes no new requests. */
  protected abstract onReadOnly(): void;

  override onFrame(bytes: Buffer, from: number, to: number, lent: boolean): void {
    const flags = bytes[from + FLAGS_AT]!;
    const isRequest = (flags & FrameFlag.Request) !== 0;
    if ((flags & FrameFlag.Event) !== 0) {
      // Answers to heartbeats have done their duty by coming.
      if (isRequest) this.#onEvent(bytes, from, to, flags);
    } else if (isRequest) {
      this.onRequest(bytes, from, to, lent);
    } else {
      this.onResponse(bytes, from, to, lent);
    }
    this.stopIfClosed();
  }

  override keepalive(): void {
    this.out.append(HEARTBEAT, 0, HEARTBEAT.length);
  }

  #onEvent(bytes: Buffer, from: number, to: number, flags: number): void {
    if ((flags & FrameFlag.TwoWay) !== 0) {
      // The same null in the same serialization, under the same id.
      const { out } = this;
      const at = out.append(bytes, from, to);
      out.slab[at + FLAGS_AT] = FrameFlag.Event | (flags & SERIALIZATION_MASK);
      out.slab[at + STATUS_AT] = ResponseStatus.OK;
    }
    const bodyAt = from + HEADER_BYTES;
    if (READ_ONLY_BODY.every((byte, index) => bytes[bodyAt + index] === byte)) this.onReadOnly();
  }
}

export class DubboServerCodec extends DubboCodec<RequestMessage> implements ServerCodec {
  readonly #heads = new CallHeads();
  readonly #checkArguments: boolean;
  #lastId = 0;

  constructor(sink: Sink<RequestMessage>, out: Output, options: DubboOptions) {
    super(sink, out, options);
    this.#checkArguments = options.checkArguments;
  }

  protected override onRequest(bytes: Buffer, from: number, to: number, lent: boolean): void {
    let head: CallHead | null = null;
    if ((bytes[from + FLAGS_AT]! & SERIALIZATION_MASK) === HESSIAN2) {
      head = this.#readHead(bytes, from + HEADER_BYTES, to);
      if (head === null) {
        this.#refuseBody(bytes, from);
        return;
      }
    }
    const request = new DubboRequest(this.context, head, bytes, from, to, lent, null);
    if (this.#checkArguments && head !== null && !request.check()) {
      this.#refuseBody(bytes, from);
      return;
    }
    this.sink.onHead(++this.#lastId, request);
  }

  protected override onResponse(): void {
    this.framer.stop();
    this.sink.onGoAway(statusOf(Status.malformed, this.describe('a response where a request is expected', FLAGS_AT)));
  }

  override onBadFrame(fault: FrameFault, bytes: Buffer, from: number, to: number): void {
    this.#refuse(fault, bytes, from, to);
  }

  protected override onEnd(): void {
    const { parkedBytes } = this;
    if (parkedBytes === 0) return;
    this.framer.stop();
    const text = `the connection ended ${parkedBytes} bytes into a message`;
    this.sink.onGoAway(statusOf(Status.malformed, this.describe(text, 0)));
  }

  /** Nobody sends new requests to a consumer. */
  protected override onReadOnly(): void {}

  override goAway(): void {
    this.out.append(READ_ONLY, 0, READ_ONLY.length);
  }

  encode(_id: number, response: ResponseMessage, request: RequestMessage | null): void {
    const call = request as DubboRequest | null;
    if (call === null) throw new Error('dubbo: a server cannot push');
    if ((call.flags & Flag.Oneway) !== 0) return;
    writeMessage(this.out, response as DubboResponse, call.idHigh, call.idLow);
  }

  reply(status: ProxyStatus): ResponseMessage {
    return errorReply(status, this.context);
  }

  /** A call that is not answered hangs until its own timeout: only closing tells its caller. */
  override reset(): Reset {
    return Reset.Close;
  }

  /** null: the walker has the fault. */
  #readHead(bytes: Buffer, from: number, to: number): CallHead | null {
    const again = this.#heads.again(bytes, from, to);
    if (again !== null) return again;
    const { walker } = this.context;
    walker.start(bytes, from, to);
    let isGood = true;
    for (let n = 0; n < CALL_HEAD_STRINGS && isGood; n++) isGood = walker.skipTextOrNull();
    walker.stop();
    return isGood ? this.#heads.lookup(bytes, from, walker.at) : null;
  }

  #refuseBody(bytes: Buffer, from: number): void {
    const { walker } = this.context;
    const status = walker.overLimit ? Status.too_large : Status.malformed;
    this.#refuse({ status, text: walker.fault, at: walker.at - from }, bytes, from, from + HEADER_BYTES);
  }

  /** The caller gets an error if its id could be read and it waits for an answer; then the connection ends. */
  #refuse(fault: FrameFault, bytes: Buffer, from: number, to: number): void {
    const status = statusOf(fault.status, this.describe(fault.text, fault.at));
    const header = Buffer.from(bytes.subarray(from, Math.min(to, from + HEADER_BYTES)));
    this.framer.stop();
    if (header[0] !== MAGIC_HIGH || header[1] !== MAGIC_LOW || header.length < HEADER_BYTES) {
      this.sink.onError(status);
      return;
    }
    const answerable = (header[FLAGS_AT]! & (FrameFlag.Request | FrameFlag.TwoWay | FrameFlag.Event)) === CALL;
    if (answerable) {
      const answer = errorReply(status, this.context);
      const request = new DubboRequest(this.context, null, header, 0, header.length, false, answer);
      this.sink.onHead(++this.#lastId, refused(request, status));
    }
    if (!this.sink.closed) this.sink.onGoAway(status);
  }
}

const CALL = FrameFlag.Request | FrameFlag.TwoWay;

export class DubboClientCodec extends DubboCodec<ResponseMessage> implements ClientCodec {
  readonly #upstream: UpstreamSink;
  /** Calls whose answer has not come: whether their callers read attachments of responses. */
  readonly #owed = new IdTable<boolean>();

  constructor(sink: UpstreamSink, out: Output, options: DubboOptions) {
    super(sink, out, options);
    this.#upstream = sink;
  }

  override start(): void {
    this.#upstream.onReady(MANY_STREAMS);
  }

  encode(id: number, request: RequestMessage): void {
    const call = request as DubboRequest;
    writeMessage(this.out, call, 0, id);
    if ((call.flags & Flag.Oneway) === 0) this.#owed.set(id, call.head?.readsResponseAttachments ?? false);
  }

  protected override onResponse(bytes: Buffer, from: number, to: number, lent: boolean): void {
    const low = readInt32(bytes, from + ID_AT + 4);
    const id = readInt32(bytes, from + ID_AT) === 0 && low > 0 ? low : NO_STREAM;
    // An id that nobody waits for goes to the core like any other: it drops and counts late answers.
    const attachable = this.#owed.get(id) ?? false;
    this.#owed.delete(id);
    this.sink.onHead(id, new DubboResponse(this.context, bytes, from, to, lent, false, attachable));
  }

  /** A callback: its consumer may be any of those that share this connection. */
  protected override onRequest(bytes: Buffer, from: number): void {
    if ((bytes[from + FLAGS_AT]! & FrameFlag.TwoWay) === 0) return;
    const answer = errorReply(NO_CALLBACKS, this.context);
    writeMessage(this.out, answer, readInt32(bytes, from + ID_AT), readInt32(bytes, from + ID_AT + 4));
  }

  protected override onReadOnly(): void {
    this.sink.onGoAway();
  }

  override onBadFrame(fault: FrameFault): void {
    this.sink.onError(statusOf(Status.upstream_malformed, this.describe(fault.text, fault.at)));
  }

  protected override onEnd(): void {
    this.endUpstream(this.#owed.size);
  }

  /** The answer of a call given up still comes; a oneway call has none. */
  override reset(id: number): Reset {
    return this.#owed.get(id) === undefined ? Reset.Done : Reset.Owed;
  }
}
