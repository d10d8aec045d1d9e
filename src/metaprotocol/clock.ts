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
