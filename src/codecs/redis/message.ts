/** Redis messages: a whole command or a run of them, a whole answer. Attributes are read from the bytes when asked for. */
import type { Output } from '../../metaprotocol/codec.ts';
import {
  Flag,
  type Message,
  type Outcome,
  type RequestMessage,
  type ResponseMessage,
  type Split,
} from '../../metaprotocol/message.ts';
import { CommandArguments } from './arguments.ts';
import { errorCode } from './codes.ts';
import { CommandRun } from './command-run.ts';
import type { Command } from './commands.ts';
import type { ConnectionState } from './connection-state.ts';
import { hashTag, keyIndexes } from './keys.ts';
import type { LentChunk } from './lent-chunk.ts';
import { splitCommand } from './split-command.ts';
import type { Transaction } from './transaction.ts';
import { CR, isErrorType, LengthLine, LF, Type } from './wire.ts';

/** From here on bytes that are the message's own go out by reference: copying would cost more than a second part. */
const VIEW_BYTES = 65_536;

/** Commands of a run: they share one timeout, one endpoint and one fate. */
const RUN_LIMIT = 64;

export const REQUEST_KEYS = ['command', 'key', 'hash-key', 'key-count', 'db', 'user', 'read-only'] as const;

/** It has no fields of its own: a constructor that calls another costs as much as all it sets. */
abstract class RedisMessage implements Message {
  abstract readonly flags: number;
  abstract bytes: Buffer;
  abstract from: number;
  abstract to: number;
  /** Whose bytes they are; null: the message's own. */
  protected abstract chunk: LentChunk | null;

  get family(): string {
    return 'redis';
  }

  get rawBytes(): number {
    return this.to - this.from;
  }

  get raw(): Buffer | null {
    return this.bytes.subarray(this.from, this.to);
  }

  keep(): void {
    const { chunk } = this;
    if (chunk === null) return;
    this.bytes = chunk.copy();
    this.from += chunk.shift;
    this.to += chunk.shift;
    this.chunk = null;
    this.onMoved();
  }

  add(key: string, value: string): boolean {
    return this.set(key, value);
  }

  /** Every attribute is a fact of the command. */
  remove(key: string): boolean {
    return this.get(key) === undefined;
  }

  protected onMoved(): void {}
  abstract get(key: string): string | undefined;
  abstract entries(visit: (key: string, value: string) => void): void;
  abstract set(key: string, value: string): boolean;
  abstract fork(): this;

  writeTo(out: Output): void {
    const { bytes, from, to } = this;
    if (this.chunk === null && to - from >= VIEW_BYTES) out.view(bytes.subarray(from, to));
    else out.append(bytes, from, to);
  }
}

/** What answers a command: once, as often as it has channels, with lines for ever, with bytes for ever. */
export const Expect = { One: 0, Confirmations: 1, Monitor: 2, Stream: 3 } as const;
export type Expect = (typeof Expect)[keyof typeof Expect];

/** What the codecs of both sides say to each other of commands that are more than passed on. */
export interface RequestExtra {
  /** Goes in front; its answer is swallowed. */
  readonly prefix?: Buffer;
  readonly expect?: Expect;
  /** Of confirmations: how many; 0: as many as there are subscriptions. */
  readonly confirmations?: number;
  /** Its answer ends the binding if nothing is subscribed then. */
  readonly mayUnbind?: boolean;
  /** Goes to the caller instead of the upstream's answer, or of none. */
  readonly substitute?: RedisResponse;
  /** The connection is not as its pool's others behind it. */
  readonly taints?: boolean;
  /** Giving it up closes the connection: what it would still take must not be lost. */
  readonly blocks?: boolean;
  /** What it is answered where no route takes it: it is about the caller's connection, and has no key to be routed by. */
  readonly unrouted?: RedisResponse;
  /** The one that the command belongs to, or ends: it must not run without it. */
  readonly transaction?: Transaction;
  /** The command's own id, where it takes a connection. */
  readonly bindId?: number;
  /** Nothing is meant but on the connection that an earlier command took. */
  readonly needsBinding?: boolean;
  /** Answered even where the caller wants no answers. */
  readonly loud?: boolean;
  /** Only an error reaches the caller. */
  readonly quiet?: boolean;
  /** What becomes of the caller's state if the answer is no error. */
  readonly effect?: (answer: RedisResponse) => void;
  /** For a command without a key that belongs to earlier ones: theirs. */
  readonly key?: string | undefined;
}

/** What the meter found. */
export interface CommandPlace {
  /** Words, the command's name included. */
  readonly count: number;
  readonly nameAt: number;
  readonly nameEnd: number;
}

export class RedisRequest extends RedisMessage implements RequestMessage {
  readonly flags: number;
  bytes: Buffer;
  from: number;
  to: number;
  protected chunk: LentChunk | null;
  readonly command: Command;
  readonly count: number;
  readonly nameAt: number;
  readonly nameEnd: number;
  readonly state: ConnectionState;
  readonly answer: RedisResponse | null;
  readonly extra: RequestExtra | null;
  /** Made when a second command joins it. */
  run: CommandRun | null = null;
  #readOnly: boolean;
  #words: CommandArguments | null = null;
  #keys: readonly number[] | null = null;
  #edits: Map<number, Buffer> | null = null;
  #key: string | undefined;
  #keyRead = false;
  /** Which of the keys routes see. */
  #routed = 0;

