/**
 * The Redis codecs. Messages are whole and answered in order, so an upstream connection carries the commands of many callers in
 * one line of waiting ids; what a caller told its connection is kept by CallerSession and said again where it is needed.
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
import { type ProxyStatus, Status, statusOf } from '../../metaprotocol/status.ts';
import { type FrameFault, type FrameMeter, type FrameReceiver, Framer } from '../framing.ts';
import { CommandArguments } from './arguments.ts';
import { CallerSession, type Plan } from './caller-session.ts';
import { Action, type Command, type CommandTable, UNKNOWN } from './commands.ts';
import { type ConnectionState, stateOf } from './connection-state.ts';
import { inlineCommand, inlineWords } from './inline.ts';
import { keyIndexes } from './keys.ts';
import { LentChunk } from './lent-chunk.ts';
import { type CommandPlace, Expect, RedisRequest, RedisResponse } from './message.ts';
import type { RedisOptions } from './options.ts';
import { errorAnswer, errorReply, HANDSHAKE_REFUSED } from './reply.ts';
import { ReplyMeter } from './reply-meter.ts';
import { RequestMeter } from './request-meter.ts';
import { confirmedSubscription, isMonitorLine, Subscriptions } from './subscriptions.ts';
import { Waiting, type WaitingEntry } from './waiting.ts';
import { CR, commandBytes, Type } from './wire.ts';

const EMPTY = Buffer.alloc(0);
/** Bytes of a replication stream that may be on their way to the other side before this one is not read. */
const STREAM_WINDOW_BYTES = 262_144;
const MANY_STREAMS = 0x7fff_ffff;
const NOTHING: CommandPlace = Object.freeze({ count: 0, nameAt: 0, nameEnd: 0, argumentsAt: 0 });

/** What both directions share: framing, holding, and all that whole messages do not need. */
abstract class RedisCodec<M extends Message> implements Codec, FrameReceiver {
  protected readonly sink: Sink<M>;
  protected readonly out: Output;
  protected readonly framer: Framer;
  readonly #meter: FrameMeter & { opaque: boolean };
  readonly #heldLimitBytes: number;
  #ended = false;
  /** The stream that SYNC turned the connection into; 0: none. */
  protected streamId = 0;
  #uncreditedBytes = 0;
  #isFull = false;
  #chunk: LentChunk | null = null;

  constructor(sink: Sink<M>, out: Output, meter: FrameMeter & { opaque: boolean }, options: RedisOptions) {
    this.sink = sink;
    this.out = out;
    this.#meter = meter;
    this.framer = new Framer(meter, this);
    this.#heldLimitBytes = options.heldLimitBytes;
  }

  abstract start(): void;
  abstract onFrame(bytes: Buffer, from: number, to: number, lent: boolean): void;
  abstract onBadFrame(fault: FrameFault): void;
  abstract reset(id: number, status: ProxyStatus): Reset;
  /** The peer's FIN, when nothing is held any more. */
  protected abstract onEnd(): void;

  decode(chunk: Buffer, lent: boolean): void {
    this.framer.decode(chunk, lent);
    this.#chunk = null;
  }

  /** Of frames that stand in the buffer that is being decoded. */
  protected chunkOf(bytes: Buffer, lent: boolean): LentChunk | null {
    if (!lent) return null;
    this.#chunk ??= new LentChunk(bytes);
    return this.#chunk;
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
    if (this.framer.held) return this.framer.parkedBytes <= this.#heldLimitBytes;
    return this.#uncreditedBytes < STREAM_WINDOW_BYTES;
  }

  /** Bytes of an unfinished message, or held while paused. */
  get parkedBytes(): number {
    return this.framer.parkedBytes;
  }

  credit(_id: number, bytes: number): void {
    this.#uncreditedBytes -= bytes;
  }

  data(id: number, chunk: Buffer, end: boolean, lent: boolean): boolean {
    if (id !== this.streamId) throw new Error(`redis: data for stream ${id}, whose message is whole`);
    if (lent) this.write(chunk);
    else this.out.view(chunk);
    if (end) this.out.end();
    this.#isFull = this.out.full;
    return !this.#isFull;
  }

  trailers(): boolean {
    throw new Error('redis: messages have no trailers');
  }

