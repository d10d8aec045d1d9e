/** Binding: a caller's own upstream connection, from a Bind until an Unbind that no later Bind overtook. */
import type { LiveAttempt } from '../attempt.ts';
import type { RequestMessage, ResponseMessage } from '../message.ts';
import { Flag } from '../message.ts';
import type { ProxyStatus } from '../status.ts';
import { Status } from '../status.ts';
import type { Caller } from './caller.ts';
import type { ClusterState } from './cluster-state.ts';
import type { UpstreamConnection } from './connection.ts';
import type { EndpointPools } from './endpoint-pools.ts';
import type { Pool } from './pool.ts';

/** Not for another attempt: what it would be bound to is gone. */
export const BINDING_LOST: ProxyStatus = Object.freeze({
  ...Status.upstream_reset,
  retryable: false,
  detail: 'the connection that its caller was to be bound to was lost',
});

export class Binding {
  readonly #caller: Caller;
  readonly #pool: Pool;
  #connection: UpstreamConnection | null = null;
  readonly #queue: LiveAttempt[] = [];
  /** The attempt for which the connection is sought. */
  #first: LiveAttempt | null = null;
  /** Attempts are numbered as they are sent; the number of the last Bind makes earlier Unbinds void. */
  #sent = 0;
  #lastBind = 0;
  #inFlight = 0;
  /** The last of Bind and Unbind that was sent. */
  #unbindSent = false;
  #unbinding = false;
  #ending = false;
  /** The Unbind was not answered: what state the connection is in nobody knows, and it may still be blocked. */
  #unclean = false;
  /** It ends without its Unbind: how many of those in the queue still belong to it. -1: it goes on. */
  #lastQueued = -1;

  private constructor(caller: Caller, pool: Pool) {
    this.#caller = caller;
    this.#pool = pool;
  }

  /** Starts a binding with the attempt that asked for it; `overloaded` past `maxBound`. */
  static begin(caller: Caller, pool: Pool, attempt: LiveAttempt): void {
    const state = pool.site.state;
    if (state.bound >= state.pool.maxBound) {
      state.stats.overflows.add();
      attempt.fail(Status.overloaded);
      return;
    }
    state.bound++;
    state.stats.bindings.add();
    const binding = new Binding(caller, pool);
    caller.binding = binding;
    binding.#first = attempt;
    binding.#noteEnd(attempt);
    pool.acquire(attempt);
  }

  get cluster(): ClusterState {
    return this.#pool.site.state;
  }

  /** Does a request for this endpoint belong on the connection? `placed`: no other endpoint of the cluster would do. */
  serves(endpoint: EndpointPools, placed: boolean): boolean {
    const { site } = this.#pool;
    return placed ? site === endpoint : site.state === endpoint.state;
  }

  /** An Unbind was asked for and no Bind since: what belongs elsewhere can wait for it. */
  get ending(): boolean {
    return this.#ending || this.#unbinding;
  }

