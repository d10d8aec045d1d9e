/**
 * RouteTimeouts: when streams of one connection have waited for as long as their routes allow. One timer serves them all and stays
 * armed when a stream ends in time, so that a stream mostly costs a comparison.
 */
import type { Core } from '../core.ts';
import type { LiveStream } from '../stream.ts';
import type { TimerOwner } from '../timer-wheel.ts';
import { WheelTimer } from '../timer-wheel.ts';

/** The connection, as its timeouts need it. */
export interface TimedStreams {
  readonly core: Core;
  eachStream(): readonly (readonly [id: number, stream: LiveStream])[];
}

const NEVER = Number.POSITIVE_INFINITY;

export class RouteTimeouts implements TimerOwner {
  readonly #streams: TimedStreams;
  readonly #timer = new WheelTimer(this);
  /** When the streams are looked at next. */
  #lookMs = NEVER;

  constructor(streams: TimedStreams) {
    this.#streams = streams;
  }

  /** A stream shall hear of it when `dueMs` has come, unless it has ended by then. */
  expect(dueMs: number, nowMs: number): void {
    if (dueMs >= this.#lookMs) return;
    this.#lookMs = dueMs;
    this.#streams.core.wheel.arm(this.#timer, nowMs, dueMs - nowMs);
  }

  onTimer(): void {
    const nowMs = this.#streams.core.clock.nowMs();
    this.#lookMs = NEVER;
    let nextMs = NEVER;
    for (const [, stream] of this.#streams.eachStream()) {
      if (stream.ended || stream.dueMs <= 0) continue;
      if (stream.dueMs <= nowMs) stream.onTimeout();
      else nextMs = Math.min(nextMs, stream.dueMs);
    }
    if (nextMs < NEVER) this.expect(nextMs, nowMs);
  }

  close(): void {
    this.#streams.core.wheel.cancel(this.#timer);
  }
}