  constructor(
    command: Command,
    place: CommandPlace,
    state: ConnectionState,
    bytes: Buffer,
    from: number,
    to: number,
    chunk: LentChunk | null,
    flags: number = Flag.End,
    extra: RequestExtra | null = null,
    answer: RedisResponse | null = null,
  ) {
    super();
    this.flags = flags;
    this.bytes = bytes;
    this.from = from;
    this.to = to;
    this.chunk = chunk;
    this.command = command;
    this.count = place.count;
    this.nameAt = place.nameAt;
    this.nameEnd = place.nameEnd;
    this.state = state;
    this.extra = extra;
    this.answer = answer;
    this.#readOnly = command.readOnly;
  }

  get connectionKey(): string {
    return this.state.key;
  }

  /** Commands that read, unless they stand in a transaction or take their connection. */
  get replaySafe(): boolean {
    return this.#readOnly && this.flags === Flag.End && this.extra === null;
  }

  /** May `next` be sent as one with it? Commands of several keys are looked at each. */
  takes(next: RedisRequest): boolean {
    return hasOneKey(this.command) && hasOneKey(next.command) && (this.run === null || this.run.calls < RUN_LIMIT);
  }

  /** `next`, whose bytes stand right behind, becomes part of it. */
  join(next: RedisRequest): void {
    if (this.run === null) {
      this.run = new CommandRun();
      this.run.add(this.to - this.from);
    }
    const bytes = next.to - next.from;
    this.run.add(bytes);
    this.to += bytes;
    if (!next.#readOnly) this.#readOnly = false;
  }

  /** The route's timeout is not about waiting that the caller asks for. */
  get mayWait(): boolean {
    return this.extra?.blocks === true;
  }

  get needsBinding(): boolean {
    return this.extra?.needsBinding === true;
  }

  get words(): CommandArguments {
    this.#words ??= new CommandArguments(this.bytes, this.from, this.count);
    return this.#words;
  }

  get keyIndexes(): readonly number[] {
    this.#keys ??= this.count === 0 ? [] : keyIndexes(this.command, this.words);
    return this.#keys;
  }

  /** Upper case, as Redis documents it. */
  get commandName(): string {
    if (this.command.name !== '') return this.command.name;
    return this.bytes.toString('utf8', this.from + this.nameAt, this.from + this.nameEnd).toUpperCase();
  }

  get(key: string): string | undefined {
    switch (key) {
      case 'command':
        return this.commandName;
      case 'key':
        return this.#routedKey();
      case 'hash-key': {
        const routed = this.#routedKey();
        return routed === undefined ? undefined : hashTag(routed);
      }
      case 'key-count':
        return this.keyIndexes.length.toString();
      case 'db':
        return this.state.database.toString();
      case 'user':
        return this.state.user;
      case 'read-only':
        // A transaction goes one way, whatever each of its commands does.
        return this.command.readOnly && this.extra?.transaction === undefined ? 'true' : 'false';
      default:
        return undefined;
    }
  }

  /** Of the one key that most commands have, as it came. */
  beginsWith(key: string, prefix: string): boolean | null {
    if (key !== 'key' || this.#keyRead || !this.#hasPlainKey()) return null;
    const { bytes } = this;
    let at = this.#firstLengthAt();
    while (bytes[at] !== LF) at++;
    for (let index = 0; index < prefix.length; index++) {
      const code = prefix.charCodeAt(index);
      // A shorter key differs at its CR: its length need not be read.
      if (code > 0x7f || code === CR) return null;
      if (bytes[++at] !== code) return false;
    }
    return true;
  }

  entries(visit: (key: string, value: string) => void): void {
    for (const key of REQUEST_KEYS) {
      const value = this.get(key);
      if (value !== undefined) visit(key, value);
    }
  }

  /** The key, where there is exactly one. */
  set(key: string, value: string): boolean {
    if (key !== 'key' || this.keyIndexes.length !== 1) return false;
    this.#edit(this.keyIndexes[0]!, Buffer.from(value));
    return true;
  }

  /** Takes `prefix` off every key that begins with it. */
  stripPrefix(prefix: Buffer, ignoreCase: boolean): void {
    if (this.command.channels) return;
    for (const index of this.keyIndexes) {
      const key = this.word(index);
      const start = key.subarray(0, prefix.length);
      const has = ignoreCase
        ? start.toString().toLowerCase() === prefix.toString().toLowerCase()
        : start.equals(prefix);
      if (has) this.#edit(index, Buffer.from(key.subarray(prefix.length)));
    }
  }

  /** A word, edits included. */
  word(index: number): Buffer {
    return this.#edits?.get(index) ?? this.words.bytes(index);
  }

  /** The same command as each of its further keys would be routed. */
  routeVariants(): readonly this[] | null {
    const { command } = this;
    // One key, or none: the common case costs nothing.
    if (command.rule === null && (command.first === command.last || this.count <= command.first + command.step)) {
      return null;
    }
    const keys = this.keyIndexes.length;
    if (keys < 2) return null;
    return Array.from({ length: keys - 1 }, (_, index) => {
      const variant = this.fork();
      variant.#routed = index + 1;
      variant.#keyRead = false;
      return variant;
    });
  }

  split(group: (hashKey: string) => number): Split | null {
    if (this.keyIndexes.length < 2) return null;
    return splitCommand(this, group);
  }

  fork(): this {
    const { bytes, from, to, chunk, command, state, flags, extra, answer } = this;
    const fork = new RedisRequest(command, this, state, bytes, from, to, chunk, flags, extra, answer);
    fork.run = this.run;
    fork.#readOnly = this.#readOnly;
    if (this.#edits !== null) fork.#edits = new Map(this.#edits);
    if (chunk === null) {
      fork.#words = this.#words;
      fork.#keys = this.#keys;
    }
    fork.#key = this.#key;
    fork.#keyRead = this.#keyRead;
    return fork as this;
  }

  override writeTo(out: Output): void {
    if (this.#edits === null) {
      super.writeTo(out);
      return;
    }
    const { bytes, words } = this;
    let at = this.from;
    for (const [index, word] of [...this.#edits].sort(([a], [b]) => a - b)) {
      out.append(bytes, at, words.end(index - 1) + 2);
      const head = Buffer.from(`$${word.length}\r\n`);
      out.append(head, 0, head.length);
      out.append(word, 0, word.length);
      at = words.end(index);
    }
    out.append(bytes, at, this.to);
  }

  protected override onMoved(): void {
    this.#words = null;
  }

  #edit(index: number, word: Buffer): void {
    this.#edits ??= new Map();
    this.#edits.set(index, word);
    this.#keyRead = false;
  }

  #routedKey(): string | undefined {
    if (!this.#keyRead) {
      this.#keyRead = true;
      this.#key = this.#readKey();
    }
    return this.#key;
  }

  /** The routed key is the first argument, as it came: the common case, without finding every word. */
  #hasPlainKey(): boolean {
    return this.command.first === 1 && this.#routed === 0 && this.#edits === null && this.count > 1;
  }

  /** Of the first argument, behind its sign. */
  #firstLengthAt(): number {
    return this.from + this.nameEnd + 3;
  }

