/**
 * The Thrift codecs. Messages are whole, so there are no data, trailers or windows; answers are paired by sequence id, which
 * upstream is the core's own id; nothing of the protocol can say go-away or ping.
 */
import {
  type ClientCodec,
  type Output,
  Reset,
  type ServerCodec,
  type Sink,
  type UpstreamSink,
} from '../../metaprotocol/codec.ts';
import type { Message, RequestMessage, ResponseMessage } from '../../metaprotocol/message.ts';
import { refused } from '../../metaprotocol/message.ts';
import { type ProxyStatus, Status, statusOf } from '../../metaprotocol/status.ts';
import type { FrameFault } from '../framing.ts';
import { WholeMessageCodec } from '../whole-message-codec.ts';
import { ThriftMeter } from './frame-meter.ts';
import { HeadReader } from './head-reader.ts';
import { ThriftRequest, ThriftResponse } from './message.ts';
import { MethodNames } from './method-names.ts';
import type { ThriftOptions } from './options.ts';
import { exceptionReply } from './reply.ts';
import { ExceptionType, MessageType, type ThriftWire } from './wire.ts';
import { writeMessage } from './write-message.ts';

const EMPTY = Buffer.alloc(0);
/** Sequence ids put no bound of their own on calls in flight. */
const MANY_STREAMS = 0x7fff_ffff;
const WRONG_TYPE = statusOf(Status.malformed, Status.malformed.detail, ExceptionType.INVALID_MESSAGE_TYPE);

/** What both directions share besides. */
abstract class ThriftCodec<M extends Message> extends WholeMessageCodec<M> {
  protected readonly meter: ThriftMeter;
  protected readonly head: HeadReader;
  protected readonly names = new MethodNames();

  constructor(sink: Sink<M>, out: Output, options: ThriftOptions) {
    const meter = new ThriftMeter(options);
    super('thrift', sink, out, meter);
    this.meter = meter;
    this.head = new HeadReader(options);
  }
}

export class ThriftServerCodec extends ThriftCodec<RequestMessage> implements ServerCodec {
  #lastId = 0;

  override onFrame(bytes: Buffer, from: number, to: number, lent: boolean): void {
    const { head } = this;
    if (!head.read(bytes, from, to, this.meter.unframed)) {
      this.#refuse(head.fault as FrameFault);
      return;
    }
    if (head.type !== MessageType.Call && head.type !== MessageType.Oneway) {
      const text = `message type ${head.type}, ${MessageType.Call} or ${MessageType.Oneway} expected`;
      this.#refuse({ status: WRONG_TYPE, text, at: head.innerAt });
      return;
    }
    const request = new ThriftRequest(head, this.names, bytes, from, to, lent, null);
    this.sink.onHead(++this.#lastId, request);
    this.stopIfClosed();
  }

  override onBadFrame(fault: FrameFault, bytes: Buffer, from: number, to: number): void {
    this.head.glance(bytes, from, to, this.meter.unframed);
    this.#refuse(fault);
  }

  protected override onEnd(): void {
    const { parkedBytes } = this;
    if (parkedBytes === 0) return;
    this.head.glance(EMPTY, 0, 0, this.meter.unframed);
    this.#refuse({ status: Status.malformed, text: `the connection ended ${parkedBytes} bytes into a message`, at: 0 });
  }

  encode(_id: number, response: ResponseMessage, request: RequestMessage | null): void {
    const call = request as ThriftRequest | null;
    if (call === null) throw new Error('thrift: a server cannot push');
    if (call.type === MessageType.Oneway) return;
    const answer = response as ThriftResponse;
    if (answer.transport !== call.transport || answer.protocol !== call.protocol) {
      const spoken = `${call.transport} ${call.protocol}`;
      throw new Error(`thrift: a ${answer.transport} ${answer.protocol} answer to a ${spoken} call`);
    }
    writeMessage(this.out, answer, call.seqid, call.headerSeqid);
  }

  reply(status: ProxyStatus, request: RequestMessage | null): ResponseMessage {
    const call = request as ThriftRequest | null;
    return exceptionReply(status, call ?? this.head, call?.methodBytes ?? EMPTY, this.names);
  }

  /** A call that is not sent on hangs for ever: without an answer only closing tells its caller. */
  override reset(): Reset {
    return Reset.Close;
  }

  /** `head` holds what is known of the bad message: the caller gets an exception if its wire is, then the connection ends. */
  #refuse(fault: FrameFault): void {
    const status = statusOf(fault.status, this.describe(fault.text, fault.at), fault.status.code);
    const { head } = this;
    this.framer.stop();
    if (!head.known) {
      this.sink.onError(status);
      return;
    }
    head.forgetMessage();
    const answer = exceptionReply(status, head, EMPTY, this.names);
    const request = new ThriftRequest(head, this.names, EMPTY, 0, 0, false, answer);
    this.sink.onHead(++this.#lastId, refused(request, status));
    if (!this.sink.closed) this.sink.onGoAway(status);
  }
}

export class ThriftClientCodec extends ThriftCodec<ResponseMessage> implements ClientCodec {
  readonly #upstream: UpstreamSink;
  /** Calls whose answer has not come. */
  readonly #owed = new Set<number>();
  /** How the first request was written, and so how answers have to be. */
  #wire: ThriftWire | null = null;