  room(): void {
    if (!this.#isFull) return;
    this.#isFull = false;
    this.sink.onWritable(this.streamId);
  }

  goAway(): void {}

  keepalive(): void {}

  #end(): void {
    this.#ended = false;
    if (this.framer.stopped || this.sink.closed) return;
    if (this.streamId === 0) this.onEnd();
    else this.sink.onData(this.streamId, EMPTY, true);
  }

  /** From here on bytes pass as they are. */
  protected becomeStream(id: number): void {
    this.streamId = id;
    this.#meter.opaque = true;
  }

  protected passStream(bytes: Buffer, from: number, to: number): void {
    this.#uncreditedBytes += to - from;
    this.sink.onData(this.streamId, bytes.subarray(from, to), false);
  }

  protected write(bytes: Buffer): void {
    this.out.append(bytes, 0, bytes.length);
  }

  protected describe(fault: FrameFault): string {
    return `redis: ${fault.text} at byte ${this.framer.frameOffset + fault.at}`;
  }
}

export class RedisServerCodec extends RedisCodec<RequestMessage> implements ServerCodec {
  readonly #commands: CommandTable;
  readonly #meter: RequestMeter;
  readonly #session: CallerSession;
  #lastId = 0;
  /** Answers that CLIENT REPLY keeps from the caller. */
  readonly #muted = new Set<number>();
  /** Commands that may wait for long: a caller that goes gives them up. */
  readonly #blocking = new Set<number>();

  constructor(commands: CommandTable, sink: Sink<RequestMessage>, out: Output, options: RedisOptions) {
    const meter = new RequestMeter(options);
    super(sink, out, meter, options);
    this.#commands = commands;
    this.#meter = meter;
    this.#session = new CallerSession(options);
    meter.stranger = this.#session.stranger;
  }

  override start(): void {}

  override onFrame(bytes: Buffer, from: number, to: number, lent: boolean): void {
    const meter = this.#meter;
    if (this.streamId !== 0) {
      this.passStream(bytes, from, to);
    } else if (meter.inline) {
      this.#onLine(bytes.subarray(from, to));
    } else if (meter.count > 0) {
      const command = this.#commands.lookup(bytes, from + meter.nameAt, from + meter.nameEnd);
      this.#onCommand(command, meter, bytes, from, to, this.chunkOf(bytes, lent));
    }
    if (this.sink.closed) this.framer.stop();
  }

  override onBadFrame(fault: FrameFault): void {
    this.#refuse(this.#meter.callerText, statusOf(fault.status, this.describe(fault)));
  }

  /** Nobody would read what a blocked command takes. */
  override peerEnded(): void {
    for (const id of this.#blocking) if (!this.sink.closed) this.sink.onReset(id, Status.downstream_reset);
    this.#blocking.clear();
    super.peerEnded();
  }

  /** Half a command is dropped without a word, as Redis does. */
  protected override onEnd(): void {
    this.framer.stop();
  }

  encode(id: number, response: ResponseMessage, request: RequestMessage | null): void {
    const answer = response as RedisResponse;
    const extra = (request as RedisRequest | null)?.extra ?? null;
    const isLast = (answer.flags & Flag.Informational) === 0;
    // Confirmations are pushes to Redis, and CLIENT REPLY is about answers.
    const mutes = this.#muted.has(id) && !(extra?.expect === Expect.Confirmations && !answer.isError);
    if (!mutes) answer.writeTo(this.out);
    if ((answer.flags & Flag.Tunnel) !== 0) this.becomeStream(id);
    if (!isLast || request === null) return;
    this.#muted.delete(id);
    this.#blocking.delete(id);
    if (((answer.flags | request.flags) & Flag.Unbind) !== 0) this.#session.onUnbound(id);
    if (extra?.effect !== undefined && !answer.isError) extra.effect(answer);
  }

  reply(status: ProxyStatus, request: RequestMessage | null): ResponseMessage {
    if ((request as RedisRequest | null)?.extra?.queued === true) this.#session.breakMulti();
    return errorReply(status);
  }

  /** A command that is not answered leaves all answers behind it a place too early. */
  override reset(): Reset {
    return Reset.Close;
  }

  #onLine(frame: Buffer): void {
    const end = frame.length > 1 && frame[frame.length - 2] === CR ? frame.length - 2 : frame.length - 1;
    const words = inlineWords(frame.subarray(0, end));
    if (words === null) {
      this.#refuse('unbalanced quotes in request', statusOf(Status.malformed, 'redis: unbalanced quotes in a line'));
      return;
    }
    const [name] = words;
    if (name === undefined) return;
    const bytes = inlineCommand(words);
    const nameEnd = bytes.length - words.slice(1).reduce((sum, word) => sum + wordBytes(word), 0) - 2;
    const place = { count: words.length, nameAt: nameEnd - name.length, nameEnd, argumentsAt: nameEnd + 2 };
    this.#onCommand(this.#commands.lookup(name, 0, name.length), place, bytes, 0, bytes.length, null);
  }

