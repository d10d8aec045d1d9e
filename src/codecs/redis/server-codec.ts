/** RedisServerCodec: the callers' side. Commands are read here; what they mean to their caller's connection is CallerSession's. */
import { type Output, Reset, type ServerCodec, type Sink } from '../../metaprotocol/codec.ts';
import { Flag, type RequestMessage, type ResponseMessage, refused } from '../../metaprotocol/message.ts';
import { type ProxyStatus, Status, type StatusName, statusOf } from '../../metaprotocol/status.ts';
import type { FrameFault } from '../framing.ts';
import { CommandArguments } from './arguments.ts';
import { CallerSession, EXEC_ABORT, type Plan } from './caller-session.ts';
import { RedisCodec } from './codec.ts';
import { Action, type Command, type CommandTable, UNKNOWN } from './commands.ts';
import type { ConnectionState } from './connection-state.ts';
import { inlineCommand, inlineWords } from './inline.ts';
import type { KeptBytes } from './kept-bytes.ts';
import { keyIndexes } from './keys.ts';
import type { LentChunk } from './lent-chunk.ts';
import { type CommandPlace, Expect, ownAnswer, RedisRequest, type RedisResponse } from './message.ts';
import type { RedisOptions } from './options.ts';
import { errorAnswer, errorReply } from './reply.ts';
import { RequestMeter } from './request-meter.ts';
import { CR } from './wire.ts';

const EMPTY = Buffer.alloc(0);
/** A command with one of these was not sent to any server. */
const REACHED_NOBODY: ReadonlySet<StatusName> = new Set<StatusName>([
  'no_route',
  'no_cluster',
  'no_healthy_endpoint',
  'connect_failure',
  'overloaded',
  'denied',
  'fault',
  'unsupported',
]);
const NOTHING: CommandPlace = Object.freeze({ count: 0, nameAt: 0, nameEnd: 0 });

export class RedisServerCodec extends RedisCodec<RequestMessage> implements ServerCodec {
  readonly #commands: CommandTable;
  readonly #meter: RequestMeter;
  readonly #session: CallerSession;
  #lastId = 0;
  /** The last plain command of this read, and where it ends, or the last that joined it: what does not begin there does not follow. */
  #before: RedisRequest | null = null;
  #beforeBytes: Buffer = EMPTY;
  #beforeTo = 0;
  /** Answers that CLIENT REPLY keeps from the caller. */
  readonly #muted = new Set<number>();
  /** Commands that may wait for long: a caller that goes gives them up. */
  readonly #blocking = new Set<number>();

