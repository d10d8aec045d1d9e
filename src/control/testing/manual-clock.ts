/** ManualClock: a ControlClock that moves when a test says so. */
import type { ControlClock, ControlTimer } from '../clock.ts';

export class ManualClock implements ControlClock {
  #nowMs = 0;
  #timers: { atMs: number; onTimer: () => void }[] = [];

  wallMs(): number {
    return this.#nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, onTimer: () => void): ControlTimer {
    const timer = { atMs: this.#nowMs + delayMs, onTimer };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((each) => each !== timer);
      },
    };
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    const due = this.#timers.filter((timer) => timer.atMs <= this.#nowMs);
    this.#timers = this.#timers.filter((timer) => timer.atMs > this.#nowMs);
    for (const timer of due) timer.onTimer();
  }
}
