/** Clock: all time the core knows. Tests use FakeClock (test/harness/fake-clock.ts). */

// The global of the same name is a getter, and this is asked for every read.
import { performance } from 'node:perf_hooks';

export interface Clock {
  /** Monotonic milliseconds, fractions included. */
  nowMs(): number;
  /** Wall-clock time, for what people and peers read. */
  unixMs(): number;
  /** Calls back once, not before `delayMs` passed. */
  setTimer(delayMs: number, onTimer: () => void): TimerHandle;
}

export interface TimerHandle {
  cancel(): void;
}

export class SystemClock implements Clock {
  nowMs(): number {
    return performance.now();
  }

  unixMs(): number {
    return Date.now();
  }

  setTimer(delayMs: number, onTimer: () => void): TimerHandle {
    const timer = setTimeout(onTimer, delayMs);
    // A pending timeout never keeps a process alive: listeners and workers do.
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  }
}

/**
 * The clock of one worker: during a read it stands still, since all that one read causes happens within microseconds. A call
 * asks it four times, and each look at the system's clock costs 55 ns.
 */
export class EventClock implements Clock {
  readonly #clock: Clock;
  /** Negative: no read is under way. */
  #standsAtMs = -1;
  #dateSecond = -1;
  #dateText = '';

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A read begins. */
  stop(): void {
    this.#standsAtMs = this.#clock.nowMs();
  }

  /** The read is done. */
  go(): void {
    this.#standsAtMs = -1;
  }

  nowMs(): number {
    return this.#standsAtMs < 0 ? this.#clock.nowMs() : this.#standsAtMs;
  }

  unixMs(): number {
    return this.#clock.unixMs();
  }

  /** Now, as messages of the Internet write it (RFC 9110 §5.6.7). Made once a second. */
  get dateText(): string {
    const second = Math.floor(this.#clock.unixMs() / 1_000);
    if (second !== this.#dateSecond) {
      this.#dateSecond = second;
      this.#dateText = new Date(second * 1_000).toUTCString();
    }
    return this.#dateText;
  }

  setTimer(delayMs: number, onTimer: () => void): TimerHandle {
    return this.#clock.setTimer(delayMs, onTimer);
  }
}
