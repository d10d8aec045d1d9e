/** LiveAttempt: one try of a request at one endpoint: waits for a connection, is encoded, hears its answer. */
import type { Address, Attempt } from './filter.ts';
import type { RequestMessage, ResponseMessage, Run, Trailers } from './message.ts';
import { Flag } from './message.ts';
import type { ProxyStatus } from './status.ts';
import { AffinityLane } from './upstream/affinity.ts';
import { BINDING_LOST, Binding } from './upstream/binding.ts';
import type { Caller } from './upstream/caller.ts';
import type { ClusterState } from './upstream/cluster-state.ts';
import type { UpstreamConnection } from './upstream/connection.ts';
import type { Endpoint } from './upstream/endpoint.ts';
import type { Pool } from './upstream/pool.ts';

/** Who made the attempt and wants its answer: a stream, a part of a split request, or a mirror. */
export interface AttemptOwner {
  /** The request's head was written; its data may follow. */
  onAttemptEncoded(attempt: LiveAttempt): void;
  /** A oneway request left the process: there is nothing more to wait for. */
  onAttemptWritten(attempt: LiveAttempt): void;
  onAttemptHead(attempt: LiveAttempt, response: ResponseMessage): void;
  /** Lent. The owner owes `attempt.credit(chunk.length)`. */
  onAttemptData(attempt: LiveAttempt, chunk: Buffer, end: boolean): void;
  onAttemptTrailers(attempt: LiveAttempt, trailers: Trailers): void;
  /** `data` or `trailers` returned false before. */
  onAttemptWritable(attempt: LiveAttempt): void;
  /** Its connection died or its stream was refused: may the request be sent again? Asked before any of `replay`. */
  mayReplay(attempt: LiveAttempt, status: ProxyStatus): boolean;
  replay(attempt: LiveAttempt, status: ProxyStatus): void;
  /** It ended without an answer. */
  onAttemptFailed(attempt: LiveAttempt, status: ProxyStatus): void;
}

const NOBODY: readonly LiveAttempt[] = [];

export class LiveAttempt implements Attempt {
  readonly owner: AttemptOwner;
  readonly caller: Caller;
  readonly endpoint: Endpoint & Address;
  readonly request: RequestMessage;
  /** It repeats one whose connection died: it goes before what its caller sent later. */
  readonly replayed: boolean;
  needsOwnConnection = false;
  /** Position among its binding's attempts. */
  bindSerial = 0;
  id = 0;
  /** All of the request was given to the codec. */
  requestEnded = false;
  ended = false;
  #answerFlags = 0;
  #responseEnded = false;
  #connection: UpstreamConnection | null = null;
  #lane: AffinityLane | null = null;
  #binding: Binding | null = null;
  #sentAtFlush = 0;
  #wasFlushed = false;
  #startMs = 0;
  /** How many calls it carries. */
  #calls: number;
  /** Of a run: what was counted of it. */
  #answered = 0;
  #failed = 0;
  readonly #cluster: ClusterState;
  readonly #pool: Pool;

  constructor(owner: AttemptOwner, caller: Caller, endpoint: Endpoint, request: RequestMessage, replayed: boolean) {
    this.owner = owner;
    this.caller = caller;
    this.#cluster = endpoint.pools.state;
    this.endpoint = endpoint;
    this.request = request;
    this.replayed = replayed;
    this.#calls = request.run?.calls ?? 1;
    this.#pool = endpoint.pools.pool(request.connectionKey);
  }

  get cluster(): string {
    return this.#cluster.name;
  }

  get sent(): boolean {
    return this.#connection !== null;
  }

