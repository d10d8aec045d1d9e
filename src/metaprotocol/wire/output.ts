/**
 * SlabOutput: gathers what a codec writes to one connection during a turn of the event loop and hands it to the wire in one
 * call. Slabs are lent by the worker's pool for as long as something is queued, so idle connections hold none.
 */
import type { Output } from '../codec.ts';
import type { Wire } from './wire.ts';

const FIRST_SLAB_BYTES = 16 * 1024;
/** Up to here a loop costs less than a call of `copy`. */
const LOOP_BYTES = 32;
const LARGEST_SLAB_BYTES = 256 * 1024;
/** Above this, `full` asks codecs to wait. */
const FULL_BYTES = 256 * 1024;
const EMPTY = Buffer.alloc(0);

/** A view costs more than to write a small answer: each slab keeps this many of its beginning, by the last bits of their length. */
const KEPT_VIEWS = 16;
/** A burst of connections must not pin its slabs for ever. Of the first size each side of a stream may have one for a turn. */
const KEPT_FIRST_SLABS = 128;
const KEPT_LARGER_SLABS = 64;

/** Memory that outputs write to, and views of what they wrote: many turns write as much as one before. */
class Slab {
  readonly bytes: Buffer;
  readonly #views: (Buffer | undefined)[] = new Array(KEPT_VIEWS).fill(undefined);

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size);
  }

  view(from: number, to: number): Buffer {
    if (from > 0) return this.bytes.subarray(from, to);
    const at = to & (KEPT_VIEWS - 1);
    const kept = this.#views[at];
    if (kept !== undefined && kept.length === to) return kept;
    const view = this.bytes.subarray(0, to);
    this.#views[at] = view;
    return view;
  }
}

/** Slabs of one worker that nobody uses now. */
export class SlabPool {
  /** Of the size that outputs begin with. */
  readonly #first: Slab[] = [];
  readonly #larger = new Map<number, Slab[]>();

  take(size: number): Slab {
    const free = size === FIRST_SLAB_BYTES ? this.#first : this.#larger.get(size);
    return free?.pop() ?? new Slab(size);
  }

  give(slab: Slab): void {
    const size = slab.bytes.length;
    if (size > LARGEST_SLAB_BYTES) return;
    let free = size === FIRST_SLAB_BYTES ? this.#first : this.#larger.get(size);
    if (free === undefined) {
      free = [];
      this.#larger.set(size, free);
    }
    if (free.length < (size === FIRST_SLAB_BYTES ? KEPT_FIRST_SLABS : KEPT_LARGER_SLABS)) free.push(slab);
  }
}

export class SlabOutput implements Output {
  slab: Buffer = EMPTY;
  /** Counts flushes that wrote something: a request encoded at flush n was handed to the kernel when it is > n. */
  flushes = 0;
  readonly #pool: SlabPool;
  readonly #onDirty: () => void;
  #wire: Wire | null = null;
  /** Whose bytes `slab` are; null: there is none yet. */
  #slab: Slab | null = null;
  #parts: Buffer[] = [];
  /** Slabs that #parts points into, besides the current one. */
  #filled: Slab[] = [];
  /** Slabs that the wire has, until it tells that it no longer does. */
  #lent: Slab[] = [];
  /** The current slab's bytes [#from, #used) are not in #parts yet. */
  #from = 0;
  #used = 0;
  #queued = 0;
  #ending = false;
  #sawFull = false;
  #markParts = 0;
  #markFilled = 0;
  #markFrom = 0;
  #markUsed = 0;
  #markQueued = 0;

  /** `onDirty` is called for the first write since a flush, and for the end; the connection schedules one flush a turn. */
  constructor(pool: SlabPool, onDirty: () => void) {
    this.#pool = pool;
    this.#onDirty = onDirty;
  }

  attach(wire: Wire): void {
    this.#wire = wire;
  }

