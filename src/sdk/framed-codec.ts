/**
 * The codecs of every declared protocol. Messages are whole, so there are no data, trailers or windows. Downstream the caller's
 * id is kept in its request; upstream answers are paired by a wire id that stands for the core's.
 */
import type { FrameFault } from '../codecs/framing.ts';
import { WholeMessageCodec } from '../codecs/whole-message-codec.ts';
import {
  type ClientCodec,
  type Output,
  Reset,
  type ServerCodec,
  type Sink,
  type UpstreamSink,
} from '../metaprotocol/codec.ts';
import { Flag, type Message, type RequestMessage, type ResponseMessage, refused } from '../metaprotocol/message.ts';
import { type ProxyStatus, Status, statusOf } from '../metaprotocol/status.ts';
import { type FrameFormat, KIND_NAMES, Kind } from './frame-format.ts';
import { FormatMeter } from './frame-meter.ts';
import { FramedRequest, FramedResponse, RefusedRequest, requestFlags } from './framed-message.ts';
import { localReply } from './local-reply.ts';
import { NarrowIds, type UpstreamIds, WideIds } from './upstream-ids.ts';
import { writeFrame } from './write-frame.ts';

export interface FramedOptions {
  readonly frameLimitBytes: number;
}

/** What both directions share besides: kinds and heartbeats. */
abstract class FramedCodec<M extends Message> extends WholeMessageCodec<M> {
  protected readonly format: FrameFormat;

  constructor(format: FrameFormat, sink: Sink<M>, out: Output, options: FramedOptions) {
    super(format.name, sink, out, new FormatMeter(format, options.frameLimitBytes));
    this.format = format;
  }

  protected abstract onMessage(kind: Kind, bytes: Buffer, from: number, to: number, lent: boolean): void;
  protected abstract onHeartbeat(bytes: Buffer, from: number, to: number): void;
  abstract override keepalive(): void;

  override onFrame(bytes: Buffer, from: number, to: number, lent: boolean): void {
    const kind = this.format.kindOf(bytes, from);
    if (kind === Kind.Heartbeat) this.onHeartbeat(bytes, from, to);
    else if (kind !== Kind.HeartbeatAnswer) this.onMessage(kind, bytes, from, to, lent);
    this.stopIfClosed();
  }

  protected answerHeartbeat(bytes: Buffer, from: number, to: number): void {
    const at = this.out.append(bytes, from, to);
    this.format.writeKind(this.out.slab, at, this.format.heartbeatAnswer);
  }

  /** A head and nothing behind it. */
  protected sendHeartbeat(): void {
    const { format } = this;
    if (!format.hasKind(Kind.Heartbeat)) return;
    const at = this.out.reserve(format.headBytes);
    const { slab } = this.out;
    slab.fill(0, at, at + format.headBytes);
    format.magic.copy(slab, at);
    format.writeKind(slab, at, Kind.Heartbeat);
    format.writeLength(slab, at, format.headBytes);
  }

  protected unexpected(kind: Kind, expected: string): FrameFault {
    const text = `kind ${KIND_NAMES[kind]}, ${expected} expected`;
    return { status: Status.malformed, text, at: this.format.kindAt };
  }
}

export class FramedServerCodec extends FramedCodec<RequestMessage> implements ServerCodec {
  #lastId = 0;

