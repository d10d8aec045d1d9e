/** UpstreamIds: which wire id stands for which core id on one upstream connection, and which answers are owed. */

/** An id that the core never counted: it drops and counts what comes under it. */
export const UNKNOWN_ID = -1;

export interface UpstreamIds {
  /** At most this many requests can be in flight. */
  readonly most: number;
  /** The wire id that `take` would give; changes nothing. Throws if none is free. */
  next(id: number): number;
  /** The request went out under `wire`; `owed`: an answer will come. */
  take(id: number, wire: number, owed: boolean): void;
  /** An answer came: its core id, or UNKNOWN_ID. */
  answered(high: number, wire: number): number;
  isOwed(id: number): boolean;
  readonly owed: number;
}

/** 32 bits and more: the core's id serves as it is. */
export class WideIds implements UpstreamIds {
  readonly most = 0x7fff_ffff;
  readonly #owed = new Set<number>();

  next(id: number): number {
    return id;
  }

  take(id: number, _wire: number, owed: boolean): void {
    if (owed) this.#owed.add(id);
  }

  answered(high: number, wire: number): number {
    return high === 0 && this.#owed.delete(wire) ? wire : UNKNOWN_ID;
  }

  isOwed(id: number): boolean {
    return this.#owed.has(id);
  }

  get owed(): number {
    return this.#owed.size;
  }
}

/** 8 or 16 bits: the next free number in turn, so that one given free lately is not given again soon. */
export class NarrowIds implements UpstreamIds {
  readonly most: number;
  readonly #wireOf = new Map<number, number>();
  readonly #idOf = new Map<number, number>();
  #last = 0;

  /** Wire ids are 1 to `most`. */
  constructor(most: number) {
    this.most = most;
  }

  next(): number {
    if (this.#idOf.size >= this.most) throw new Error(`all ${this.most} ids of the connection are in use`);
    let wire = this.#last;
    do wire = wire === this.most ? 1 : wire + 1;
    while (this.#idOf.has(wire));
    return wire;
  }

  take(id: number, wire: number, owed: boolean): void {
    this.#last = wire;
    if (!owed) return;
    this.#idOf.set(wire, id);
    this.#wireOf.set(id, wire);
  }

  answered(_high: number, wire: number): number {
    const id = this.#idOf.get(wire);
    if (id === undefined) return UNKNOWN_ID;
    this.#idOf.delete(wire);
    this.#wireOf.delete(id);
    return id;
  }

  isOwed(id: number): boolean {
    return this.#wireOf.has(id);
  }

  get owed(): number {
    return this.#idOf.size;
  }
}
