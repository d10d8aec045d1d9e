/**
 * Pool: the connections of one endpoint and connection key. The last one chosen while something waits to be written to it;
 * else fewest outstanding, both with a free slot and room to write; else another connection, up to the endpoint's limit; else a
 * queue that is fair to callers; else `overloaded`. A replay goes over a connection that cannot be as stale as its first one.
 */
import type { LiveAttempt } from '../attempt.ts';
import type { ProxyStatus } from '../status.ts';
import { Status } from '../status.ts';
import type { Caller } from './caller.ts';
import { UpstreamConnection } from './connection.ts';
import type { EndpointPools } from './endpoint-pools.ts';
import { FairQueue } from './fair-queue.ts';

/** After a failed connect, where other connections serve who waits. */
const REST_MS = 1_000;

export class Pool {
  readonly site: EndpointPools;
  readonly connectionKey: string;
  /** Attempts that were given to this pool and have not ended: some wait elsewhere, for their caller's order. */
  attempts = 0;
  /** All of this pool but bound ones. */
  readonly #connections: UpstreamConnection[] = [];
  readonly #waiting = new FairQueue<Caller, LiveAttempt>();
  /** Lost on a stale connection: the other idle ones may be as dead, so they wait for a new one. */
  #replays: LiveAttempt[] = [];
  /** When a connect failed last. */
  #refusedMs = Number.NEGATIVE_INFINITY;
  #connecting = 0;
  /** Connections that callers have for their own; they come back, or close. */
  #bound = 0;
  /** The last one chosen, while it is in `#connections`. */
  #last: UpstreamConnection | null = null;

  constructor(site: EndpointPools, connectionKey: string) {
    this.site = site;
    this.connectionKey = connectionKey;
  }

  get empty(): boolean {
    return this.#connections.length + this.#bound === 0 && this.attempts === 0;
  }

  get connections(): readonly UpstreamConnection[] {
    return this.#connections;
  }

