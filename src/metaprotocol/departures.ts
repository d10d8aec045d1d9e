/**
 * Departures: connections whose callers are asked to go. Where the protocol has a word for it, it is said at once; closed they are in
 * a quiet moment, since a request may be on its way that would be lost. Knows nothing of why they shall go.
 */
import type { Clock, TimerHandle } from './clock.ts';

/** A caller's connection, as it leaves. */
export interface Departing {
  readonly closed: boolean;
  /** How long nothing was asked; 0 while something is. */
  readonly quietMs: number;
  /** Says so to the caller, and serves on. */
  announceDrain(): void;
  /** Closes behind the answers that are due. */
  drain(): void;
}

/** Longer than a request is on its way. */
const QUIET_MS = 200;
/** Who is never quiet and does not go by itself. */
export const PATIENCE_MS = 1_000;
const LOOK_MS = 20;

export class Departures {
  readonly #clock: Clock;
  readonly #sinceMs = new Map<Departing, number>();
  #timer: TimerHandle | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(caller: Departing): void {
    if (this.#sinceMs.has(caller)) return;
    this.#sinceMs.set(caller, this.#clock.nowMs());
    caller.announceDrain();
    this.#arm();
  }

  /** Forgets them all. */
  close(): void {
    this.#sinceMs.clear();
    this.#timer?.cancel();
    this.#timer = null;
  }

  #look(): void {
    const nowMs = this.#clock.nowMs();
    for (const [caller, sinceMs] of this.#sinceMs) {
      const goesMs = nowMs - sinceMs;
      const isDue = goesMs >= PATIENCE_MS || Math.min(goesMs, caller.quietMs) >= QUIET_MS;
      if (!caller.closed && !isDue) continue;
      this.#sinceMs.delete(caller);
      caller.drain();
    }
    this.#timer = null;
    this.#arm();
  }

  #arm(): void {
    if (this.#sinceMs.size === 0) return;
    this.#timer ??= this.#clock.setTimer(LOOK_MS, () => this.#look());
  }
}
