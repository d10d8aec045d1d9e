/**
 * RequestBody: the data and trailers of one request on their way to its current attempt. Until the stream commits, what was
 * sent is kept in one growing buffer, so that a further attempt can be given all of it again.
 */
import type { LiveAttempt } from '../attempt.ts';
import type { Trailers } from '../message.ts';

const EMPTY = Buffer.alloc(0);
const FIRST_BYTES = 4_096;

export interface BodySource {
  /** The upstream took this much of the caller's data: its window opens again. */
  creditCaller(bytes: number): void;
}

export class RequestBody {
  readonly #source: BodySource;
  /** The body's bytes from offset #keptFrom to #total. */
  #kept = EMPTY;
  #keptFrom = 0;
  #total = 0;
  /** Offset up to which the current attempt has it. */
  #sentTo = 0;
  #ended = false;
  #trailers: Trailers | null = null;
  #endSent = false;
  /** The attempt's last `data` returned false. */
  #blocked = false;
  #uncredited = 0;
  #committed: boolean;

  /** `committed`: there is no further attempt. */
  constructor(source: BodySource, committed: boolean) {
    this.#source = source;
    this.#committed = committed;
  }

  /** Bytes held for a further attempt, or for one that has no connection yet. */
  get keptBytes(): number {
    return this.#total - this.#keptFrom;
  }

  add(chunk: Buffer, end: boolean, lent: boolean, received: number, attempt: LiveAttempt | null): void {
    this.#uncredited += received;
    if (end) this.#ended = true;
    if (this.#committed && this.#sentTo === this.#total && this.#ready(attempt)) {
      this.#total += chunk.length;
      this.#sentTo = this.#total;
      this.#keptFrom = this.#total;
      this.#endSent = end;
      this.#onTaken(attempt!.data(chunk, end, lent));
      return;
    }
    this.#append(chunk);
    this.pump(attempt);
  }

  addTrailers(trailers: Trailers, attempt: LiveAttempt | null): void {
    this.#ended = true;
    this.#trailers = trailers;
    this.pump(attempt);
  }

  /** Gives the attempt what it has not had yet. */
  pump(attempt: LiveAttempt | null): void {
    if (!this.#ready(attempt)) return;
    const ends = this.#ended && this.#trailers === null;
    if (this.#sentTo < this.#total || (ends && !this.#endSent)) {
      const chunk = this.#kept.subarray(this.#sentTo - this.#keptFrom, this.#total - this.#keptFrom);
      this.#sentTo = this.#total;
      this.#endSent = ends;
      this.#onTaken(attempt!.data(chunk, ends, false));
    }
    if (this.#trailers !== null && !this.#endSent && !this.#blocked) {
      this.#endSent = true;
      this.#onTaken(attempt!.trailers(this.#trailers));
    }
    if (this.#committed) this.#dropSent();
  }

  onWritable(attempt: LiveAttempt): void {
    this.#blocked = false;
    this.#credit();
    this.pump(attempt);
  }

  /** No further attempt: only what is still to be sent is kept. */
  commit(): void {
    this.#committed = true;
    this.#dropSent();
  }

  /** A further attempt starts from the first byte. */
  rewind(): void {
    this.#sentTo = this.#keptFrom;
    this.#endSent = false;
    this.#blocked = false;
  }

  #ready(attempt: LiveAttempt | null): boolean {
    return attempt?.sent === true && !attempt.ended && !this.#blocked;
  }

  #onTaken(taken: boolean): void {
    if (taken) this.#credit();
    else this.#blocked = true;
  }

  #credit(): void {
    if (this.#uncredited === 0) return;
    const bytes = this.#uncredited;
    this.#uncredited = 0;
    this.#source.creditCaller(bytes);
  }

  #append(chunk: Buffer): void {
    const used = this.#total - this.#keptFrom;
    if (used + chunk.length > this.#kept.length) {
      const grown = Buffer.allocUnsafe(Math.max(FIRST_BYTES, this.#kept.length * 2, used + chunk.length));
      this.#kept.copy(grown, 0, 0, used);
      this.#kept = grown;
    }
    chunk.copy(this.#kept, used);
    this.#total += chunk.length;
  }

  #dropSent(): void {
    if (this.#sentTo === this.#keptFrom) return;
    // The codec may still view the old bytes: what is left moves to a buffer of its own.
    const left = this.#kept.subarray(this.#sentTo - this.#keptFrom, this.#total - this.#keptFrom);
    this.#kept = left.length === 0 ? EMPTY : Buffer.from(left);
    this.#keptFrom = this.#sentTo;
  }
}
