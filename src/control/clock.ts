/** ControlClock: all time the control plane knows; tests replace it. */

export interface ControlTimer {
  cancel(): void;
}

export interface ControlClock {
  /** Monotonic milliseconds. */
  nowMs(): number;
  /** Calls back once, not before `delayMs` passed. */
  setTimer(delayMs: number, onTimer: () => void): ControlTimer;
}

export class SystemControlClock implements ControlClock {
  nowMs(): number {
    return performance.now();
  }

  setTimer(delayMs: number, onTimer: () => void): ControlTimer {
    const timer = setTimeout(onTimer, delayMs);
    // Watching never keeps a process alive by itself: listeners do.
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  }
}