  get flushed(): boolean {
    const connection = this.#connection;
    if (connection === null || this.#wasFlushed) return this.#wasFlushed;
    return connection.output.flushes > this.#sentAtFlush;
  }

  /** Nobody can have processed it. `status`: how it failed. */
  isUntouched(status: ProxyStatus): boolean {
    return status.name === 'refused' || !this.flushed;
  }

  /** The connection answered others in full and died before a byte of this answer. */
  get onStaleConnection(): boolean {
    return this.#connection?.stale === true;
  }

  /** `nowMs` of the stream's clock. May fail synchronously. */
  start(nowMs: number): void {
    this.#startMs = nowMs;
    const state = this.#cluster;
    state.stats.requests.add(this.#calls);
    this.endpoint.pools.outstanding += this.#calls;
    this.#pool.attempts++;
    const { caller } = this;
    if (caller.binding !== null) {
      this.#binding = caller.binding;
      this.#binding.start(this);
    } else if ((this.request.flags & Flag.Bind) !== 0) {
      this.needsOwnConnection = true;
      Binding.begin(caller, this.#pool, this);
    } else if (this.request.needsBinding === true) {
      this.fail(BINDING_LOST);
    } else if (this.#cluster.factory.affinity) {
      this.#lane = AffinityLane.of(caller, this.#pool);
      this.#lane.start(this);
    } else {
      this.#pool.acquire(this);
    }
  }

  /** One more call of a run. False: this one waits, or something was sent behind it. */
  join(next: RequestMessage): boolean {
    if (this.#binding !== null || this.#connection?.sendMore(this, next) !== true) return false;
    this.#calls++;
    this.#cluster.stats.requests.add();
    this.endpoint.pools.outstanding++;
    return true;
  }

  /** The binding that it waited for is gone; this one takes its place. */
  joinBinding(binding: Binding): void {
    this.#binding = binding;
    binding.start(this);
  }

  /** The same, as the first one of a binding to come. */
  bindAnew(): void {
    this.#binding = null;
    this.needsOwnConnection = true;
    Binding.begin(this.caller, this.#pool, this);
  }

  /** One chunk of the request. False: wait for `onAttemptWritable`. */
  data(chunk: Buffer, end: boolean, lent: boolean): boolean {
    if (end) this.requestEnded = true;
    const taken = this.#connection!.codec.data(this.id, chunk, end, lent);
    this.#endIfComplete();
    return taken;
  }

  trailers(trailers: Trailers): boolean {
    this.requestEnded = true;
    const taken = this.#connection!.codec.trailers(this.id, trailers);
    this.#endIfComplete();
    return taken;
  }

  /** The owner took `bytes` of the answer's data. */
  credit(bytes: number): void {
    this.#connection?.credit(this.id, bytes);
  }

  /** The owner wants nothing more of it. Says no more to the owner. */
  cancel(status: ProxyStatus): void {
    // Complete, and told just now: it ends by itself.
    if (this.ended || (this.requestEnded && this.#responseEnded)) return;
    if (this.#connection !== null) this.#connection.cancel(this, status);
    else if (this.#lane !== null) this.#lane.abandon(this);
    else if (this.#binding !== null) this.#binding.abandon(this);
    else if (this.needsOwnConnection) this.caller.binding?.abandon(this);
    else this.#pool.abandon(this);
    this.#end();
  }

  /** It ended without an answer, sent or not. */
  fail(status: ProxyStatus): void {
    if (this.ended) return;
    this.#countFailed();
    const { sent } = this;
    this.#end();
    // What waited behind it for the same connection fails with it, in order: trying on would let it overtake a retry.
    const stranded = sent ? NOBODY : (this.#lane?.takeStranded(this) ?? NOBODY);
    const unbound = !sent && this.needsOwnConnection ? this.caller.binding?.takeStranded(this) : undefined;
    this.owner.onAttemptFailed(this, status);
    for (const one of stranded) one.fail(status);
    if (unbound !== undefined) Binding.follow(this.caller, unbound);
  }

  mayReplay(status: ProxyStatus): boolean {
    return !this.ended && this.#binding === null && !this.needsOwnConnection && this.owner.mayReplay(this, status);
  }

  /** The owner's next attempt takes its place in the queue before this one lets go of it. */
  replay(status: ProxyStatus): void {
    this.#countFailed();
    this.owner.replay(this, status);
    this.#end();
  }

  // From the connection

  onSent(connection: UpstreamConnection, id: number): void {
    this.#connection = connection;
    this.id = id;
    this.#sentAtFlush = connection.output.flushes;
    if (this.needsOwnConnection) this.#binding = connection.binding;
    this.#lane?.onSent(this, connection);
    this.#binding?.onSent(this);
  }

  onEncoded(): void {
    this.requestEnded = (this.request.flags & Flag.End) !== 0;
    this.owner.onAttemptEncoded(this);
    this.#lane?.onEncoded();
    // Those that waited behind it for the caller's own connection follow.
    if (this.needsOwnConnection) this.#binding?.onSlotFree();
  }

  onWritten(): void {
    this.#end();
    this.owner.onAttemptWritten(this);
  }

  onHead(response: ResponseMessage): void {
    if ((response.flags & Flag.Informational) === 0) {
      this.#answerFlags = response.flags;
      // A granted tunnel goes on in both directions, whatever the HTTP part said of its end.
      if ((response.flags & Flag.Tunnel) !== 0) this.requestEnded = false;
      if (this.request.run) this.#countOfRun(this.request.run);
      if ((response.flags & Flag.End) !== 0) this.#onResponseEnded(response.outcome?.ok ?? true);
    }
    this.owner.onAttemptHead(this, response);
    this.#endIfComplete();
  }

  onData(chunk: Buffer, end: boolean): void {
    if (this.request.run) this.#countOfRun(this.request.run);
    if (end) this.#onResponseEnded(true);
    this.owner.onAttemptData(this, chunk, end);
    this.#endIfComplete();
  }

  onTrailers(trailers: Trailers): void {
    this.#onResponseEnded(trailers.outcome?.ok ?? true);
    this.owner.onAttemptTrailers(this, trailers);
    this.#endIfComplete();
  }

  onWritable(): void {
    this.owner.onAttemptWritable(this);
  }

  /** The peer gave this stream up; the connection lives and has freed the slot. */
  onReset(status: ProxyStatus): void {
    if (this.mayReplay(status)) this.replay(status);
    else this.fail(status);
  }

  /** The calls of a run that were answered did not fail. */
  #countFailed(): void {
    this.#cluster.stats.failures.add(this.#calls - this.#answered);
  }

  #countAnswers(ok: number, failed: number): void {
    const { stats } = this.#cluster;
    stats.responsesOk.add(ok);
    stats.responsesError.add(failed);
    stats.requestTimeMs.recordMs(this.endpoint.pools.core.clock.nowMs() - this.#startMs, ok + failed);
  }

  /** Those that came since. */
  #countOfRun({ answered, failed }: Run): void {
    const newlyFailed = failed - this.#failed;
    this.#countAnswers(answered - this.#answered - newlyFailed, newlyFailed);
    this.#answered = answered;
    this.#failed = failed;
  }

  #onResponseEnded(ok: boolean): void {
    this.#responseEnded = true;
    if (!this.request.run) this.#countAnswers(ok ? 1 : 0, ok ? 0 : 1);
  }

  #endIfComplete(): void {
    if (this.requestEnded && this.#responseEnded) this.#end();
  }

  #end(): void {
    if (this.ended) return;
    this.#wasFlushed = this.flushed;
    this.ended = true;
    this.endpoint.pools.outstanding -= this.#calls;
    this.#pool.attempts--;
    const connection = this.#connection;
    if (connection === null) return;
    if (this.#responseEnded) connection.onStreamEnded(this);
    this.#lane?.onEnded();
    this.#binding?.onEnded(this, this.#responseEnded ? this.#answerFlags : null);
  }
}