  #readKey(): string | undefined {
    if (this.#hasPlainKey()) {
      const length = new LengthLine();
      const begin = length.read(this.bytes, this.#firstLengthAt(), this.to);
      return this.bytes.toString('utf8', begin, begin + length.value);
    }
    const index = this.keyIndexes[this.#routed];
    return index === undefined ? this.extra?.key : this.word(index).toString();
  }
}

/** Or none. */
function hasOneKey({ rule, first, last }: Command): boolean {
  return rule === null && first === last;
}

export const OK: Outcome = Object.freeze({ code: 0, ok: true });

/** An answer or a push, from the upstream or of the proxy itself. */
export class RedisResponse extends RedisMessage implements ResponseMessage {
  flags: number;
  bytes: Buffer;
  from: number;
  to: number;
  protected chunk: LentChunk | null;
  /** Where the value begins, attributes in front of it left out. */
  readonly valueAt: number;

  /** Of the proxy itself. */
  readonly isOwn: boolean;

  constructor(
    flags: number,
    bytes: Buffer,
    from: number,
    to: number,
    chunk: LentChunk | null,
    valueAt: number,
    isOwn = false,
  ) {
    super();
    this.flags = flags;
    this.bytes = bytes;
    this.from = from;
    this.to = to;
    this.chunk = chunk;
    this.valueAt = valueAt;
    this.isOwn = isOwn;
  }

  get type(): number {
    return this.bytes[this.from + this.valueAt]!;
  }

  get isError(): boolean {
    return isErrorType(this.type);
  }

  get outcome(): Outcome {
    return this.isError ? { code: errorCode(this.#errorName()), ok: false } : OK;
  }

  /** What an error says, without its sign. */
  get errorText(): string {
    const at = this.from + this.valueAt + 1;
    const text = this.bytes.toString('utf8', at, this.to - 2);
    return this.type === Type.BulkError ? text.slice(text.indexOf('\n') + 1) : text;
  }

  get(key: string): string | undefined {
    return key === 'error' && this.isError ? this.#errorName() : undefined;
  }

  entries(visit: (key: string, value: string) => void): void {
    const error = this.get('error');
    if (error !== undefined) visit('error', error);
  }

  set(): boolean {
    return false;
  }

  fork(): this {
    return new RedisResponse(this.flags, this.bytes, this.from, this.to, this.chunk, this.valueAt, this.isOwn) as this;
  }

  #errorName(): string {
    return this.errorText.split(' ', 1)[0]!;
  }
}

/** An answer of the proxy itself. */
export function ownAnswer(text: string | Buffer, flags: number = Flag.End): RedisResponse {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  return new RedisResponse(flags, bytes, 0, bytes.length, null, 0, true);
}
