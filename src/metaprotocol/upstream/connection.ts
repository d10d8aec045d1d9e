/** UpstreamConnection: a wire, a client codec and the attempts in flight on it, paired by ids that this core counts. */
import type { LiveAttempt } from '../attempt.ts';
import type { ClientCodec, UpstreamSink } from '../codec.ts';
import { Reset } from '../codec.ts';
import { textOf } from '../error-text.ts';
import { GuardedCodec } from '../guarded-codec.ts';
import { hexText } from '../hex-text.ts';
import { IdTable } from '../id-table.ts';
import type { RequestMessage, ResponseMessage, Trailers } from '../message.ts';
import { Flag } from '../message.ts';
import type { ProxyStatus } from '../status.ts';
import { Status, statusOf } from '../status.ts';
import type { TimerOwner } from '../timer-wheel.ts';
import { WheelTimer } from '../timer-wheel.ts';
import type { Flushable } from '../wire/output.ts';
import { SlabOutput } from '../wire/output.ts';
import type { Wire, WireHandler } from '../wire/wire.ts';
import type { AffinityLane } from './affinity.ts';
import type { Binding } from './binding.ts';
import type { Pool } from './pool.ts';
import { failAttempts } from './replay.ts';

/** Ids retire here; the connection takes no more streams. */
const LAST_ID = 0x7fff_ffff;
/** A given-up answer that does not come within this closes the connection: its slot would be lost for ever. */
const OWED_LIMIT_MS = 30_000;
/** A write of so many costs little beside them. */
const GATHERED_BYTES = 16_384;
const CHECK_INTERVAL_MS = 15_000;

/** An answer that is still to come and that nobody wants any more. Its slot stays taken. */
class OwedAnswer {
  readonly attempt: LiveAttempt;
  readonly sinceMs: number;

  constructor(attempt: LiveAttempt, sinceMs: number) {
    this.attempt = attempt;
    this.sinceMs = sinceMs;
  }
}

export class UpstreamConnection implements UpstreamSink, WireHandler, Flushable, TimerOwner {
  readonly pool: Pool;
  readonly output: SlabOutput;
  closed = false;
  /** Slots taken: attempts in flight and owed answers. */
  outstanding = 0;
  /** The caller that has it for its own. */
  binding: Binding | null = null;
  /** Callers whose order ties them to it. */
  readonly lanes = new Set<AffinityLane>();
  /** Those of them that wait for a slot. */
  readonly waitingLanes = new Set<AffinityLane>();
  readonly #streams = new IdTable<LiveAttempt | OwedAnswer>();
  readonly #timer = new WheelTimer(this);
  readonly #openedMs: number;
  #codec!: ClientCodec;
  #guarded!: GuardedCodec;
  #wire!: Wire;
  #ready = false;
  #draining = false;
  #capacity = 0;
  #nextId = 1;
  #dirty = false;
  #reading = true;
  #peerEnded = false;
  #idleSinceMs = 0;
  /** At least one answer came in full, and nothing was read since: the next close is a stale keep-alive. */
  #quietAfterAnswer = false;
  #answered = false;
  #readSinceCheck = true;
  #oneways: LiveAttempt[] = [];