  protected override onMessage(kind: Kind, bytes: Buffer, from: number, to: number, lent: boolean): void {
    const { format } = this;
    if (kind !== Kind.Request && kind !== Kind.Oneway) {
      this.#refuse(this.unexpected(kind, 'a request'), kind, bytes, from, to);
      return;
    }
    if (format.bodyAt(format.request, bytes, from, to) === -1) {
      this.#refuse({ status: Status.malformed, ...format.fault! }, kind, bytes, from, to);
      return;
    }
    const high = format.idHighAt === -1 ? 0 : format.id.read(bytes, from + format.idHighAt);
    const low = format.id.read(bytes, from + format.idLowAt);
    const request = new FramedRequest(format, requestFlags(kind), bytes, from, to, lent, high, low);
    this.sink.onHead(++this.#lastId, request);
  }

  protected override onHeartbeat(bytes: Buffer, from: number, to: number): void {
    this.answerHeartbeat(bytes, from, to);
  }

  override onBadFrame(fault: FrameFault, bytes: Buffer, from: number, to: number): void {
    // A wrong length behind a good magic still tells who asked.
    const known = to - from >= this.format.headBytes && fault.at !== 0;
    this.#refuse(fault, known ? this.format.kindOf(bytes, from) : Kind.Unknown, bytes, from, to);
  }

  protected override onEnd(): void {
    this.endDownstream();
  }

  encode(_id: number, response: ResponseMessage, request: RequestMessage | null): void {
    const call = request as FramedRequest | null;
    if (call === null) throw new Error(`${this.format.name}: a server cannot push`);
    if ((call.flags & Flag.Oneway) !== 0) return;
    writeFrame(this.out, response as FramedResponse, call.idHigh, call.idLow);
  }

  reply(status: ProxyStatus, request: RequestMessage | null): ResponseMessage {
    return localReply(this.format, status, request as FramedRequest | null);
  }

  /** The protocol has no word for giving up: without an answer only closing tells its caller. */
  override reset(): Reset {
    return Reset.Close;
  }

  /** A server may ask for a sign of life only if the answer is told from a question. */
  override keepalive(): void {
    if (this.format.hasKind(Kind.HeartbeatAnswer)) this.sendHeartbeat();
  }

  /** Who can be told gets an answer, in its turn; the connection ends either way. */
  #refuse(fault: FrameFault, kind: Kind, bytes: Buffer, from: number, to: number): void {
    const { format } = this;
    const status = statusOf(fault.status, this.describeWithBytes(fault, bytes, from, to));
    this.framer.stop();
    if (kind !== Kind.Request) {
      this.sink.onError(status);
      return;
    }
    const head = Buffer.from(bytes.subarray(from, from + format.headBytes));
    const high = format.idHighAt === -1 ? 0 : format.id.read(head, format.idHighAt);
    const low = format.id.read(head, format.idLowAt);
    const known = new FramedRequest(format, Flag.End, head, 0, head.length, false, high, low);
    const request = new RefusedRequest(
      format,
      head,
      high,
      low,
      localReply(format, statusOf(fault.status, this.describe(fault.text, fault.at)), known),
    );
    this.sink.onHead(++this.#lastId, refused(request, status));
    if (!this.sink.closed) this.sink.onGoAway(status);
  }
}

export class FramedClientCodec extends FramedCodec<ResponseMessage> implements ClientCodec {
  readonly #upstream: UpstreamSink;
  readonly #ids: UpstreamIds;

  constructor(format: FrameFormat, sink: UpstreamSink, out: Output, options: FramedOptions) {
    super(format, sink, out, options);
    this.#upstream = sink;
    this.#ids = format.id.bytes < 4 ? new NarrowIds(format.id.maximum) : new WideIds();
  }

  override start(): void {
    this.#upstream.onReady(this.#ids.most);
  }

  encode(id: number, request: RequestMessage): void {
    const wire = this.#ids.next(id);
    writeFrame(this.out, request as FramedRequest, 0, wire);
    this.#ids.take(id, wire, (request.flags & Flag.Oneway) === 0);
  }

  protected override onMessage(kind: Kind, bytes: Buffer, from: number, to: number, lent: boolean): void {
    const { format } = this;
    if (kind !== Kind.Response) {
      this.#fail(this.unexpected(kind, 'a response'), bytes, from, to);
      return;
    }
    if (format.bodyAt(format.response, bytes, from, to) === -1) {
      this.#fail({ status: Status.malformed, ...format.fault! }, bytes, from, to);
      return;
    }
    const high = format.idHighAt === -1 ? 0 : format.id.read(bytes, from + format.idHighAt);
    const low = format.id.read(bytes, from + format.idLowAt);
    const response = new FramedResponse(format, bytes, from, to, lent, high, low, false);
    this.sink.onHead(this.#ids.answered(high, low), response);
  }

  /** Where only callers ask, a heartbeat from here is the answer to ours. */
  protected override onHeartbeat(bytes: Buffer, from: number, to: number): void {
    if (this.format.hasKind(Kind.HeartbeatAnswer)) this.answerHeartbeat(bytes, from, to);
  }

  override onBadFrame(fault: FrameFault, bytes: Buffer, from: number, to: number): void {
    this.#fail(fault, bytes, from, to);
  }

  protected override onEnd(): void {
    this.endUpstream(this.#ids.owed);
  }

  /** The answer of a request given up still comes; a oneway request has none. */
  override reset(id: number): Reset {
    return this.#ids.isOwed(id) ? Reset.Owed : Reset.Done;
  }

  override keepalive(): void {
    this.sendHeartbeat();
  }

  #fail(fault: FrameFault, bytes: Buffer, from: number, to: number): void {
    this.framer.stop();
    this.sink.onError(statusOf(Status.upstream_malformed, this.describeWithBytes(fault, bytes, from, to)));
  }
}