  constructor(sink: UpstreamSink, out: Output, options: ThriftOptions) {
    super(sink, out, options);
    this.#upstream = sink;
  }

  override start(): void {
    this.#upstream.onReady(MANY_STREAMS);
  }

  encode(id: number, request: RequestMessage): void {
    const call = request as ThriftRequest;
    const wire = this.#wire;
    if (wire === null) {
      const { transport, protocol, old } = call;
      this.#wire = { transport, protocol, old };
    } else if (wire.transport !== call.transport || wire.protocol !== call.protocol) {
      const spoken = `${wire.transport} ${wire.protocol}`;
      throw new Error(`thrift: a ${call.transport} ${call.protocol} call on a connection that speaks ${spoken}`);
    }
    writeMessage(this.out, call, id, id);
    if (call.type !== MessageType.Oneway) this.#owed.add(id);
  }

  override onFrame(bytes: Buffer, from: number, to: number, lent: boolean): void {
    const { head } = this;
    if (!head.read(bytes, from, to, this.meter.unframed)) {
      this.#unreadable(head.fault as FrameFault);
      return;
    }
    const wire = this.#wire;
    if (wire !== null && (wire.transport !== head.transport || wire.protocol !== head.protocol)) {
      this.#fail(`answer in ${head.transport} ${head.protocol} to calls in ${wire.transport} ${wire.protocol}`, 0);
      return;
    }
    if (head.type !== MessageType.Reply && head.type !== MessageType.Exception) {
      const text = `message type ${head.type}, ${MessageType.Reply} or ${MessageType.Exception} expected`;
      this.#fail(text, head.innerAt);
      return;
    }
    // An id that nobody waits for goes to the core like any other: it drops and counts late answers.
    this.#owed.delete(head.seqid);
    this.sink.onHead(head.seqid, new ThriftResponse(head, this.names, bytes, from, to, lent, false));
    this.stopIfClosed();
  }

  override onBadFrame(fault: FrameFault): void {
    this.#fail(fault.text, fault.at);
  }

  protected override onEnd(): void {
    this.endUpstream(this.#owed.size);
  }

  /** The answer of a call given up still comes; a oneway call has none. */
  override reset(id: number): Reset {
    return this.#owed.has(id) ? Reset.Owed : Reset.Done;
  }

  /** A transformed answer is whole, and its header tells whose it is: only that call fails. */
  #unreadable(fault: FrameFault): void {
    const { headerSeqid } = this.head;
    if (fault.status.name !== 'unsupported' || !this.#owed.delete(headerSeqid)) {
      this.#fail(fault.text, fault.at);
      return;
    }
    this.sink.onReset(headerSeqid, statusOf(Status.upstream_malformed, this.describe(fault.text, fault.at)));
    this.stopIfClosed();
  }

  #fail(text: string, at: number): void {
    this.framer.stop();
    this.sink.onError(statusOf(Status.upstream_malformed, this.describe(text, at)));
  }
}
