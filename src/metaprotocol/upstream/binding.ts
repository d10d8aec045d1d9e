/** Binding: a caller's own upstream connection, from a Bind until an Unbind that no later Bind overtook. */
import type { LiveAttempt } from '../attempt.ts';
import type { ResponseMessage } from '../message.ts';
import { Flag } from '../message.ts';
import type { ProxyStatus } from '../status.ts';
import { Status } from '../status.ts';
import type { Caller } from './caller.ts';
import type { UpstreamConnection } from './connection.ts';
import type { Pool } from './pool.ts';

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
  #unbinding = false;
  /** The Unbind was not answered: what state the connection is in nobody knows, and it may still be blocked. */
  #unclean = false;

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
    const binding = new Binding(caller, pool);
    caller.binding = binding;
    binding.#first = attempt;
    pool.acquire(attempt);
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
    this.#queue.push(attempt);
    this.onSlotFree();
  }

  abandon(attempt: LiveAttempt): void {
    if (this.#first === attempt) {
      this.#pool.abandon(attempt);
      this.onFirstFailed(attempt);
      return;
    }
    const at = this.#queue.indexOf(attempt);
    if (at >= 0) this.#queue.splice(at, 1);
  }

  /** No connection was found: there is no binding. Whatever queued behind it fails too. */
  onFirstFailed(attempt: LiveAttempt): void {
    if (this.#first !== attempt) return;
    this.#first = null;
    this.#release();
    for (const one of this.#queue.splice(0)) one.fail(Status.upstream_reset);
    this.#caller.connection.onUnbound();
  }

  onSent(attempt: LiveAttempt): void {
    if (this.#first === attempt) this.#first = null;
    attempt.bindSerial = ++this.#sent;
    if ((attempt.request.flags & Flag.Bind) !== 0) this.#lastBind = this.#sent;
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
    if (this.#unbinding && this.#inFlight === 0) this.#giveBack();
  }

  onSlotFree(): void {
    while (this.#queue.length > 0 && this.#connection?.sendable === true) this.#connection.send(this.#queue.shift()!);
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
    if (connection === null) return;
    connection.binding = null;
    connection.close();
  }

  #giveBack(): void {
    const connection = this.#connection!;
    this.#connection = null;
    connection.binding = null;
    this.#release();
    if (connection.draining || this.#unclean) connection.close();
    else this.#pool.reattach(connection);
    // What stood behind the Unbind and was not sent yet is bound no more.
    for (const one of this.#queue.splice(0)) one.onUnbound();
    this.#caller.connection.onUnbound();
  }

  #release(): void {
    if (this.#caller.binding !== this) return;
    this.#caller.binding = null;
    this.#pool.site.state.bound--;
  }
}