  #onCommand(
    command: Command,
    place: CommandPlace,
    bytes: Buffer,
    from: number,
    to: number,
    chunk: LentChunk | null,
  ): void {
    const session = this.#session;
    const id = ++this.#lastId;
    if (command.action === Action.Forward && session.plain) {
      this.sink.onHead(id, new RedisRequest(command, place, session.state, bytes, from, to, chunk));
      return;
    }
    const muted = session.takeMuted();
    const words = new CommandArguments(bytes, from, place.count);
    const plan = session.plan(id, command, words, () => {
      const [index] = keyIndexes(command, words);
      return index === undefined ? undefined : words.text(index);
    });
    if (muted && plan.extra?.loud !== true) this.#muted.add(id);
    this.#emit(id, command, place, bytes, from, to, chunk, plan);
  }

  #emit(
    id: number,
    command: Command,
    place: CommandPlace,
    bytes: Buffer,
    from: number,
    to: number,
    chunk: LentChunk | null,
    plan: Plan,
  ): void {
    const { flags, state, extra, answer, last } = plan;
    this.#meter.stranger = this.#session.stranger;
    if (extra?.blocks === true) this.#blocking.add(id);
    if ((flags & Flag.Hold) !== 0) this.framer.hold();
    if (last) this.framer.stop();
    const request =
      plan.bytes === null
        ? new RedisRequest(command, place, state, bytes, from, to, chunk, flags, extra, answer)
        : this.#rewritten(command, state, plan.bytes, flags, extra);
    this.sink.onHead(id, request);
    if (last && !this.sink.closed) this.sink.onGoAway();
  }

  #rewritten(
    command: Command,
    state: ConnectionState,
    bytes: Buffer,
    flags: number,
    extra: RedisRequest['extra'],
  ): RedisRequest {
    const nameAt = bytes.indexOf('\n', bytes.indexOf('\n') + 1) + 1;
    const nameEnd = bytes.indexOf('\r', nameAt);
    const count = Number.parseInt(bytes.toString('latin1', 1, 4), 10);
    const place = { count, nameAt, nameEnd, argumentsAt: nameEnd + 2 };
    return new RedisRequest(command, place, state, bytes, 0, bytes.length, null, flags, extra);
  }

  /** Ordered behind the answers before it; then the connection ends, since nobody knows where the next command begins. */
  #refuse(callerText: string, status: ProxyStatus): void {
    this.framer.stop();
    const answer = errorAnswer(`ERR Protocol error: ${callerText}`);
    const request = new RedisRequest(UNKNOWN, NOTHING, this.#session.state, EMPTY, 0, 0, null, Flag.End, null, answer);
    this.sink.onHead(++this.#lastId, request);
    if (!this.sink.closed) this.sink.onGoAway(status);
  }
}

function wordBytes(word: Buffer): number {
  return `${word.length}`.length + word.length + 5;
}

export class RedisClientCodec extends RedisCodec<ResponseMessage> implements ClientCodec {
  readonly #upstream: UpstreamSink;
  readonly #meter: ReplyMeter;
  readonly #key: string;
  readonly #waiting = new Waiting();
  readonly #subscriptions = new Subscriptions();
  /** Commands of the handshake whose answers have not come. */
  readonly #handshake: readonly Buffer[];
  #shaken = 0;
  #monitoring = false;
  /** Somebody told this connection what others of its pool were not told: it must not go back there. */
  #tainted = false;

