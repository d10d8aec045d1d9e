/** FakeRedis: a server of few commands, that answers in pieces and may die in the midst of an answer. */
import type { MemoryWire } from '../memory-wire.ts';
import { RawPeer } from '../raw-peer.ts';

/** What the connections of one server share. */
export class FakeStore {
  readonly numbers = new Map<string, number>();
  /** Sizes of what is written at once, again and again; empty: all of it. */
  cuts: readonly number[] = [];
  /** When so many bytes of answers were written, their connection breaks; once. */
  deathAt = Number.POSITIVE_INFINITY;
  /** No more than so many bytes of answers are written. */
  writableBytes = Number.POSITIVE_INFINITY;
  writtenBytes = 0;
  /** Every command, as words with blanks between. */
  readonly commands: string[] = [];
  #cut = 0;

  nextCut(): number {
    return this.cuts.length === 0 ? Number.POSITIVE_INFINITY : this.cuts[this.#cut++ % this.cuts.length]!;
  }
}

const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;

export class FakeRedis extends RawPeer {
  readonly #store: FakeStore;
  #asked = '';
  #answers: Buffer = Buffer.alloc(0);
  #database = '0';
  /** Answers of EXEC; null: no transaction. */
  #queued: string[] | null = null;
  readonly #channels = new Set<string>();

  constructor(wire: MemoryWire, store: FakeStore) {
    super(wire);
    this.#store = store;
  }

  /** One piece of what it has to say. */
  override pump(): boolean {
    const moved = super.pump();
    const store = this.#store;
    const writable = store.writableBytes - store.writtenBytes;
    if (this.#answers.length === 0 || this.wire.destroyed || writable <= 0) return moved;
    const alive = Math.max(0, store.deathAt - store.writtenBytes);
    const size = Math.min(store.nextCut(), alive, writable, this.#answers.length);
    this.wire.send(this.#answers.subarray(0, size));
    this.#answers = this.#answers.subarray(size);
    store.writtenBytes += size;
    if (store.writtenBytes >= store.deathAt) {
      store.deathAt = Number.POSITIVE_INFINITY;
      this.#breakBehind();
    }
    return true;
  }

  /** What was written is read first. */
  #breakBehind(): void {
    while (this.wire.unreadBytes > 0 && this.wire.pump());
    this.wire.break();
  }

  protected override onBytes(bytes: Buffer): void {
    this.#asked += bytes.toString('latin1');
    for (let words = this.#takeCommand(); words !== null; words = this.#takeCommand()) {
      this.#store.commands.push(words.join(' '));
      const answer = this.#answer(words);
      this.#answers = Buffer.concat([this.#answers, Buffer.from(answer)]);
    }
  }

  #takeCommand(): string[] | null {
    const count = /^\*(\d+)\r\n/.exec(this.#asked);
    if (count === null) return null;
    let at = count[0].length;
    const words: string[] = [];
    for (let left = Number(count[1]); left > 0; left--) {
      const length = /^\$(\d+)\r\n/.exec(this.#asked.slice(at, at + 20));
      if (length === null) return null;
      const from = at + length[0].length;
      at = from + Number(length[1]) + 2;
      if (at > this.#asked.length) return null;
      words.push(this.#asked.slice(from, at - 2));
    }
    this.#asked = this.#asked.slice(at);
    return words;
  }

  #answer(words: readonly string[]): string {
    const [name = '', ...rest] = words;
    if (this.#queued === null || name === 'EXEC' || name === 'DISCARD') return this.#run(name.toUpperCase(), rest);
    this.#queued.push(this.#run(name.toUpperCase(), rest));
    return '+QUEUED\r\n';
  }

  #run(name: string, words: readonly string[]): string {
    const key = `${this.#database}:${words[0] ?? ''}`;
    switch (name) {
      case 'GET':
        return this.#value(key);
      case 'SET':
        return words.length === 2 ? '+OK\r\n' : `-ERR wrong number of arguments for 'set'\r\n`;
      case 'INCR': {
        const number = (this.#store.numbers.get(key) ?? 0) + 1;
        this.#store.numbers.set(key, number);
        return `:${number}\r\n`;
      }
      case 'MGET':
        return `*${words.length}\r\n${words.map((word) => this.#value(`${this.#database}:${word}`)).join('')}`;
      case 'DEL':
        return `:${words.length}\r\n`;
      case 'BLPOP':
        return `*2\r\n${bulk(words[0]!)}${bulk('item')}`;
      case 'SELECT':
        this.#database = words[0]!;
        return '+OK\r\n';
      case 'MULTI':
        this.#queued = [];
        return '+OK\r\n';
      case 'EXEC':
      case 'DISCARD':
        return this.#endMulti(name);
      case 'SUBSCRIBE':
      case 'UNSUBSCRIBE':
        return words.map((channel) => this.#confirm(name.toLowerCase(), channel)).join('');
      case 'AUTH':
      case 'WATCH':
        return '+OK\r\n';
      case 'PING':
        return this.#channels.size > 0 ? `*2\r\n${bulk('pong')}${bulk('')}` : '+PONG\r\n';
      default:
        return `-ERR unknown command '${name}'\r\n`;
    }
  }

  #value(key: string): string {
    if (key.includes('nil')) return '$-1\r\n';
    if (key.includes('bad')) return '-WRONGTYPE not a string\r\n';
    if (key.includes('big')) return bulk('b'.repeat(3_000));
    if (key.includes('deep')) return `*2\r\n*2\r\n:1\r\n${bulk(key)}*0\r\n`;
    return bulk(key);
  }

  #endMulti(name: string): string {
    const queued = this.#queued ?? [];
    this.#queued = null;
    return name === 'EXEC' ? `*${queued.length}\r\n${queued.join('')}` : '+OK\r\n';
  }

  #confirm(what: string, channel: string): string {
    if (what === 'subscribe') this.#channels.add(channel);
    else this.#channels.delete(channel);
    return `*3\r\n${bulk(what)}${bulk(channel)}:${this.#channels.size}\r\n`;
  }
}
