/**
 * RedisClientCodec: the servers' side. Answers come in the order of the commands, so a connection carries those of many callers
 * in one line of waiting ids; what its pool's callers told their connections it says again when it opens.
 */
import { type ClientCodec, type Output, Reset, type UpstreamSink } from '../../metaprotocol/codec.ts';
import { Flag, type RequestMessage, type ResponseMessage } from '../../metaprotocol/message.ts';
import { Status, statusOf } from '../../metaprotocol/status.ts';
import type { FrameFault } from '../framing.ts';
import { RedisCodec } from './codec.ts';
import { type ConnectionState, stateOf } from './connection-state.ts';
import type { KeptBytes } from './kept-bytes.ts';
import type { LentChunk } from './lent-chunk.ts';
import { Expect, OK, type RedisRequest, RedisResponse } from './message.ts';
import type { RedisOptions } from './options.ts';
import { HANDSHAKE_REFUSED } from './reply.ts';
import { Part, ReplyMeter } from './reply-meter.ts';
import { confirmedSubscription, isMonitorLine, Subscriptions } from './subscriptions.ts';
import { Waiting, WaitingEntry, WaitingRun } from './waiting.ts';
import { commandBytes, isErrorType, Type } from './wire.ts';

const EMPTY = Buffer.alloc(0);
const MANY_STREAMS = 0x7fff_ffff;

export class RedisClientCodec extends RedisCodec<ResponseMessage> implements ClientCodec {
  readonly #upstream: UpstreamSink;
  readonly #meter: ReplyMeter;
  readonly #key: string;
  readonly #frameLimitBytes: number;
  readonly #waiting = new Waiting();
  readonly #subscriptions = new Subscriptions();
  /** Commands of the handshake whose answers have not come. */
  readonly #handshake: readonly Buffer[];
  #shaken = 0;
  /** Of the run in front: answers that the core was not given yet. */
  #piece: RedisResponse | null = null;
  #monitoring = false;
  /** Somebody told this connection what others of its pool were not told: it must not go back there. */
  #tainted = false;

