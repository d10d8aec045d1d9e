/**
 * Departures: connections whose callers are asked to go. Where the protocol has a word for it, it is said soon; closed they are in
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

const LOOK_MS = 20;
// Counted in looks: between two of them the event loop has read what came, however long that took on a busy machine.
/**
 * Who is told to go comes back at once, and what the kernel accepts for a socket that closes in that moment is reset: by then all
 * workers have closed theirs.
 */
const TOLD_LOOKS = 5;
/** Longer than a request is on its way. */
const QUIET_LOOKS = 10;
/** Who is never quiet and does not go by itself. */
const PATIENCE_LOOKS = 50;
export const PATIENCE_MS = PATIENCE_LOOKS * LOOK_MS;

interface Waiting {
  looks: number;
  quietLooks: number;
}

export class Departures {
  readonly #clock: Clock;
  readonly #waiting = new Map<Departing, Waiting>();
  #timer: TimerHandle | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(caller: Departing): void {
    if (this.#waiting.has(caller)) return;
    this.#waiting.set(caller, { looks: 0, quietLooks: 0 });
    this.#arm();
  }

  /** Forgets them all. */
  close(): void {
    this.#waiting.clear();
    this.#timer?.cancel();
    this.#timer = null;
  }

  #look(): void {
    for (const [caller, waiting] of this.#waiting) {
      waiting.looks++;
      waiting.quietLooks = caller.quietMs >= LOOK_MS ? waiting.quietLooks + 1 : 0;
      if (waiting.looks >= TOLD_LOOKS) caller.announceDrain();
      if (!caller.closed && waiting.quietLooks < QUIET_LOOKS && waiting.looks < PATIENCE_LOOKS) continue;
      this.#waiting.delete(caller);
      caller.drain();
    }
    this.#timer = null;
    this.#arm();
  }

  #arm(): void {
    if (this.#waiting.size === 0) return;
    this.#timer ??= this.#clock.setTimer(LOOK_MS, () => this.#look());
  }
}