  constructor(commands: CommandTable, sink: Sink<RequestMessage>, out: Output, kept: KeptBytes, options: RedisOptions) {
    const meter = new RequestMeter(options);
    super(sink, out, meter, kept, options);
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
    } else {
      this.#onNothing();
    }
    if (this.sink.closed) this.framer.stop();
  }

  override onBadFrame(fault: FrameFault): void {
    this.#refuse(this.#meter.callerText, statusOf(fault.status, this.describe(fault)));
  }

  protected override onDecoded(): void {
    this.#before = null;
    this.#beforeBytes = EMPTY;
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
    const isMuted = this.#muted.size > 0 && this.#muted.has(id);
    const passes = (extra?.loud === true || extra?.expect === Expect.Confirmations) && !answer.isError;
    const mutes = isMuted && !passes;
    const isQuiet = extra?.quiet === true && !answer.isError;
    if (!mutes && !isQuiet) answer.writeTo(this.out);
    if (answer.isOwn && extra?.transaction !== undefined) extra.transaction.broken = true;
    if ((answer.flags & Flag.Tunnel) !== 0) this.becomeStream(id);
    if (!isLast || request === null) return;
    if (isMuted) this.#muted.delete(id);
    if (extra?.blocks === true) this.#blocking.delete(id);
    if (((answer.flags | request.flags) & Flag.Unbind) !== 0) this.#session.onUnbound(id);
    if (extra?.effect !== undefined && !answer.isError) extra.effect(answer);
  }

  /** Answers of a run wait for nobody. */
  override data(id: number, chunk: Buffer, end: boolean, lent: boolean): boolean {
    if (id === this.streamId) return super.data(id, chunk, end, lent);
    this.writeChunk(chunk, lent);
    return true;
  }

  replyRest(status: ProxyStatus, request: RequestMessage): Buffer {
    const run = (request as RedisRequest).run!;
    const { bytes, outcome } = errorReply(status);
    run.forgetUntold();
    const rest = run.calls - run.answered;
    while (!run.whole) run.receive(bytes.length, outcome);
    return Buffer.alloc(bytes.length * rest, bytes);
  }

  reply(status: ProxyStatus, request: RequestMessage | null): ResponseMessage {
    const command = request as RedisRequest | null;
    if (command?.run) {
      command.run.forgetAnswers();
      return ownAnswer(this.replyRest(status, command));
    }
    const extra = command?.extra;
    if (!extra) return errorReply(status);
    const { substitute, unrouted, transaction, bindId } = extra;
    if (substitute !== undefined) return substitute;
    if (unrouted !== undefined && status.name === 'no_route') return unrouted;
    // What it ends ran nothing.
    const aborts = command?.command.action === Action.Exec && transaction?.broken === true;
    if (transaction !== undefined) transaction.broken = true;
    if (bindId !== undefined && REACHED_NOBODY.has(status.name)) {
      if (transaction !== undefined) transaction.sent = false;
      this.#session.onNotBound(bindId);
    }
    return aborts ? errorAnswer(EXEC_ABORT) : errorReply(status);
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
    if (name === undefined) {
      this.#onNothing();
      return;
    }
    const bytes = inlineCommand(words);
    const nameEnd = bytes.length - words.slice(1).reduce((sum, word) => sum + wordBytes(word), 0) - 2;
    const place = { count: words.length, nameAt: nameEnd - name.length, nameEnd };
    this.#onCommand(this.#commands.lookup(name, 0, name.length), place, bytes, 0, bytes.length, null);
  }

  /** An empty command has no answer, but to Redis it is the one that CLIENT REPLY SKIP waits for. */
  #onNothing(): void {
    this.#session.takeMuted();
  }

  /** A command that is merely passed on: with the one before it, if both go the same way. */
  #onPlain(request: RedisRequest): void {
    const { bytes, from, to } = request;
    const before = this.#before;
    const follows = before !== null && from === this.#beforeTo && bytes === this.#beforeBytes;
    if (follows && before.takes(request) && this.sink.join?.(this.#lastId, request) === true) {
      this.#beforeTo = to;
      return;
    }
    this.sink.onHead(++this.#lastId, request);
    this.#before = request;
    this.#beforeBytes = bytes;
    this.#beforeTo = to;
  }

  #onCommand(
    command: Command,
    place: CommandPlace,
    bytes: Buffer,
    from: number,
    to: number,
    chunk: LentChunk | null,
  ): void {
    if (command.action === Action.Foreign) {
      this.#refuse('HTTP is not spoken here', statusOf(Status.malformed, `redis: ${command.name} is a word of HTTP`));
      return;
    }
    const session = this.#session;
    if (command.action === Action.Forward && session.plain) {
      this.#onPlain(new RedisRequest(command, place, session.state, bytes, from, to, chunk));
      return;
    }
    const id = ++this.#lastId;
    const muted = session.takeMuted();
    const words = new CommandArguments(bytes, from, place.count);
    const plan = session.plan(id, command, words, () => {
      const [index] = keyIndexes(command, words);
      return index === undefined ? undefined : words.text(index);
    });
    if (muted) this.#muted.add(id);
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
    const place = { count, nameAt, nameEnd };
    return new RedisRequest(command, place, state, bytes, 0, bytes.length, null, flags, extra);
  }

  /** Ordered behind the answers before it; then the connection ends, since nobody knows where the next command begins. */
  #refuse(callerText: string, status: ProxyStatus): void {
    this.framer.stop();
    const id = ++this.#lastId;
    if (this.#session.takeMuted()) this.#muted.add(id);
    const answer = errorAnswer(`ERR Protocol error: ${callerText}`);
    const request = new RedisRequest(UNKNOWN, NOTHING, this.#session.state, EMPTY, 0, 0, null, Flag.End, null, answer);
    this.sink.onHead(id, refused(request, status));
    if (!this.sink.closed) this.sink.onGoAway(status);
  }
}

function wordBytes(word: Buffer): number {
  return `${word.length}`.length + word.length + 5;
}