  constructor(sink: UpstreamSink, out: Output, kept: KeptBytes, options: RedisOptions, connectionKey: string) {
    const meter = new ReplyMeter(options);
    super(sink, out, meter, kept, options);
    this.#upstream = sink;
    this.#meter = meter;
    this.#key = connectionKey;
    this.#frameLimitBytes = options.frameLimitBytes;
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
    if (command.run !== null) this.#waiting.pushRun(id, command.run);
    else if (extra === null) this.#waiting.pushId(id);
    else this.#waiting.push(id, extra, command.command);
    if (command.state.key !== this.#key || extra?.taints === true) this.#tainted = true;
    this.#watchForStream();
  }

  join(id: number, request: RequestMessage, next: RequestMessage): void {
    const command = request as RedisRequest;
    (next as RedisRequest).writeTo(this.out);
    const isFirst = command.run === null;
    command.join(next as RedisRequest);
    if (isFirst) this.#waiting.lastIsRun(id, command.run!);
  }

  override onFrame(bytes: Buffer, from: number, to: number, lent: boolean): void {
    const chunk = this.chunkOf(bytes, lent);
    const { type, valueAt, part } = this.#meter;
    if (part !== Part.Whole) this.#onTooLarge(part);
    else if (this.#meter.opaque) this.#onStreamBytes(bytes, from, to, chunk);
    else if (this.#shaken < this.#handshake.length) this.#onHandshake(type, bytes, from + valueAt, to);
    else if (type === Type.Push || (type === Type.Array && this.#mayBePush())) this.#onPushLike(bytes, from, to, chunk);
    else if (this.#monitoring && isMonitorLine(bytes, from, to)) this.#push(bytes, from, to, chunk);
    else this.#onAnswer(bytes, from, to, chunk);
    if (this.sink.closed) this.framer.stop();
  }

  override onBadFrame(fault: FrameFault): void {
    this.#tellPiece(false);
    if (!this.sink.closed) this.sink.onError(statusOf(fault.status, this.describe(fault)));
  }

  /** Others share the connection: the answer is left out, and its caller told. Whatever else it is ends the connection. */
  #onTooLarge(part: Part): void {
    const { type, droppedBytes } = this.#meter;
    const said = `an answer of ${droppedBytes} bytes > frameLimitBytes ${this.#frameLimitBytes}`;
    const isShaking = this.#shaken < this.#handshake.length;
    if (isShaking || this.#monitoring || type === Type.Push || this.#mayBePush() || this.#waiting.size === 0) {
      this.framer.stop();
      this.#tellPiece(false);
      if (this.sink.closed) return;
      this.sink.onError(statusOf(Status.upstream_malformed, `redis: ${said}, or more, that no command asked for`));
    } else if (part === Part.LastPiece) {
      const bytes = Buffer.from(`-ERR too_large: ${said}\r\n`);
      this.#meter.type = Type.Error;
      this.#meter.valueAt = 0;
      this.#onAnswer(bytes, 0, bytes.length, null);
    }
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
      statusOf(Status.upstream_reset, `redis: the upstream ended with ${this.#waiting.answers} answers to come`),
    );
  }

  /** RESP2 tells messages of subscriptions from answers by their first word only. */
  #mayBePush(): boolean {
    return this.#subscriptions.size > 0 || this.#waiting.frontExpects === Expect.Confirmations;
  }

  #onHandshake(type: number, bytes: Buffer, from: number, to: number): void {
    if (type === Type.Push) return;
    if (isErrorType(type)) {
      const text = bytes.toString('utf8', from + 1, to - 2);
      this.sink.onError(statusOf(Status.denied, `${HANDSHAKE_REFUSED}${text}`));
      return;
    }
    this.#shaken++;
    if (this.#shaken === this.#handshake.length) this.#upstream.onReady(MANY_STREAMS);
  }

  protected override onDecoded(): void {
    this.#tellPiece(false);
  }

  /** One more answer of the run in front. */
  #onRunAnswer(run: WaitingRun, bytes: Buffer, from: number, to: number, chunk: LentChunk | null): void {
    if (this.#piece !== null && (this.#piece.bytes !== bytes || this.#piece.to !== from)) {
      this.#tellPiece(false);
      if (this.sink.closed) return;
    }
    const { type, valueAt } = this.#meter;
    const failed = isErrorType(type);
    const outcome = failed ? new RedisResponse(0, bytes, from, to, chunk, valueAt).outcome : OK;
    run.receive(to - from, outcome);
    if (this.#piece === null) this.#piece = new RedisResponse(0, bytes, from, to, chunk, valueAt);
    else this.#piece.to = to;
    if (run.left === 0) this.#tellPiece(true);
  }

  /** Answers of the run in front that stand side by side go as one: its first ones as the head. */
  #tellPiece(end: boolean): void {
    const piece = this.#piece;
    if (piece === null) return;
    this.#piece = null;
    if (this.sink.closed) return;
    const run = this.#waiting.front as WaitingRun;
    const { id, begun } = run;
    run.tell();
    if (end) {
      this.#waiting.shift();
      this.#watchForStream();
    }
    if (!begun) {
      if (end) piece.flags |= Flag.End;
      this.sink.onHead(id, piece);
    } else {
      this.sink.onData(id, piece.bytes.subarray(piece.from, piece.to), end);
    }
  }

  #onAnswer(bytes: Buffer, from: number, to: number, chunk: LentChunk | null): void {
    const { valueAt, type } = this.#meter;
    const entry = this.#waiting.front;
    if (entry instanceof WaitingRun) {
      this.#onRunAnswer(entry, bytes, from, to, chunk);
      return;
    }
    this.#waiting.shift();
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
    const failed = isErrorType(type);
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
    const expected = front instanceof WaitingEntry && front.name === found.command ? front : null;
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