  #noteEnd(attempt: LiveAttempt): void {
    const { flags } = attempt.request;
    if ((flags & (Flag.Bind | Flag.Unbind)) !== 0) this.#ending = (flags & Flag.Unbind) !== 0;
  }

  /** True while an Unbind waits for answers: the caller's next requests are held. */
  get unbinding(): boolean {
    return this.#unbinding;
  }

  /** The pool gives the connection away; its first attempt is sent right after. */
  onConnection(connection: UpstreamConnection): void {
    this.#connection = connection;
    connection.binding = this;
  }

  start(attempt: LiveAttempt): void {
    this.#noteEnd(attempt);
    this.#queue.push(attempt);
    this.onSlotFree();
  }

  /** The caller was told of an end that never came here. What is on its way still is; what comes now needs another connection. */
  endUntold(): void {
    if (this.#lastQueued >= 0) return;
    this.#lastQueued = this.#queue.length;
    this.#unclean = true;
    this.#unbinding = true;
    this.#endIfUnbound();
  }

  abandon(attempt: LiveAttempt): void {
    if (this.#first === attempt) {
      this.#pool.abandon(attempt);
      Binding.follow(this.#caller, this.takeStranded(attempt));
      return;
    }
    const at = this.#queue.indexOf(attempt);
    if (at >= 0) this.#queue.splice(at, 1);
    if (at >= 0 && at < this.#lastQueued) this.#lastQueued--;
    if (isUnbind(attempt.request)) this.endUntold();
    else this.#endIfUnbound();
  }

  /** No connection was found: there is no binding. What waited behind is handed over, for `follow`. */
  takeStranded(attempt: LiveAttempt): readonly LiveAttempt[] {
    if (this.#first !== attempt) return [];
    this.#first = null;
    this.#release();
    return this.#queue.splice(0);
  }

  /** What stood behind an attempt that lost its binding stands behind its retry, or fails: half a transaction is worse than none. */
  static follow(caller: Caller, stranded: readonly LiveAttempt[]): void {
    for (const one of stranded) {
      if (caller.binding === null) one.fail(BINDING_LOST);
      else one.joinBinding(caller.binding);
    }
    if (caller.binding === null) caller.connection.onUnbound();
  }

  onSent(attempt: LiveAttempt): void {
    if (this.#first === attempt) this.#first = null;
    attempt.bindSerial = ++this.#sent;
    const { flags } = attempt.request;
    if ((flags & (Flag.Bind | Flag.Unbind)) !== 0) this.#unbindSent = (flags & Flag.Unbind) !== 0;
    if ((flags & Flag.Bind) !== 0) {
      this.#lastBind = this.#sent;
      // An Unbind that was answered before is void now: its caller need not be held any longer.
      if (this.#unbinding && this.#lastQueued < 0) {
        this.#unbinding = false;
        this.#caller.connection.onUnbound();
      }
    }
    this.#inFlight++;
  }

  /** The attempt's answer ended; `answerFlags` null: it failed or was given up. */
  onEnded(attempt: LiveAttempt, answerFlags: number | null): void {
    this.#inFlight--;
    // It is closing: whoever closes it tells the caller.
    if (this.#connection === null || this.#connection.closed) return;
    const unbinds = ((attempt.request.flags | (answerFlags ?? 0)) & Flag.Unbind) !== 0;
    if (unbinds && attempt.bindSerial >= this.#lastBind) {
      this.#unbinding = true;
      if (answerFlags === null) this.#unclean = true;
    }
    this.#endIfUnbound();
  }

  onSlotFree(): void {
    while (this.#queue.length > 0 && this.#lastQueued !== 0 && this.#sendable) {
      if (this.#lastQueued > 0) this.#lastQueued--;
      this.#connection!.send(this.#queue.shift()!);
    }
  }

  /** A connection that takes no others still serves its caller, who has no other place until an Unbind. */
  get #sendable(): boolean {
    const connection = this.#connection;
    return connection !== null && (connection.sendable || (connection.takesBound && !this.#unbindSent));
  }

  onPush(head: ResponseMessage): void {
    this.#caller.connection.push(head);
  }

  /** The upstream died under the caller. */
  onConnectionClosed(status: ProxyStatus): void {
    this.#connection = null;
    this.#release();
    for (const one of this.#queue.splice(0)) one.fail(status);
    this.#caller.connection.onBoundClosed(status);
  }

  /** The caller went away: its connection state is nobody else's. */
  close(): void {
    const connection = this.#connection;
    this.#connection = null;
    this.#release();
    if (this.#first !== null) this.#pool.abandon(this.#first);
    this.#first = null;
    if (connection === null) return;
    connection.binding = null;
    connection.close();
  }

  #endIfUnbound(): void {
    const connection = this.#connection;
    if (!this.#unbinding || this.#inFlight > 0 || this.#lastQueued > 0) return;
    if (connection === null || connection.closed) return;
    if (this.#queue.length === 0) this.#giveBack();
    else if (this.#unclean || connection.draining) this.#moveOn();
  }

  #giveBack(): void {
    const connection = this.#connection!;
    this.#connection = null;
    connection.binding = null;
    this.#release();
    if (connection.draining || this.#unclean) connection.close();
    else this.#pool.reattach(connection);
    this.#caller.connection.onUnbound();
  }

  /** The connection takes no more, and some still wait behind the Unbind: a fresh one takes them, in the same order. */
  #moveOn(): void {
    const connection = this.#connection!;
    this.#connection = null;
    connection.binding = null;
    this.#release();
    connection.close();
    const [first, ...rest] = this.#queue.splice(0);
    first!.bindAnew();
    const next = this.#caller.binding;
    if (next !== null && (first!.request.flags & Flag.Bind) === 0) next.#unbinding = true;
    // A Bind stood first: the Unbind that held the caller is void.
    else this.#caller.connection.onUnbound();
    Binding.follow(this.#caller, rest);
  }

  #release(): void {
    if (this.#caller.binding !== this) return;
    this.#caller.binding = null;
    this.#pool.site.state.bound--;
  }
}

/** It ends a binding that it does not begin. */
export function isUnbind(request: RequestMessage): boolean {
  return (request.flags & (Flag.Bind | Flag.Unbind)) === Flag.Unbind;
}
