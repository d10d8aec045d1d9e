/** Waiting: whose answer comes next on an upstream connection. Most entries are bare ids; a ring, since thousands may wait. */
import type { Outcome } from '../../metaprotocol/message.ts';
import type { CommandRun } from './command-run.ts';
import type { Command } from './commands.ts';
import { Expect, type RedisResponse, type RequestExtra } from './message.ts';

export class WaitingEntry {
  readonly id: number;
  readonly name: string;
  readonly expect: Expect;
  /** Confirmations still to come; 0: not known before the first. */
  left: number;
  readonly mayUnbind: boolean;
  readonly substitute: RedisResponse | null;
  readonly blocks: boolean;
  /** The proxy asked; nobody gets the answer. */
  readonly swallowed: boolean;

  constructor(id: number, name: string, extra: RequestExtra, swallowed: boolean) {
    this.id = id;
    this.name = name;
    this.expect = extra.expect ?? Expect.One;
    this.left = extra.confirmations ?? 0;
    this.mayUnbind = extra.mayUnbind ?? false;
    this.substitute = extra.substitute ?? null;
    this.blocks = extra.blocks ?? false;
    this.swallowed = swallowed;
  }
}

/** A run of commands, each with an answer. All of them come, also when the run was given up, and told to its caller by us. */
export class WaitingRun {
  readonly id: number;
  /** The core was given the first ones. */
  begun = false;
  readonly #run: CommandRun;
  #received = 0;

  constructor(id: number, run: CommandRun) {
    this.id = id;
    this.#run = run;
  }

  /** Answers to come. */
  get left(): number {
    return this.#run.calls - this.#received;
  }

  receive(bytes: number, outcome: Outcome): void {
    this.#received++;
    this.#run.receive(bytes, outcome);
  }

  /** The core is given what came. */
  tell(): void {
    this.begun = true;
    this.#run.tell();
  }
}

/** Mostly a bare id. */
type Waiter = number | WaitingEntry | WaitingRun;

const SWALLOWED = new WaitingEntry(0, '', {}, true);
const FIRST_SLOTS = 16;

export class Waiting {
  /** A ring whose length is a power of two. */
  #ring: (Waiter | undefined)[] = new Array(FIRST_SLOTS).fill(undefined);
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** How many answers are to come. */
  get answers(): number {
    let answers = 0;
    for (let index = 0; index < this.#size; index++) {
      const entry = this.#at(index);
      answers += entry instanceof WaitingRun ? entry.left : 1;
    }
    return answers;
  }

  get front(): Waiter | undefined {
    return this.#size === 0 ? undefined : this.#ring[this.#head];
  }

  get frontExpects(): Expect {
    const { front } = this;
    return front instanceof WaitingEntry ? front.expect : Expect.One;
  }

  pushId(id: number): void {
    this.#pushEntry(id);
  }

  push(id: number, extra: RequestExtra, command: Command): void {
    this.#pushEntry(new WaitingEntry(id, command.name, extra, false));
  }

  /** The one that was pushed last became a run. */
  lastIsRun(id: number, run: CommandRun): void {
    this.#ring[(this.#head + this.#size - 1) & (this.#ring.length - 1)] = new WaitingRun(id, run);
  }

  pushRun(id: number, run: CommandRun): void {
    run.forgetUntold();
    this.#pushEntry(new WaitingRun(id, run));
  }

  pushSwallowed(): void {
    this.#pushEntry(SWALLOWED);
  }

  shift(): Waiter | undefined {
    if (this.#size === 0) return undefined;
    const entry = this.#ring[this.#head];
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#size--;
    return entry;
  }

  has(id: number): boolean {
    return this.#find(id) !== undefined;
  }

  /** May the answer to this one be long in coming? */
  blocks(id: number): boolean {
    const entry = this.#find(id);
    return entry instanceof WaitingEntry && entry.blocks;
  }

  #pushEntry(entry: Waiter): void {
    if (this.#size === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#size) & (this.#ring.length - 1)] = entry;
    this.#size++;
  }

  /** Ids wait in the order in which they were counted, so what was answered is told from the front. */
  #find(id: number): Waiter | undefined {
    for (let index = 0; index < this.#size; index++) {
      const entry = this.#at(index)!;
      const waiting = typeof entry === 'number' ? entry : entry.id;
      if (waiting === id) return entry;
      if (waiting > id) return undefined;
    }
    return undefined;
  }

  /** Counted from the front. */
  #at(index: number): Waiter | undefined {
    return this.#ring[(this.#head + index) & (this.#ring.length - 1)];
  }

  #grow(): void {
    const ring: (Waiter | undefined)[] = new Array(this.#ring.length * 2).fill(undefined);
    for (let index = 0; index < this.#size; index++) ring[index] = this.#at(index);
    this.#ring = ring;
    this.#head = 0;
  }
}
