/** MirroredRequest: a copy of a request sent elsewhere. Detached: its answer is dropped, and it is reset rather than felt. */

import type { AttemptOwner } from '../attempt.ts';
import { LiveAttempt } from '../attempt.ts';
import type { Core } from '../core.ts';
import type { RequestMessage, ResponseMessage, Trailers } from '../message.ts';
import { Flag } from '../message.ts';
import type { Mirror } from '../router/route.ts';
import { Status } from '../status.ts';
import type { LiveStream } from '../stream.ts';
import type { TimerOwner } from '../timer-wheel.ts';
import { WheelTimer } from '../timer-wheel.ts';
import { isUnbind } from '../upstream/binding.ts';
import { Caller } from '../upstream/caller.ts';
import type { ClusterState } from '../upstream/cluster-state.ts';
import type { Endpoint } from '../upstream/endpoint.ts';
import type { BodySource } from './request-body.ts';
import { RequestBody } from './request-body.ts';
import { placeParts } from './split.ts';

/** Data that waits for the mirror; beyond it the mirror is given up. */
const MIRROR_LIMIT_BYTES = 64 * 1024;
/** For routes without a timeout: a mirror never holds a slot for ever. */
const MIRROR_TIMEOUT_MS = 15_000;

/** The order of mirrored requests is kept apart from that of the caller's own, and so are the connections that they are bound to. */
export class MirrorCallers {
  readonly #callers = new Map<ClusterState, Caller>();

  of(cluster: ClusterState): Caller {
    return this.#callers.get(cluster) ?? this.renew(cluster);
  }

  /** Another in its place: the one before still waits for the end of its binding. */
  renew(cluster: ClusterState): Caller {
    const caller = new Caller({ push() {}, onBoundClosed() {}, onUnbound() {} });
    this.#callers.set(cluster, caller);
    return caller;
  }

  close(): void {
    for (const caller of this.#callers.values()) caller.close();
  }
}

/** Starts the mirrors of a route that this request draws. */
export function startMirrors(stream: LiveStream, mirrors: readonly Mirror[]): MirroredRequest[] {
  const { request } = stream;
  const { core, mirrorCallers } = stream.connection;
  const started: MirroredRequest[] = [];
  for (const { cluster, share } of mirrors) {
    if (cluster === null) continue;
    const { state, balancer } = cluster;
    let caller = mirrorCallers.of(state);
    if (!isDrawn(request, caller, share, core.random)) continue;
    const hashInput = stream.route!.hashInput(request);
    const placed = placeParts(request, cluster, core.random);
    const endpoint = placed === null ? balancer.pick(hashInput, core.random) : null;
    if (placed === null && endpoint === null) continue;
    const { binding } = caller;
    if (binding !== null && !isUnbind(request)) {
      const isPlaced = balancer.hashes && Boolean(hashInput);
      const stays = endpoint !== null && binding.serves(endpoint.pools, isPlaced);
      if (!stays && binding.ending) caller = mirrorCallers.renew(state);
      else if (!stays) {
        refuse(request, caller, state);
        continue;
      }
    }
    if (placed?.split.parts.length === 0) {
      refuse(request, caller, state);
      continue;
    }
    request.keep();
    if (endpoint !== null) started.push(startOne(stream, caller, endpoint, request.fork()));
    for (const part of placed?.split.parts ?? []) {
      started.push(startOne(stream, caller, placed!.endpoints[part.group]!, part.request));
    }
  }
  return started;
}

/** What belongs to a connection that the mirror gave its caller goes there, and nowhere else: half a transaction is worse than none. */
function isDrawn(request: RequestMessage, caller: Caller, share: number, random: () => number): boolean {
  if (caller.binding !== null) return true;
  if (request.needsBinding === true || isUnbind(request)) return false;
  return share >= 1 || random() < share;
}

/** Its keys are at several of the mirror's endpoints. A transaction that lacks it must not run there. */
function refuse(request: RequestMessage, caller: Caller, cluster: ClusterState): void {
  cluster.stats.requests.add();
  cluster.stats.failures.add();
  if (request.needsBinding === true) caller.binding?.close();
}

function startOne(stream: LiveStream, caller: Caller, endpoint: Endpoint, request: RequestMessage): MirroredRequest {
  const mirrored = new MirroredRequest(stream.connection.core);
  const { timeoutMs } = stream.route!;
  const attempt = new LiveAttempt(mirrored, caller, endpoint, request, false);
  mirrored.start(attempt, stream.startMs, timeoutMs === 0 ? MIRROR_TIMEOUT_MS : timeoutMs);
  return mirrored;
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
