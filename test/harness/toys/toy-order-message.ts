/** The messages of toy-order: a request line with words, an answer line with a sign. */
import {
  Flag,
  type Message,
  type Outcome,
  type RequestMessage,
  type ResponseMessage,
  type Split,
} from '../../../src/metaprotocol/message.ts';

const REPLAY_SAFE = ['GET', 'MGET'];

abstract class ToyOrderMessage implements Message {
  readonly family = 'toy-order';
  flags: number;
  raw: Buffer;
  #kept = false;

  constructor(raw: Buffer, flags: number) {
    this.raw = raw;
    this.flags = flags;
  }

  get text(): string {
    return this.raw.toString('utf8', 0, this.raw.length - 1);
  }

  /** What goes on the wire. */
  get line(): Buffer {
    return this.raw;
  }

  keep(): void {
    if (this.#kept) return;
    this.#kept = true;
    this.raw = Buffer.from(this.raw);
  }

  entries(visit: (key: string, value: string) => void): void {
    for (const key of this.keys) {
      const value = this.get(key);
      if (value !== undefined) visit(key, value);
    }
  }

  set(_key: string, _value: string): boolean {
    return false;
  }

  add(key: string, value: string): boolean {
    return this.set(key, value);
  }

  remove(key: string): boolean {
    return this.get(key) === undefined;
  }

  protected abstract readonly keys: readonly string[];
  abstract get(key: string): string | undefined;
  abstract fork(): this;
}

export class ToyOrderRequest extends ToyOrderMessage implements RequestMessage {
  readonly connectionKey: string;
  readonly answer: ResponseMessage | null;
  protected readonly keys = ['command', 'key'];
  /** Sent upstream in front of it; its answer is swallowed there. */
  readonly prefix: string;
  /** Inside MULTI. */
  needsBinding = false;
  #key: string | null = null;

  constructor(raw: Buffer, flags: number, connectionKey: string, prefix = '', answer: ResponseMessage | null = null) {
    super(raw, flags);
    this.connectionKey = connectionKey;
    this.prefix = prefix;
    this.answer = answer;
  }

  get command(): string {
    return this.text.split(' ', 1)[0]!;
  }

  get replaySafe(): boolean {
    return REPLAY_SAFE.includes(this.command) && this.connectionKey === '';
  }

  override get line(): Buffer {
    if (this.#key === null) return this.raw;
    const words = this.text.split(' ');
    words[1] = this.#key;
    return Buffer.from(`${words.join(' ')}\n`);
  }

  get(key: string): string | undefined {
    if (key === 'command') return this.command;
    if (key === 'key') return this.#key ?? this.text.split(' ')[1];
    return undefined;
  }

  override set(key: string, value: string): boolean {
    if (key !== 'key' || this.get('key') === undefined || /\s/.test(value) || value === '') return false;
    this.#key = value;
    return true;
  }

  split(group: (hashKey: string) => number): Split | null {
    if (this.command !== 'MGET') return null;
    const keys = this.text.split(' ').slice(1);
    const groups = new Map<number, number[]>();
    keys.forEach((key, position) => {
      const number = group(key);
      const positions = groups.get(number) ?? [];
      groups.set(number, positions);
      positions.push(position);
    });
    if (groups.size < 2) return null;
    const parts = [...groups].map(([number, positions]) => {
      const line = Buffer.from(`MGET ${positions.map((position) => keys[position]).join(' ')}\n`);
      return { group: number, request: new ToyOrderRequest(line, Flag.End, this.connectionKey) };
    });
    const positionsOfParts = [...groups.values()];
    return { parts, merge: (answers) => mergeAnswers(keys.length, positionsOfParts, answers) };
  }

  fork(): this {
    const fork = new ToyOrderRequest(this.raw, this.flags, this.connectionKey, this.prefix, this.answer);
    fork.needsBinding = this.needsBinding;
    fork.#key = this.#key;
    return fork as this;
  }
}

/** A failed part shows in each of its places. */
function mergeAnswers(count: number, positions: readonly number[][], answers: readonly ResponseMessage[]) {
  const words = new Array<string>(count).fill('?');
  answers.forEach((answer, part) => {
    const values = answer.outcome?.ok === true ? answer.get('text')!.split(' ') : null;
    positions[part]!.forEach((position, index) => {
      words[position] = values?.[index] ?? 'ERROR';
    });
  });
  return toyOrderAnswer(`+${words.join(' ')}`);
}

export class ToyOrderResponse extends ToyOrderMessage implements ResponseMessage {
  protected readonly keys = ['text'];

  get outcome(): Outcome {
    const ok = this.raw[0] !== 0x2d;
    return { code: ok ? 0 : 1, ok };
  }

  get(key: string): string | undefined {
    return key === 'text' ? this.text.slice(1) : undefined;
  }

  fork(): this {
    return new ToyOrderResponse(this.raw, this.flags) as this;
  }
}

/** A whole answer line without its newline: `+text`, `-error`, `>push`. */
export function toyOrderAnswer(line: string, flags = 0): ToyOrderResponse {
  return new ToyOrderResponse(Buffer.from(`${line}\n`), Flag.End | flags);
}

/** What goes on the wire; messages of another family become the words of their values. */
export function lineOf(message: Message): Buffer {
  if (message instanceof ToyOrderMessage) return message.line;
  const words: string[] = [];
  message.entries((_key, value) => words.push(value));
  return Buffer.from(`${words.join(' ')}\n`);
}