  constructor(sink: UpstreamSink, out: Output, options: RedisOptions, connectionKey: string) {
    const meter = new ReplyMeter(options);
    super(sink, out, meter, options);
    this.#upstream = sink;
    this.#meter = meter;
    this.#key = connectionKey;
    this.#handshake = handshakeOf(stateOf(connectionKey), options);
  }

  override start(): void {
    for (const bytes of this.#handshake) this.write(bytes);
    if (this.#handshake.length === 0) this.#upstream.onReady(MANY_STREAMS);
  }

  encode(id: number, request: RequestMessage): void {
    const command = request as RedisRequest;
    const { extra } = command;
    if (extra?.prefix !== undefined) this.write(extra.prefix);
    command.writeTo(this.out);
    // Registered last: if a write throws, nothing is waited for.
    if (extra?.prefix !== undefined) this.#waiting.pushSwallowed();
    if (extra === null) this.#waiting.pushId(id);
    else this.#waiting.push(id, extra, command.command);
    if (command.state.key !== this.#key || extra?.taints === true) this.#tainted = true;
    this.#watchForStream();
  }

  override onFrame(bytes: Buffer, from: number, to: number, lent: boolean): void {
    const chunk = this.chunkOf(bytes, lent);
    const { type, valueAt } = this.#meter;
    if (this.#meter.opaque) this.#onStreamBytes(bytes, from, to, chunk);
    else if (this.#shaken < this.#handshake.length) this.#onHandshake(type, bytes, from + valueAt, to);
    else if (type === Type.Push || (type === Type.Array && this.#mayBePush)) this.#onPushLike(bytes, from, to, chunk);
    else if (this.#monitoring && isMonitorLine(bytes, from, to)) this.#push(bytes, from, to, chunk);
    else this.#onAnswer(bytes, from, to, chunk);
    if (this.sink.closed) this.framer.stop();
  }

  override onBadFrame(fault: FrameFault): void {
    this.sink.onError(statusOf(fault.status, this.describe(fault)));
  }

  /** What answers SYNC is no value: it is passed on from its first byte. */
  #watchForStream(): void {
    if (this.#waiting.frontExpects === Expect.Stream) this.#meter.opaque = true;
  }

  #onStreamBytes(bytes: Buffer, from: number, to: number, chunk: LentChunk | null): void {
    if (this.streamId === 0) {
      const entry = this.#waiting.shift() as WaitingEntry;
      if (bytes[from] === Type.Error) {
        this.#meter.opaque = false;
        this.sink.onHead(entry.id, new RedisResponse(Flag.End, bytes, from, to, chunk, 0));
        return;
      }
      this.becomeStream(entry.id);
      this.sink.onHead(entry.id, new RedisResponse(Flag.Tunnel, EMPTY, 0, 0, null, 0));
      if (this.sink.closed) return;
    }
    this.passStream(bytes, from, to);
  }

  override keepalive(): void {
    this.write(PING);
    this.#waiting.pushSwallowed();
  }

  /** Answers come in order: none can be left out. One that may not come for long closes the connection instead. */
  override reset(id: number): Reset {
    if (id === this.streamId) return Reset.Close;
    if (!this.#waiting.has(id)) return Reset.Done;
    return this.#waiting.blocks(id) ? Reset.Close : Reset.Owed;
  }

  protected override onEnd(): void {
    if (this.#waiting.size === 0 && this.#shaken === this.#handshake.length) {
      this.sink.onGoAway();
      return;
    }
    this.sink.onError(
      statusOf(Status.upstream_reset, `redis: the upstream ended with ${this.#waiting.size} answers to come`),
    );
  }

  /** RESP2 tells messages of subscriptions from answers by their first word only. */
  get #mayBePush(): boolean {
    return this.#subscriptions.size > 0 || this.#waiting.frontExpects === Expect.Confirmations;
  }

  #onHandshake(type: number, bytes: Buffer, from: number, to: number): void {
    if (type === Type.Push) return;
    if (type === Type.Error || type === Type.BulkError) {
      const text = bytes.toString('utf8', from + 1, to - 2);
      this.sink.onError(statusOf(Status.denied, `${HANDSHAKE_REFUSED}${text}`));
      return;
    }
    this.#shaken++;
    if (this.#shaken === this.#handshake.length) this.#upstream.onReady(MANY_STREAMS);
  }

  #onAnswer(bytes: Buffer, from: number, to: number, chunk: LentChunk | null): void {
    const { valueAt, type } = this.#meter;
    const entry = this.#waiting.shift();
    this.#watchForStream();
    if (entry === undefined) {
      const text = bytes.toString('utf8', from, Math.min(to, from + 200)).trim();
      const isError = type === Type.Error;
      const base = isError ? Status.upstream_reset : Status.upstream_malformed;
      this.sink.onError(statusOf(base, `redis: an answer that no command asked for: ${text}`));
      return;
    }
    if (typeof entry === 'number') {
      this.sink.onHead(entry, new RedisResponse(Flag.End, bytes, from, to, chunk, valueAt));
      return;
    }
    const failed = type === Type.Error || type === Type.BulkError;
    if (entry.swallowed) {
      if (failed) this.#onSwallowedError(bytes, from + valueAt, to);
      return;
    }
    if (entry.expect === Expect.Monitor && !failed) this.#monitoring = true;
    const unbinds = failed && entry.mayUnbind && this.#subscriptions.size === 0;
    this.#settle(entry, bytes, from, to, chunk, unbinds);
  }

  /** The last or only answer of an entry. */
  #settle(
    entry: WaitingEntry,
    bytes: Buffer,
    from: number,
    to: number,
    chunk: LentChunk | null,
    unbinds: boolean,
  ): void {
    if (this.#tainted) {
      this.#tainted = false;
      this.sink.onGoAway();
      if (this.sink.closed) return;
    }
    const flags = Flag.End | (unbinds ? Flag.Unbind : 0);
    const answer = entry.substitute ?? new RedisResponse(flags, bytes, from, to, chunk, this.#meter.valueAt);
    this.sink.onHead(entry.id, answer);
  }

  #onPushLike(bytes: Buffer, from: number, to: number, chunk: LentChunk | null): void {
    const found = confirmedSubscription(bytes, from + this.#meter.valueAt, to);
    if (found === 'message') {
      this.#push(bytes, from, to, chunk);
      return;
    }
    if (found === null) {
      if (this.#meter.type === Type.Push) this.#push(bytes, from, to, chunk);
      else this.#onAnswer(bytes, from, to, chunk);
      return;
    }
    const front = this.#waiting.front;
    const expected = typeof front === 'object' && front.name === found.command ? front : null;
    if (expected !== null && expected.left === 0) expected.left = Math.max(1, this.#subscriptions.count(found.command));
    this.#subscriptions.apply(found);
    if (expected === null) {
      this.#push(bytes, from, to, chunk);
    } else if (--expected.left > 0) {
      this.sink.onHead(expected.id, new RedisResponse(Flag.Informational, bytes, from, to, chunk, this.#meter.valueAt));
    } else {
      this.#waiting.shift();
      this.#settle(expected, bytes, from, to, chunk, expected.mayUnbind && this.#subscriptions.size === 0);
    }
  }

  #push(bytes: Buffer, from: number, to: number, chunk: LentChunk | null): void {
    this.sink.onHead(0, new RedisResponse(Flag.End | Flag.Unsolicited, bytes, from, to, chunk, this.#meter.valueAt));
  }

  /** MULTI did not open, so what followed it ran at once: the caller must not believe otherwise. */
  #onSwallowedError(bytes: Buffer, from: number, to: number): void {
    const text = bytes.toString('utf8', from + 1, to - 2);
    this.sink.onError(statusOf(Status.upstream_malformed, `redis: the upstream refused MULTI or PING: ${text}`));
  }
}

const PING = commandBytes(['PING']);

/** The commands that bring a new connection into a state. */
function handshakeOf(state: ConnectionState, options: RedisOptions): Buffer[] {
  const own = state.password === null;
  const user = own ? options.upstreamUsername : state.user;
  const password = own ? options.upstreamPassword : (state.password ?? '');
  const says = !own || password !== '';
  const commands: Buffer[] = [];
  const add = (...words: string[]): void => {
    commands.push(commandBytes(words));
  };
  if (state.resp === 3) add('HELLO', '3', ...(says ? ['AUTH', user === '' ? 'default' : user, password] : []));
  else if (says) add('AUTH', ...(user === '' ? [] : [user]), password);
  if (state.database !== 0) add('SELECT', `${state.database}`);
  return commands;
}