  constructor(pool: Pool) {
    this.pool = pool;
    const core = pool.site.core;
    this.output = new SlabOutput(core.slabs, () => this.#markDirty());
    this.#openedMs = core.clock.nowMs();
  }

  connect(): void {
    const { site } = this.pool;
    const { core, state } = site;
    state.stats.connectionsOpened.add();
    state.stats.connections.add(1);
    this.#codec = state.factory.createClientCodec(this, this.output, state.codecOptions, this.pool.connectionKey);
    this.#guarded = new GuardedCodec(this.#codec, (where, error) => {
      this.#onDefect(where, error);
      this.fail(statusOf(Status.internal_error, `the codec failed in ${where}: ${textOf(error)}`));
    });
    core.wheel.arm(this.#timer, this.#openedMs, state.connectTimeoutMs);
    this.#wire = state.connector.connect(site.address);
    this.output.attach(this.#wire);
    this.#wire.open(this);
  }

  /** Takes one more stream now, as far as slots go. */
  get sendable(): boolean {
    return this.#ready && !this.#draining && this.outstanding < this.#capacity;
  }

  /** As `sendable`, for the caller whose own it is: that no others shall come does not end what it has there. */
  get takesBound(): boolean {
    return this.#ready && !this.#peerEnded && this.outstanding < this.#capacity;
  }

  /** Will take streams again, if it does not now. */
  get sendableEver(): boolean {
    return this.#ready && !this.#draining;
  }

  get idle(): boolean {
    return this.#ready && this.outstanding === 0;
  }

  get gathers(): boolean {
    return this.#ready && this.#capacity > 1 && this.output.queuedBytes < GATHERED_BYTES;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** True once the whole of the last answer came and not a byte since. */
  get stale(): boolean {
    return this.#quietAfterAnswer;
  }

  /** Nothing was answered on it yet: its peer has no reason to close it. */
  get fresh(): boolean {
    return !this.#answered;
  }

  /** What a stream asks of its codec. */
  get codec(): GuardedCodec {
    return this.#guarded;
  }

  /** The pool chose this connection; a slot is free. Encoding is all or nothing. */
  send(attempt: LiveAttempt): void {
    const id = this.#nextId++;
    if (id >= LAST_ID) this.#drain();
    this.outstanding++;
    this.#streams.set(id, attempt);
    attempt.onSent(this, id);
    this.output.mark();
    try {
      this.#codec.encode(id, attempt.request);
    } catch (error) {
      this.output.rollback();
      this.#onDefect('encode', error);
      this.#drain();
      this.#free(id);
      attempt.fail(statusOf(Status.internal_error, `the request could not be encoded: ${textOf(error)}`));
      return;
    }
    if ((attempt.request.flags & Flag.Oneway) !== 0) this.#oneways.push(attempt);
    attempt.onEncoded();
  }

  /** Sends one more call with the attempt that was sent last. False: it was not, or this protocol has no runs. */
  sendMore(attempt: LiveAttempt, next: RequestMessage): boolean {
    if (this.closed || attempt.id !== this.#nextId - 1 || this.#codec.join === undefined) return false;
    this.output.mark();
    try {
      this.#codec.join(attempt.id, attempt.request, next);
      return true;
    } catch (error) {
      this.output.rollback();
      this.#onDefect('join', error);
      this.#drain();
      return false;
    }
  }

  /** Gives up one stream. What comes under its id from now on is nobody's. */
  cancel(attempt: LiveAttempt, status: ProxyStatus): void {
    const id = attempt.id;
    if (this.closed || this.#streams.get(id) !== attempt) return;
    const reset = this.#guarded.reset(id, status);
    if (this.closed) return;
    if (reset === Reset.Owed) {
      this.#streams.replace(id, new OwedAnswer(attempt, this.pool.site.core.clock.nowMs()));
      return;
    }
    this.#free(id);
    if (reset !== Reset.Close) return;
    // It would take a FIN for the end of the request. What an upgrade leads to says itself where it ends.
    if (!attempt.requestEnded && (attempt.request.flags & Flag.Tunnel) === 0) this.#wire.reset();
    this.fail(Status.upstream_reset);
  }

  /** Both directions of the attempt ended: its slot serves the queue. */
  onStreamEnded(attempt: LiveAttempt): void {
    if (!this.closed && this.#streams.get(attempt.id) === attempt) this.#free(attempt.id);
  }

  /** Closes in order; only called when idle, or when nothing in flight matters. */
  close(): void {
    this.fail(Status.draining);
  }

  /** The connection ends here and now, with this status for all that run on it. */
  fail(status: ProxyStatus): void {
    if (this.closed) return;
    this.closed = true;
    const wasReady = this.#ready;
    this.#ready = false;
    const { core, state } = this.pool.site;
    core.wheel.cancel(this.#timer);
    this.#wire.destroy();
    this.output.release();
    if (this.outstanding > 0) state.stats.connectionsLost.add();
    if (!wasReady) state.stats.connectFailures.add();
    const lost: LiveAttempt[] = [];
    for (const [id, stream] of this.#streams.entries()) {
      this.#streams.delete(id);
      if (!(stream instanceof OwedAnswer)) lost.push(stream);
    }
    this.outstanding = 0;
    // Told first, so that replays find this connection gone from the pool.
    this.pool.onClosed(this, wasReady, status);
    for (const lane of [...this.lanes]) lane.onConnectionClosed(this);
    const binding = this.binding;
    this.binding = null;
    failAttempts(lost, status, state.factory.affinity);
    binding?.onConnectionClosed(status);
  }

  // WireHandler

  onOpen(): void {
    this.#guarded.start();
  }

  onBytes(chunk: Buffer, lent: boolean): void {
    if (this.closed) return;
    this.#quietAfterAnswer = false;
    this.#answered = true;
    this.#readSinceCheck = true;
    const { clock } = this.pool.site.core;
    clock.stop();
    try {
      this.#codec.decode(chunk, lent);
    } catch (error) {
      this.#onDefect(`decode of ${hexText(chunk)}`, error);
      this.fail(statusOf(Status.upstream_malformed, `the codec failed on an answer: ${textOf(error)}`));
    }
    clock.go();
    this.#settleReading();
  }

  onEnd(): void {
    if (this.closed) return;
    this.#peerEnded = true;
    this.#drain();
    this.#guarded.peerEnded();
    // What the codec left open cannot be answered any more unless it says so by keeping the stream readable.
    if (!this.closed && this.outstanding === 0) this.fail(Status.upstream_reset);
  }

  onDrain(): void {
    this.output.onDrain();
    this.#markDirty();
  }

  onClose(error: Error | null): void {
    const base = this.#ready ? Status.upstream_reset : Status.connect_failure;
    this.fail(error === null ? base : statusOf(base, `${base.detail}: ${error.message}`));
  }

  // UpstreamSink

  onReady(maxStreams: number): void {
    if (this.closed) return;
    const { core, state } = this.pool.site;
    this.#capacity = Math.min(maxStreams, state.pool.concurrency ?? state.factory.concurrency.upstream);
    if (this.#ready) {
      this.pool.serve(this);
      return;
    }
    this.#ready = true;
    const nowMs = core.clock.nowMs();
    this.#idleSinceMs = nowMs;
    core.wheel.arm(this.#timer, nowMs, this.#checkIntervalMs());
    this.pool.onReady(this);
  }

  onHead(id: number, head: ResponseMessage): void {
    if (this.closed) return;
    if (id === 0 || (head.flags & Flag.Unsolicited) !== 0) {
      this.#onPush(head);
      return;
    }
    const ends = (head.flags & (Flag.End | Flag.Informational)) === Flag.End;
    const stream = this.#streams.get(id);
    if (stream === undefined) this.pool.site.state.stats.unknownAnswers.add();
    else if (stream instanceof OwedAnswer) {
      if (ends) this.#onAnswerEnded(id, stream);
    } else {
      stream.onHead(head);
      if (ends) this.#onAnswerEnded(id, stream);
      else this.#noteWhole(stream);
    }
  }

  onData(id: number, chunk: Buffer, end: boolean): void {
    if (this.closed) return;
    const stream = this.#streams.get(id);
    if (stream === undefined || stream instanceof OwedAnswer) {
      // Nobody waits for it, but its window must not stall.
      this.#guarded.credit(id, chunk.length);
      if (stream === undefined) this.pool.site.state.stats.unknownAnswers.add();
      else if (end) this.#onAnswerEnded(id, stream);
      return;
    }
    stream.onData(chunk, end);
    if (end) this.#onAnswerEnded(id, stream);
    else this.#noteWhole(stream);
  }

  onTrailers(id: number, trailers: Trailers): void {
    if (this.closed) return;
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      this.pool.site.state.stats.unknownAnswers.add();
      return;
    }
    if (!(stream instanceof OwedAnswer)) stream.onTrailers(trailers);
    this.#onAnswerEnded(id, stream);
  }

  onReset(id: number, status: ProxyStatus): void {
    if (this.closed) return;
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    this.#free(id);
    if (!(stream instanceof OwedAnswer)) stream.onReset(status);
  }

  onWritable(id: number): void {
    if (this.closed) return;
    const stream = this.#streams.get(id);
    if (stream !== undefined && !(stream instanceof OwedAnswer)) stream.onWritable();
  }

  onGoAway(): void {
    if (this.closed) return;
    this.#drain();
    if (this.outstanding === 0) this.#markDirty();
  }

  onError(status: ProxyStatus): void {
    if (this.closed) return;
    const { core, state } = this.pool.site;
    state.stats.codecErrors.add();
    core.log.warn({ cluster: state.name, endpoint: this.pool.site.address, status: status.name }, status.detail);
    this.fail(status);
  }

  // Flushable

  flush(): void {
    this.#dirty = false;
    if (this.closed) return;
    this.output.flush();
    if (this.#oneways.length > 0) {
      const written = this.#oneways;
      this.#oneways = [];
      for (const attempt of written) {
        if (this.#streams.get(attempt.id) === attempt) {
          this.#free(attempt.id);
          attempt.onWritten();
        }
      }
    }
    if (this.output.takeRoom()) {
      this.#guarded.room();
      this.pool.serve(this);
    }
    this.#settleReading();
    if (this.#draining && this.outstanding === 0 && this.binding === null) this.fail(Status.draining);
  }

  /** Runs something that may write or emit on this codec, then looks whether it still wants to read. */
  credit(id: number, bytes: number): void {
    if (this.closed) return;
    this.#guarded.credit(id, bytes);
    this.#settleReading();
  }

  // TimerOwner

  onTimer(): void {
    const { core, state } = this.pool.site;
    if (!this.#ready) {
      this.fail(statusOf(Status.connect_failure, `not connected within ${state.connectTimeoutMs} ms`));
      return;
    }
    const nowMs = core.clock.nowMs();
    for (const [, stream] of this.#streams.entries()) {
      if (stream instanceof OwedAnswer && nowMs - stream.sinceMs >= OWED_LIMIT_MS) {
        this.fail(
          statusOf(Status.upstream_reset, `an answer that was given up did not come within ${OWED_LIMIT_MS} ms`),
        );
        return;
      }
    }
    if (this.outstanding === 0 && this.binding === null) {
      const idleMs = nowMs - this.#idleSinceMs;
      if (idleMs >= state.pool.idleTimeoutMs && this.pool.spare) {
        this.close();
        return;
      }
      const queued = this.output.queuedBytes;
      if (idleMs >= CHECK_INTERVAL_MS) {
        if (!this.#readSinceCheck) {
          this.fail(statusOf(Status.upstream_reset, 'a keepalive was not answered'));
          return;
        }
        this.#guarded.keepalive();
        if (this.closed) return;
        // A protocol without a heartbeat writes nothing, and nothing can be expected then.
        if (this.output.queuedBytes > queued) this.#readSinceCheck = false;
      }
    }
    core.wheel.arm(this.#timer, nowMs, this.#checkIntervalMs());
  }

  /** What comes of a run ends with a whole answer, as a single one does: whoever waits behind it may be on a stale connection. */
  #noteWhole({ request }: LiveAttempt): void {
    if (request.run) this.#quietAfterAnswer = true;
  }

  #onAnswerEnded(id: number, stream: LiveAttempt | OwedAnswer): void {
    this.#quietAfterAnswer = true;
    if (this.closed || this.#streams.get(id) !== stream) return;
    // A slot is free only when both directions ended.
    if (stream instanceof OwedAnswer || stream.requestEnded) this.#free(id);
  }

  #free(id: number): void {
    this.#streams.delete(id);
    this.outstanding--;
    if (this.outstanding === 0) {
      this.#idleSinceMs = this.pool.site.core.clock.nowMs();
      if (this.pool.site.retired) this.#draining = true;
      if (this.#draining) this.#markDirty();
    }
    if (this.waitingLanes.size > 0) this.#serveLanes();
    if (this.binding === null) this.pool.serve(this);
    else this.binding.onSlotFree();
  }

  /** Those that find no slot come back. */
  #serveLanes(): void {
    const lanes = [...this.waitingLanes];
    this.waitingLanes.clear();
    for (const lane of lanes) lane.serve();
  }

  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#markDirty();
    this.pool.grow();
  }

  #onPush(head: ResponseMessage): void {
    if (this.binding === null) this.pool.site.state.stats.unknownAnswers.add();
    else this.binding.onPush(head);
  }

  #settleReading(): void {
    if (this.closed || this.#peerEnded) return;
    const reading = this.#codec.reading;
    if (reading === this.#reading) return;
    this.#reading = reading;
    if (reading) this.#wire.resume();
    else this.#wire.pause();
  }

  #markDirty(): void {
    if (this.#dirty || this.closed) return;
    this.#dirty = true;
    this.pool.site.core.flusher.add(this);
  }

  /** Jittered, so that connections opened together do not close together. */
  #checkIntervalMs(): number {
    const { core, state } = this.pool.site;
    return Math.min(CHECK_INTERVAL_MS, state.pool.idleTimeoutMs) * (0.9 + 0.2 * core.random());
  }

  #onDefect(where: string, error: unknown): void {
    const { core, state } = this.pool.site;
    state.stats.codecErrors.add();
    core.log.error(
      { cluster: state.name, endpoint: this.pool.site.address, where, error },
      `codec failed: ${textOf(error)}`,
    );
  }
}
