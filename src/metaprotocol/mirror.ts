/** MirroredRequest: a copy of a request sent elsewhere. Detached: its answer is dropped, and it is reset rather than felt. */

import type { AttemptOwner } from './attempt.ts';
import { LiveAttempt } from './attempt.ts';
import type { ResponseMessage, Trailers } from './message.ts';
import type { Mirror } from './router/route.ts';
import { Status } from './status.ts';
import type { LiveStream } from './stream.ts';

/** Data that waits for the mirror's connection; beyond it the mirror is given up. */
const MIRROR_LIMIT_BYTES = 64 * 1024;

/** Starts the mirrors of a route that this request draws. */
export function startMirrors(stream: LiveStream, mirrors: readonly Mirror[], nowMs: number): MirroredRequest[] {
  const { random } = stream.connection.core;
  const started: MirroredRequest[] = [];
  for (const { cluster, share } of mirrors) {
    if (cluster === null || (share < 1 && random() >= share)) continue;
    const endpoint = cluster.balancer.pick(stream.route!.hashInput(stream.request), random);
    if (endpoint === null) continue;
    stream.request.keep();
    const mirrored = new MirroredRequest();
    const { mirrorCaller } = stream.connection;
    mirrored.attempt = new LiveAttempt(mirrored, mirrorCaller, cluster, endpoint, stream.request.fork(), false);
    mirrored.attempt.start(nowMs);
    started.push(mirrored);
  }
  return started;
}

export class MirroredRequest implements AttemptOwner {
  attempt: LiveAttempt | null = null;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #ended = false;

  data(chunk: Buffer, end: boolean, lent: boolean): void {
    const { attempt } = this;
    if (attempt === null || attempt.ended) return;
    if (attempt.sent) {
      // A mirror that cannot take it now is given up: waiting would be felt.
      if (!attempt.data(chunk, end, lent)) attempt.cancel(Status.overloaded);
      return;
    }
    this.#ended = end;
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes > MIRROR_LIMIT_BYTES) attempt.cancel(Status.overloaded);
    else this.#waiting.push(Buffer.from(chunk));
  }

  trailers(trailers: Trailers): void {
    const { attempt } = this;
    if (attempt === null || attempt.ended) return;
    if (attempt.sent) attempt.trailers(trailers);
    else attempt.cancel(Status.overloaded);
  }

  onAttemptEncoded(attempt: LiveAttempt): void {
    if (this.#waiting.length === 0 && !this.#ended) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const [index, chunk] of waiting.entries()) {
      const last = index === waiting.length - 1;
      if (!attempt.data(chunk, last && this.#ended, false) && !last) {
        attempt.cancel(Status.overloaded);
        return;
      }
    }
  }

  onAttemptData(attempt: LiveAttempt, chunk: Buffer): void {
    attempt.credit(chunk.length);
  }

  onAttemptWritten(): void {}
  onAttemptHead(_attempt: LiveAttempt, _response: ResponseMessage): void {}
  onAttemptTrailers(): void {}
  onAttemptWritable(): void {}
  onAttemptFailed(): void {}
  replay(): void {}

  mayReplay(): boolean {
    return false;
  }
}
