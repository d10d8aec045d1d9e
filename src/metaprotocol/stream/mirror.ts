/** MirroredRequest: a copy of a request sent elsewhere. Detached: its answer is dropped, and it is reset rather than felt. */

import type { AttemptOwner } from '../attempt.ts';
import { LiveAttempt } from '../attempt.ts';
import type { Core } from '../core.ts';
import type { ResponseMessage, Trailers } from '../message.ts';
import { Flag } from '../message.ts';
import type { Mirror } from '../router/route.ts';
import { Status } from '../status.ts';
import type { LiveStream } from '../stream.ts';
import type { TimerOwner } from '../timer-wheel.ts';
import { WheelTimer } from '../timer-wheel.ts';
import type { BodySource } from './request-body.ts';
import { RequestBody } from './request-body.ts';

/** Data that waits for the mirror; beyond it the mirror is given up. */
const MIRROR_LIMIT_BYTES = 64 * 1024;
/** For routes without a timeout: a mirror never holds a slot for ever. */
const MIRROR_TIMEOUT_MS = 15_000;

/** Starts the mirrors of a route that this request draws. */
export function startMirrors(stream: LiveStream, mirrors: readonly Mirror[], nowMs: number): MirroredRequest[] {
  const { core, mirrorCaller } = stream.connection;
  const route = stream.route!;
  const started: MirroredRequest[] = [];
  for (const { cluster, share } of mirrors) {
    if (cluster === null || (share < 1 && core.random() >= share)) continue;
    const endpoint = cluster.balancer.pick(route.hashInput(stream.request), core.random);
    if (endpoint === null) continue;
    stream.request.keep();
    const mirrored = new MirroredRequest(core);
    const attempt = new LiveAttempt(mirrored, mirrorCaller, endpoint, stream.request.fork(), false);
    mirrored.start(attempt, nowMs, route.timeoutMs === 0 ? MIRROR_TIMEOUT_MS : route.timeoutMs);
    started.push(mirrored);
  }
  return started;
}

export class MirroredRequest implements AttemptOwner, BodySource, TimerOwner {
  readonly #core: Core;
  readonly #timer = new WheelTimer(this);
  readonly #body = new RequestBody(this, true);
  #attempt: LiveAttempt | null = null;

  constructor(core: Core) {
    this.#core = core;
  }

  start(attempt: LiveAttempt, nowMs: number, timeoutMs: number): void {
    this.#attempt = attempt;
    this.#core.wheel.arm(this.#timer, nowMs, timeoutMs);
    attempt.start(nowMs);
  }

  data(chunk: Buffer, end: boolean, lent: boolean): void {
    const attempt = this.#attempt!;
    if (attempt.ended) return;
    this.#body.add(chunk, end, lent, 0, attempt);
    // Waiting for it any longer would be felt.
    if (this.#body.keptBytes > MIRROR_LIMIT_BYTES) this.#giveUp();
  }

  trailers(trailers: Trailers): void {
    const attempt = this.#attempt!;
    if (!attempt.ended) this.#body.addTrailers(trailers, attempt);
  }

  onTimer(): void {
    this.#attempt!.cancel(Status.timeout);
  }

  onAttemptEncoded(attempt: LiveAttempt): void {
    this.#body.pump(attempt);
  }

  onAttemptWritable(attempt: LiveAttempt): void {
    this.#body.onWritable(attempt);
  }

  onAttemptHead(_attempt: LiveAttempt, response: ResponseMessage): void {
    if ((response.flags & Flag.End) !== 0) this.#stopTimer();
  }

  onAttemptData(attempt: LiveAttempt, chunk: Buffer, end: boolean): void {
    attempt.credit(chunk.length);
    if (end) this.#stopTimer();
  }

  onAttemptTrailers(): void {
    this.#stopTimer();
  }

  onAttemptWritten(): void {
    this.#stopTimer();
  }

  onAttemptFailed(): void {
    this.#stopTimer();
  }

  mayReplay(): boolean {
    return false;
  }

  replay(): void {}

  /** The caller is credited for the original alone. */
  creditCaller(): void {}

  #giveUp(): void {
    this.#stopTimer();
    this.#attempt!.cancel(Status.overloaded);
  }

  #stopTimer(): void {
    this.#core.wheel.cancel(this.#timer);
  }
}
