/** Clock: all time the core knows. Tests use FakeClock (test/harness/fake-clock.ts). */

export interface Clock {
  /** Monotonic milliseconds, fractions included. */
  nowMs(): number;
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

  setTimer(delayMs: number, onTimer: () => void): TimerHandle {
    return this.#clock.setTimer(delayMs, onTimer);
  }
}
