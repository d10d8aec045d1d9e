/** AffinityLane: keeps the requests of one caller to one pool on one connection, in order, while any is in flight. */
import type { LiveAttempt } from '../attempt.ts';
import type { Caller } from './caller.ts';
import type { UpstreamConnection } from './connection.ts';
import type { Pool } from './pool.ts';

export class AffinityLane {
  readonly #caller: Caller;
  readonly #pool: Pool;
  /** Where what is in flight went; with nothing in flight it ties the caller no more. */
  #connection: UpstreamConnection | null = null;
  /** The attempt for which the pool finds a connection. */
  #scout: LiveAttempt | null = null;
  /** It has its connection, and the queue behind it was not looked at since. */
  #scoutSent = false;
  #inFlight = 0;
  readonly #queue: LiveAttempt[] = [];
  /** How many replays stand at the head of the queue. */
  #replays = 0;

  private constructor(caller: Caller, pool: Pool) {
    this.#caller = caller;
    this.#pool = pool;
  }

  static of(caller: Caller, pool: Pool): AffinityLane {
    if (caller.lastLane !== null && caller.lastLane.#pool === pool) return caller.lastLane;
    let lane = caller.lanes.get(pool);
    if (lane === undefined) {
      lane = new AffinityLane(caller, pool);
      caller.lanes.set(pool, lane);
    }
    caller.lastLane = lane;
    return lane;
  }

  /** A replayed attempt stands before everything that was not sent yet, behind the replays before it. */
  start(attempt: LiveAttempt): void {
    const isNext = !attempt.replayed && this.#scout === null && this.#queue.length === 0;
    // The common cases: nothing is in flight, or more of the same goes on a connection with room.
    if (isNext && this.#inFlight === 0) {
      this.#seek(attempt);
      return;
    }
    if (isNext && this.#connection?.sendable) {
      this.#connection.send(attempt);
      return;
    }
    if (attempt.replayed) this.#queue.splice(this.#replays++, 0, attempt);
    else this.#queue.push(attempt);
    this.serve();
  }

  /** The attempt left before it was sent. */
  abandon(attempt: LiveAttempt): void {
    if (this.#scout === attempt) {
      this.#scout = null;
      this.#pool.abandon(attempt);
    } else {
      const at = this.#queue.indexOf(attempt);
      if (at >= 0) this.#queue.splice(at, 1);
      if (at >= 0 && at < this.#replays) this.#replays--;
    }
    this.serve();
  }

  /** The pool sent the attempt on this connection. */
  onSent(attempt: LiveAttempt, connection: UpstreamConnection): void {
    if (this.#scout === attempt) {
      this.#scout = null;
      this.#scoutSent = true;
    }
    if (this.#connection !== connection) {
      this.#connection?.lanes.delete(this);
      this.#connection = connection;
      connection.lanes.add(this);
    }
    this.#inFlight++;
  }

  /** An attempt's bytes are out: those that waited behind the scout follow it. */
  onEncoded(): void {
    if (this.#scoutSent && this.#queue.length > 0) this.serve();
  }

  /** A sent attempt ended, however. */
  onEnded(): void {
    this.#inFlight--;
    if (this.#queue.length > 0 || this.#connection === null || this.#caller.closed) this.serve();
  }

  /** The pool failed the scout: there is no connection for those behind it either. */
  takeStranded(attempt: LiveAttempt): readonly LiveAttempt[] {
    if (this.#scout !== attempt) return [];
    this.#scout = null;
    this.#replays = 0;
    const stranded = this.#queue.splice(0);
    this.serve();
    return stranded;
  }

  onConnectionClosed(connection: UpstreamConnection): void {
    if (this.#connection !== connection) return;
    this.#connection = null;
    this.leaveIfIdle();
  }

  /** The lane outlives what is in flight, since most callers ask again; its connection's end or its caller's ends it. */
  leaveIfIdle(): void {
    if (this.#queue.length > 0 || this.#inFlight > 0 || this.#scout !== null) return;
    this.#connection?.lanes.delete(this);
    this.#connection = null;
    this.#caller.lanes.delete(this.#pool);
    if (this.#caller.lastLane === this) this.#caller.lastLane = null;
  }

  /** Sends what may go now, in order. */
  serve(): void {
    this.#scoutSent = false;
    while (this.#queue.length > 0 && this.#scout === null) {
      const connection = this.#connection;
      if (this.#inFlight === 0) {
        this.#seek(this.#next());
      } else if (connection === null) {
        return;
      } else if (connection.sendable) {
        connection.send(this.#next());
      } else {
        // Full, or going away: order holds them until a slot is free or all that is in flight there ended.
        connection.waitingLanes.add(this);
        return;
      }
    }
    if (this.#caller.closed || this.#connection === null) this.leaveIfIdle();
  }

  /** The pool finds a connection for it. */
  #seek(attempt: LiveAttempt): void {
    this.#scoutSent = false;
    this.#scout = attempt;
    this.#pool.acquire(attempt);
  }

  #next(): LiveAttempt {
    if (this.#replays > 0) this.#replays--;
    return this.#queue.shift()!;
  }
}