  append(bytes: Buffer, from: number, to: number): number {
    const length = to - from;
    const at = this.reserve(length);
    const { slab } = this;
    if (length > LOOP_BYTES) bytes.copy(slab, at, from, to);
    else for (let index = 0; index < length; index++) slab[at + index] = bytes[from + index]!;
    return at;
  }

  reserve(n: number): number {
    if (this.#used + n > this.slab.length) this.#makeRoom(n);
    const at = this.#used;
    this.#used = at + n;
    if (this.#queued === 0) this.#onDirty();
    this.#queued += n;
    return at;
  }

  view(bytes: Buffer): void {
    this.#cut();
    this.#parts.push(bytes);
    if (this.#queued === 0) this.#onDirty();
    this.#queued += bytes.length;
  }

  end(): void {
    this.#ending = true;
    this.#onDirty();
  }

  /** Queued here or behind the wire, in bytes. */
  get queuedBytes(): number {
    return this.#queued + (this.#wire?.queuedBytes ?? 0);
  }

  /** Something waits for the next flush: what joins it costs no system call. */
  get gathering(): boolean {
    return this.#queued > 0;
  }

  get full(): boolean {
    if (this.queuedBytes < FULL_BYTES) return false;
    this.#sawFull = true;
    return true;
  }

  /** True once after `full` was read true and no longer is. */
  takeRoom(): boolean {
    if (!this.#sawFull || this.queuedBytes >= FULL_BYTES) return false;
    this.#sawFull = false;
    return true;
  }

  /** Remembers where it stands, for `rollback`. One mark at a time. */
  mark(): void {
    this.#markParts = this.#parts.length;
    this.#markFilled = this.#filled.length;
    this.#markFrom = this.#from;
    this.#markUsed = this.#used;
    this.#markQueued = this.#queued;
  }

  /** Forgets everything written since the mark: an encode threw halfway. */
  rollback(): void {
    if (this.#filled.length > this.#markFilled) {
      // The slab that was current at the mark (or the larger one it moved into) was filled since: it is current again.
      this.#pool.give(this.#slab!);
      for (const later of this.#filled.splice(this.#markFilled + 1)) this.#pool.give(later);
      this.#use(this.#filled.pop()!);
    }
    this.#parts.length = this.#markParts;
    this.#from = this.#markFrom;
    this.#used = this.#markUsed;
    this.#queued = this.#markQueued;
  }

  /** Hands everything to the wire. True if it wrote something. */
  flush(): boolean {
    const wire = this.#wire;
    if (wire === null) return false;
    let wrote = false;
    if (this.#queued > 0) {
      wire.write(this.#takeParts());
      this.flushes++;
      wrote = true;
      this.#queued = 0;
      this.#releaseSlabs(wire.queuedBytes === 0);
    }
    if (this.#ending) {
      this.#ending = false;
      wire.end();
    }
    return wrote;
  }

  /** Gives everything back; the connection is gone. */
  release(): void {
    this.#parts = [];
    this.#queued = 0;
    this.#releaseSlabs(this.#wire === null || this.#wire.queuedBytes === 0);
    this.#lent = [];
    this.#wire = null;
  }

  /** Slabs whose bytes the kernel has not taken yet belong to the wire. */
  #releaseSlabs(reusable: boolean): void {
    if (reusable) {
      for (const slab of this.#filled) this.#pool.give(slab);
      if (this.#slab !== null) this.#pool.give(this.#slab);
    } else {
      this.#lent.push(...this.#filled);
      if (this.#slab !== null) this.#lent.push(this.#slab);
    }
    if (this.#filled.length > 0) this.#filled = [];
    this.#slab = null;
    this.slab = EMPTY;
    this.#from = 0;
    this.#used = 0;
  }

  /** The wire took all that it had. */
  onDrain(): void {
    for (const slab of this.#lent) this.#pool.give(slab);
    this.#lent.length = 0;
  }

  /** All that is queued here. Mostly one piece, for which nothing is gathered. */
  #takeParts(): readonly Buffer[] {
    if (this.#parts.length === 0) return [this.#slab!.view(this.#from, this.#used)];
    this.#cut();
    const parts = this.#parts;
    this.#parts = [];
    return parts;
  }

  /** Moves the current slab's open bytes to the parts. */
  #cut(): void {
    if (this.#used > this.#from) this.#parts.push(this.#slab!.view(this.#from, this.#used));
    this.#from = this.#used;
  }

  #use(slab: Slab): void {
    this.#slab = slab;
    this.slab = slab.bytes;
  }

  #makeRoom(n: number): void {
    const current = this.#slab;
    if (current === null) {
      let size = FIRST_SLAB_BYTES;
      while (size < n) size *= 2;
      this.#use(this.#pool.take(size > LARGEST_SLAB_BYTES ? n : size));
      return;
    }
    const open = this.#used - this.#from;
    // A slab that nothing points into grows by moving; beyond the largest size a further slab follows.
    if (this.#from === 0 && open + n <= LARGEST_SLAB_BYTES) {
      let size = current.bytes.length;
      while (size < open + n) size *= 2;
      const grown = this.#pool.take(size);
      current.bytes.copy(grown.bytes, 0, 0, open);
      this.#pool.give(current);
      this.#use(grown);
      return;
    }
    this.#cut();
    this.#filled.push(current);
    this.#use(this.#pool.take(Math.max(n, LARGEST_SLAB_BYTES)));
    this.#from = 0;
    this.#used = 0;
  }
}

/** Something with work to do at the end of a turn. */
export interface Flushable {
  flush(): void;
  /** True: it carries what many callers ask, and would rather be written to when more of it is there. Absent: no. */
  readonly gathers?: boolean;
}

/** A turn that read so many callers is followed by others that do. */
const BUSY_READS = 2;
/** For so many turns a connection may gather. */
const GATHERING_TURNS = 4;

/**
 * Runs every dirty connection once at the end of the turn, those that became dirty meanwhile included. While callers are busy,
 * connections that gather wait for some turns: one write for all costs what one for each does.
 */
export class Flusher {
  readonly #schedule: (run: () => void) => void;
  readonly #run = (): void => this.#flushAll();
  /** The first #count of them wait; it keeps its room from turn to turn. */
  readonly #dirty: (Flushable | null)[] = [];
  #count = 0;
  #scheduled = false;
  #reads = 0;
  #turns = 0;

  /** `schedule` defers to the end of the turn: setImmediate (17.8 µs a call against 23.5 of a microtask, DESIGN §7). */
  constructor(schedule: (run: () => void) => void = setImmediate) {
    this.#schedule = schedule;
  }

  /** The caller makes sure that it adds itself once until its `flush` runs. */
  add(connection: Flushable): void {
    this.#dirty[this.#count++] = connection;
    if (!this.#scheduled) {
      this.#scheduled = true;
      this.#schedule(this.#run);
    }
  }

  /** A caller was read in this turn. */
  noteRead(): void {
    this.#reads++;
  }

  #flushAll(): void {
    const isBusy = this.#reads >= BUSY_READS && this.#turns < GATHERING_TURNS;
    this.#reads = 0;
    this.#turns = isBusy ? this.#turns + 1 : 0;
    const dirty = this.#dirty;
    // Work that flushing makes is done in the same turn, up to a bound that keeps reads from starving.
    const bound = this.#count * 4 + 64;
    let index = 0;
    let gathering = 0;
    for (; index < this.#count && index < bound; index++) {
      const connection = dirty[index]!;
      dirty[index] = null;
      if (isBusy && connection.gathers === true) dirty[gathering++] = connection;
      else connection.flush();
    }
    dirty.copyWithin(gathering, index, this.#count);
    this.#count -= index - gathering;
    this.#scheduled = this.#count > 0;
    if (this.#scheduled) this.#schedule(this.#run);
  }
}