  /** Sends the attempt now, later, or fails it with `overloaded`. */
  acquire(attempt: LiveAttempt): void {
    const connection = attempt.needsOwnConnection ? this.#idle() : this.#choose(attempt.replayed);
    if (connection !== null) {
      if (attempt.needsOwnConnection) this.#bind(connection, attempt);
      connection.send(attempt);
      if (this.#connections.length < this.site.state.pool.minConnections) this.#open();
      return;
    }
    const state = this.site.state;
    if (state.pending >= state.pool.maxPending) {
      state.stats.overflows.add();
      attempt.fail(Status.overloaded);
      return;
    }
    state.pending++;
    state.stats.pending.add(1);
    if (attempt.replayed) this.#replays.push(attempt);
    else this.#waiting.push(attempt.caller, attempt);
    this.grow();
    if (!attempt.replayed || this.#connecting > 0) return;
    // None may be opened.
    const other = this.#leastBusy(false);
    if (other !== null) this.serve(other);
  }

  /** The attempt gives up waiting. */
  abandon(attempt: LiveAttempt): void {
    if (this.#waiting.remove(attempt.caller, attempt)) this.#unqueue(1);
    const at = this.#replays.indexOf(attempt);
    if (at < 0) return;
    this.#replays.splice(at, 1);
    this.#unqueue(1);
  }

  /** Opens what the waiting requests need and the limit allows. */
  grow(): void {
    // Who waits has others to wait for then: at once, and the next failure again at once, would connect without end.
    const resting = this.site.core.clock.nowMs() - this.#refusedMs < REST_MS;
    if (resting && this.#connections.some((other) => other.sendableEver)) return;
    const { pool, factory } = this.site.state;
    const slots = Math.max(1, pool.concurrency ?? factory.concurrency.upstream);
    for (;;) {
      const waiting = this.#waiting.size + this.#replays.length;
      if (waiting === 0) return;
      const enough = this.#connections.length >= pool.minConnections && waiting <= this.#connecting * slots;
      if (enough || !this.#open()) return;
    }
  }

  /** A connection has a free slot, or room to write again. */
  serve(connection: UpstreamConnection): void {
    if (this.#replays.length > 0 && (connection.fresh || this.#connecting === 0)) this.#serveReplays(connection);
    while (this.#waiting.size > 0 && takesAnother(connection)) {
      const attempt = this.#waiting.shift()!;
      this.#unqueue(1);
      if (attempt.needsOwnConnection) {
        if (connection.outstanding > 0) {
          // It cannot have this one: it waits for another, in its turn.
          this.acquire(attempt);
          return;
        }
        this.#bind(connection, attempt);
      }
      connection.send(attempt);
    }
    if (this.#waiting.size > 0) this.grow();
  }

  #serveReplays(connection: UpstreamConnection): void {
    while (this.#replays.length > 0 && takesAnother(connection)) {
      const attempt = this.#replays.shift()!;
      this.#unqueue(1);
      connection.send(attempt);
    }
  }

  onReady(connection: UpstreamConnection): void {
    this.#connecting--;
    this.serve(connection);
  }

  /** `ready`: it was usable before. A failed connect fails all who wait, unless other connections can still serve them. */
  onClosed(connection: UpstreamConnection, ready: boolean, status: ProxyStatus): void {
    if (this.#last === connection) this.#last = null;
    const at = this.#connections.indexOf(connection);
    if (at >= 0) {
      this.#connections[at] = this.#connections[this.#connections.length - 1]!;
      this.#connections.pop();
    } else {
      this.#bound--;
    }
    this.site.connectionCount--;
    this.site.state.stats.connections.add(-1);
    if (!ready) {
      this.#connecting--;
      this.#refusedMs = this.site.core.clock.nowMs();
      const others = this.#connections.filter((other) => other.sendableEver);
      if (others.length === 0) {
        const failed = [...this.#replays.splice(0), ...this.#waiting.clear()];
        this.#unqueue(failed.length);
        for (const attempt of failed) attempt.fail(status);
      }
      // Replays need not wait for a new one any more.
      for (const other of others) this.serve(other);
    }
    this.site.onConnectionGone();
  }

  /** A caller has it for its own from now on. */
  detach(connection: UpstreamConnection): void {
    if (this.#last === connection) this.#last = null;
    const at = this.#connections.indexOf(connection);
    if (at < 0) return;
    this.#connections.splice(at, 1);
    this.#bound++;
  }

  /** A bound connection comes back clean. */
  reattach(connection: UpstreamConnection): void {
    this.#bound--;
    this.#connections.push(connection);
    this.serve(connection);
  }

  closeOneIdle(): boolean {
    const idle = this.#connections.find((connection) => connection.idle);
    idle?.close();
    return idle !== undefined;
  }

  closeIdle(): void {
    for (const connection of [...this.#connections]) if (connection.idle) connection.close();
  }

  close(): void {
    for (const connection of [...this.#connections]) connection.close();
  }

  /** May this connection go for being idle? The pool keeps its minimum. */
  get spare(): boolean {
    return this.site.retired || this.#connections.length > this.site.state.pool.minConnections;
  }

  #choose(replayed: boolean): UpstreamConnection | null {
    if (replayed) return this.#leastBusy(true);
    // A burst leaves many connections open: spread over all of them, each call would cost a write of its own.
    const last = this.#last;
    if (last?.output.gathering && last.sendable && !last.output.full) return last;
    this.#last = this.#leastBusy(false);
    return this.#last;
  }

  #leastBusy(fresh: boolean): UpstreamConnection | null {
    let best: UpstreamConnection | null = null;
    for (let index = this.#connections.length - 1; index >= 0; index--) {
      const connection = this.#connections[index]!;
      if (!connection.sendable || connection.output.full || (fresh && !connection.fresh)) continue;
      if (connection.outstanding === 0) return connection;
      if (best === null || connection.outstanding < best.outstanding) best = connection;
    }
    return best;
  }

  #idle(): UpstreamConnection | null {
    return this.#connections.find((connection) => connection.idle && connection.sendable) ?? null;
  }

  #bind(connection: UpstreamConnection, attempt: LiveAttempt): void {
    this.detach(connection);
    attempt.caller.binding!.onConnection(connection);
  }

  #open(): boolean {
    if (!this.site.admitConnection(this)) return false;
    this.site.connectionCount++;
    this.#connecting++;
    const connection = new UpstreamConnection(this);
    this.#connections.push(connection);
    connection.connect();
    return true;
  }

  #unqueue(count: number): void {
    this.site.state.pending -= count;
    this.site.state.stats.pending.add(-count);
  }
}

/** From the moment on that a caller has it for its own, it is nobody else's, however much room there is. */
function takesAnother(connection: UpstreamConnection): boolean {
  return connection.binding === null && connection.sendable && !connection.output.full;
}
