/** FakeClock: time that passes only when a test says so. */
import type { Clock, TimerHandle } from '../../src/metaprotocol/clock.ts';

interface FakeTimer {
  readonly dueMs: number;
  readonly order: number;
  readonly onTimer: () => void;
}

export class FakeClock implements Clock {
  #nowMs = 0;
  #order = 0;
  readonly #timers = new Set<FakeTimer>();

  /** Some day at noon, and what went by since. */
  unixMs(): number {
    return Date.UTC(2026, 1, 3, 12) + this.nowMs();
  }

  nowMs(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, onTimer: () => void): TimerHandle {
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, onTimer };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  /** Timers that were set and neither ran nor were cancelled. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Runs every timer that is due by then, in order of time, including those set on the way. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (let next = this.#first(); next !== null && next.dueMs <= untilMs; next = this.#first()) {
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      this.#timers.delete(next);
      next.onTimer();
    }
    this.#nowMs = untilMs;
  }

  #first(): FakeTimer | null {
    let first: FakeTimer | null = null;
    for (const timer of this.#timers) {
      if (first === null || timer.dueMs < first.dueMs || (timer.dueMs === first.dueMs && timer.order < first.order)) {
        first = timer;
      }
    }
    return first;
  }
}
