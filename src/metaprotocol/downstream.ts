/**
 * DownstreamConnection: a wire, a server codec and the streams of one caller. Holds the caller back at its limits, lingers so
 * that a last answer is read, and drains. What it answers, and in which order, is in answers.ts.
 */

import type { WatchedCaller } from './caller-watch.ts';
import { CallerWatch } from './caller-watch.ts';
import type { FilterChain } from './chain.ts';
import type { ServerCodec, Sink } from './codec.ts';
import { Reset } from './codec.ts';
import type { Core } from './core.ts';
import type { Departing } from './departures.ts';
import { textOf } from './error-text.ts';
import type { ConnectionInfo } from './filter.ts';
import { GuardedCodec } from './guarded-codec.ts';
import { hexText } from './hex-text.ts';
import { IdTable } from './id-table.ts';
import type { RequestMessage, ResponseMessage, Trailers } from './message.ts';
import { Flag } from './message.ts';
import type { ProxyStatus } from './status.ts';
import { Status, statusOf } from './status.ts';
import type { AnswersOwner } from './stream/answers.ts';
import { Answers } from './stream/answers.ts';
import { MirrorCallers } from './stream/mirror.ts';
import type { TimedStreams } from './stream/route-timeouts.ts';
import { RouteTimeouts } from './stream/route-timeouts.ts';
import { LiveStream } from './stream.ts';
import type { BoundCaller } from './upstream/caller.ts';
import { Caller } from './upstream/caller.ts';
import type { ClusterState } from './upstream/cluster-state.ts';
import { InFlightLimits } from './upstream/in-flight.ts';
import type { Flushable } from './wire/output.ts';
import { SlabOutput } from './wire/output.ts';
import type { Wire, WireHandler } from './wire/wire.ts';

/** Answers queued for a caller above this: its requests are not decoded. */
const SLOW_SOFT_BYTES = 1024 * 1024;
/** Above this the caller is closed as a slow consumer. More than any frame limit. */
const SLOW_HARD_BYTES = 64 * 1024 * 1024;
/** More than most frame limits, so that the caller of an oversize request can finish writing and read the refusal. */
const LINGER_BYTES = 16 * 1024 * 1024;
/** A codec that emits more than these after it was paused makes requests of nothing: it is broken. */
const UNWANTED_HEADS = 16;

/** Reasons for which the codec is held back; it resumes when none is left. */
const Pause = { Streams: 1, SlowConsumer: 2, Filter: 4, Bind: 8, Hold: 16, InFlight: 32 } as const;

/** Who keeps the listener's open connections. */
export interface DownstreamOwner {
  /** The chain that new streams of this connection run on now. */
  currentChain(connection: DownstreamConnection): FilterChain;
  onConnectionClosed(connection: DownstreamConnection): void;
}

export class DownstreamConnection
  implements
    Sink<RequestMessage>,
    WireHandler,
    Flushable,
    WatchedCaller,
    BoundCaller,
    AnswersOwner,
    TimedStreams,
    Departing
{
  readonly core: Core;
  readonly info: ConnectionInfo;
  readonly caller: Caller;
  readonly answers: Answers;
  readonly timeouts = new RouteTimeouts(this);
  chain: FilterChain;
  closed = false;
  readonly #owner: DownstreamOwner;
  readonly #wire: Wire;
  readonly #output: SlabOutput;
  readonly #codec: ServerCodec;
  readonly #guarded: GuardedCodec;
  readonly #streams = new IdTable<LiveStream>();
  readonly #watch: CallerWatch;
  #mirrorCallers: MirrorCallers | null = null;
  #pauses = 0;
  #codecPaused = false;
  /** Since it was paused. */
  #unwantedHeads = 0;
  #resumeWanted = false;
  #dirty = false;
  #reading = true;
  /** No further streams are wanted: it closes behind the last answer. */
  #closing = false;
  #drainAnnounced = false;
  #peerEnded = false;
  #lingering = false;
  #lingeredBytes = 0;
  #pausedStreams = 0;
  #waitingBind: LiveStream | null = null;
  #waitingUnbound: LiveStream | null = null;
  /** The last request that asked for a Hold. */
  #heldId = 0;
  /** The one whose head came last. */
  #last: LiveStream | null = null;
  /** Of the streams: a run has several. */
  #calls = 0;
  readonly #inFlight = new InFlightLimits();

  constructor(core: Core, owner: DownstreamOwner, chain: FilterChain, wire: Wire, info: ConnectionInfo) {
    this.core = core;
    this.info = info;
    this.chain = chain;
    this.caller = new Caller(this);
    this.#owner = owner;
    this.#wire = wire;
    this.#output = new SlabOutput(core.slabs, () => this.#markDirty());
    this.#output.attach(wire);
    this.#codec = chain.factory.createServerCodec(this, this.#output, chain.codecOptions, chain.maxStreams);
    this.#guarded = new GuardedCodec(this.#codec, (where, error) => this.closeDefective(where, error));
    this.answers = new Answers(this.#codec, this.#guarded, this.#output, chain.factory.replies, this);
    this.#watch = new CallerWatch(this);
    chain.stats.connections.add();
    chain.stats.connectionsActive.add();
  }

  open(): void {
    this.#watch.open();
    this.#guarded.start();
    if (!this.closed) this.#wire.open(this);
  }

  get dateText(): string {
    return this.core.clock.dateText;
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  get mirrorCallers(): MirrorCallers {
    this.#mirrorCallers ??= new MirrorCallers();
    return this.#mirrorCallers;
  }

  // WireHandler

  onOpen(): void {}

  onBytes(chunk: Buffer, lent: boolean): void {
    if (this.#lingering) {
      this.#lingeredBytes += chunk.length;
      if (this.#lingeredBytes > LINGER_BYTES) this.#destroy(Status.no_error);
      return;
    }
    if (this.closed) return;
    this.core.flusher.noteRead();
    this.core.clock.stop();
    try {
      this.#codec.decode(chunk, lent);
    } catch (error) {
      this.closeDefective(`decode of ${hexText(chunk)}`, error);
    }
    this.#watch.onRead();
    this.core.clock.go();
    this.#settleReading();
  }

  onEnd(): void {
    this.#peerEnded = true;
    if (this.#lingering) {
      // It may still read what was written to it.
      if (this.#wire.queuedBytes === 0) this.#destroy(Status.no_error);
      return;
    }
    if (this.closed) return;
    this.#closing = true;
    this.#guarded.peerEnded();
    this.#markDirty();
  }

  onDrain(): void {
    this.#output.onDrain();
    this.#markDirty();
  }

  onClose(): void {
    this.#destroy(Status.downstream_reset);
  }

  // Sink: what the codec found in the caller's bytes

  join(id: number, next: RequestMessage): boolean {
    const stream = this.#last;
    if (this.closed || this.#codecPaused || stream?.id !== id || !stream.join(next)) return false;
    if (++this.#calls >= this.chain.maxStreams) this.#pause(Pause.Streams);
    return true;
  }

  onHead(id: number, request: RequestMessage): void {
    if (this.closed) return;
    if (this.#codecPaused && ++this.#unwantedHeads > UNWANTED_HEADS) {
      this.closeDefective('decode', new Error(`${this.#unwantedHeads} requests emitted by a paused codec`));
      return;
    }
    this.chain = this.#owner.currentChain(this);
    const stream = new LiveStream(this, id, request);
    this.#watch.onHead(stream.startMs);
    this.#streams.set(id, stream);
    if ((request.flags & Flag.Oneway) === 0) this.answers.expect(id);
    if ((request.flags & Flag.Hold) !== 0) {
      this.#pauses |= Pause.Hold;
      this.#heldId = id;
    }
    this.#last = stream;
    this.#calls++;
    if (this.#calls >= this.chain.maxStreams) this.#pause(Pause.Streams);
    stream.start();
  }

  onData(id: number, chunk: Buffer, end: boolean): void {
    if (this.closed) return;
    const stream = this.#streams.get(id);
    // Its stream was answered before: the rest is read and dropped, so that it does not stall the connection.
    if (stream === undefined) this.credit(id, chunk.length);
    else stream.onData(chunk, end);
  }

  onTrailers(id: number, trailers: Trailers): void {
    if (!this.closed) this.#streams.get(id)?.onTrailers(trailers);
  }

  onReset(id: number, status: ProxyStatus): void {
    if (this.closed) return;
    this.#streams.get(id)?.abort(status.name === 'no_error' ? Status.downstream_reset : status);
    this.answers.drop(id);
    this.answers.writeParked();
  }

  onWritable(id: number): void {
    if (!this.closed) this.answers.onWritable(id, this.#streams.get(id));
  }

  onGoAway(why?: ProxyStatus): void {
    if (why !== undefined) this.#noteCodecError(why);
    this.#closing = true;
    this.#markDirty();
  }

  onError(status: ProxyStatus): void {
    if (this.closed) return;
    this.#noteCodecError(status);
    // What was answered before the error still goes out.
    this.#abortStreams(status);
    this.#finish();
  }

  #noteCodecError(status: ProxyStatus): void {
    this.chain.stats.codecErrors.add();
    this.core.log.warn({ listener: this.info.listener, source: this.info.source, status: status.name }, status.detail);
  }

  // AnswersOwner

  onParked(): void {
    this.#markDirty();
  }

  onAnswerWritten(_id: number): void {
    this.#releaseHold(this.#heldId);
  }

  onTunnel(): void {
    this.#unpause(Pause.Hold);
  }

  closeBehindAnswers(): void {
    this.#closing = true;
    this.#markDirty();
  }

  onDefect(where: string, error: unknown): void {
    this.chain.stats.codecErrors.add();
    this.core.log.error({ listener: this.info.listener, where, error }, `codec failed: ${textOf(error)}`);
  }

  closeDefective(where: string, error: unknown): void {
    this.onDefect(where, error);
    this.#destroy(Status.internal_error);
  }

  // What streams ask of their connection

  /** The answer had begun and cannot go on. */
  resetStream(stream: LiveStream, status: ProxyStatus): void {
    if (this.closed) return;
    this.answers.drop(stream.id);
    if (this.#guarded.reset(stream.id, status) === Reset.Close) this.#abort();
    this.answers.writeParked();
  }

  credit(id: number, bytes: number): void {
    if (this.closed || bytes === 0) return;
    this.#guarded.credit(id, bytes);
    this.#settleReading();
  }

  onStreamEnded(stream: LiveStream, requestEnded: boolean): void {
    const known = this.#streams.delete(stream.id);
    if (this.#last === stream) this.#last = null;
    this.#calls -= stream.calls;
    this.#watch.quietSinceMs = stream.endMs;
    if ((stream.request.flags & Flag.Hold) !== 0) this.#releaseHold(stream.id);
    if (this.closed) return;
    if (known && !requestEnded) this.answers.onUnfinished(stream.id);
    if (this.#waitingBind !== null) this.#admitBind();
    if (this.#pauses !== 0 || this.#closing) this.#markDirty();
  }

  /** A stream, or one more call of it, has its cluster; a caller at its limit there is not decoded. */
  onCallForwarded(cluster: ClusterState): void {
    this.#inFlight.onForwarded(cluster);
    if (!this.#inFlight.room) this.#pause(Pause.InFlight);
  }

  onForwardEnded(cluster: ClusterState, calls: number): void {
    this.#inFlight.onEnded(cluster, calls);
    if (this.#inFlight.room) this.#unpause(Pause.InFlight);
  }

  /** Order: while a request is paused in filters its caller is not decoded. */
  onStreamPaused(): void {
    this.#pausedStreams++;
    if (this.chain.factory.affinity) this.#pause(Pause.Filter);
  }

  onStreamResumed(): void {
    this.#pausedStreams--;
    if (this.#pausedStreams === 0) this.#unpause(Pause.Filter);
  }

  /** False: the caller has earlier answers outstanding; `stream.forwardBind()` follows when they are out. */
  mayBind(stream: LiveStream): boolean {
    if (this.caller.binding !== null || this.#streams.size === 1) return true;
    this.#waitingBind = stream;
    this.#pause(Pause.Bind);
    return false;
  }

  /** Its endpoint is another than the binding's, which is about to end: `stream.forwardUnbound()` follows. */
  awaitUnbound(stream: LiveStream): void {
    this.#waitingUnbound = stream;
    this.#pause(Pause.Bind);
  }

  // BoundCaller

  push(head: ResponseMessage): void {
    if (!this.closed) this.answers.push(head);
  }

  onBoundClosed(): void {
    this.#closing = true;
    this.#markDirty();
  }

  onUnbound(): void {
    this.#unpause(Pause.Bind);
    const stream = this.#waitingUnbound;
    this.#waitingUnbound = null;
    stream?.forwardUnbound();
  }

  // Flushable: once a turn

  flush(): void {
    this.#dirty = false;
    if (this.closed) return;
    if (this.caller.binding?.unbinding === true) this.#pause(Pause.Bind);
    this.#output.flush();
    this.#checkLimits();
    if (this.closed) return;
    if (this.#resumeWanted && this.#pauses === 0) {
      this.#resumeWanted = false;
      this.#codecPaused = false;
      this.#unwantedHeads = 0;
      this.#guarded.resume();
      this.#watch.onRead();
      // What it emitted may have been answered at once.
      this.#output.flush();
    }
    if (this.#output.takeRoom()) this.#guarded.room();
    this.#settleReading();
    if (this.#closing && this.#streams.size === 0 && this.answers.waiting === 0) this.#finish();
  }

  // WatchedCaller

  get midHead(): boolean {
    return this.#codec.midHead === true;
  }

  get heldBack(): boolean {
    return this.#pauses !== 0 || !this.#reading;
  }

  get queuedBytes(): number {
    return this.closed ? this.#wire.queuedBytes : this.#output.queuedBytes;
  }

  eachStream(): readonly (readonly [id: number, stream: LiveStream])[] {
    return this.#streams.entries();
  }

  onSlowHead(limitMs: number): void {
    this.chain.stats.slowCallers.add();
    const status = statusOf(Status.timeout, `a head was not whole within ${limitMs} ms of its first byte`);
    if (this.#codec.refuseHead === undefined) this.onError(status);
    else this.#guarded.refuseHead(this.#codec, status);
  }

  onIdle(): void {
    this.drain();
  }

  onLingered(): void {
    this.#destroy(Status.no_error);
  }

  /** Asks the caller to go: no new streams, and the connection ends behind the last answer. */
  drain(): void {
    if (this.closed || this.#closing) return;
    this.announceDrain();
    this.#closing = true;
    this.#markDirty();
  }

  /** Tells the caller where the protocol has a word for it: in HTTP with the next answer. What it asks meanwhile is answered. */
  announceDrain(): void {
    if (this.closed || this.#closing || this.#drainAnnounced) return;
    this.#drainAnnounced = true;
    this.#guarded.goAway();
    this.#markDirty();
  }

  /** How long nothing was asked; 0 while a stream runs, or a head is on its way. */
  get quietMs(): number {
    return this.#streams.size === 0 && !this.midHead ? this.core.clock.nowMs() - this.#watch.quietSinceMs : 0;
  }

  /** At once, streams included. */
  close(status: ProxyStatus): void {
    this.#destroy(status);
  }

  /** A Hold ends with its stream, and not before the codec has seen the answer, which may wait for its turn. */
  #releaseHold(id: number): void {
    if ((this.#pauses & Pause.Hold) === 0) return;
    if (id !== this.#heldId || this.#streams.get(id) !== undefined || this.answers.isWaiting(id)) return;
    this.#unpause(Pause.Hold);
  }

  #admitBind(): void {
    const stream = this.#waitingBind;
    if (stream === null || this.#streams.size > 1) return;
    this.#waitingBind = null;
    if (!stream.ended) stream.forwardBind();
    this.#unpause(Pause.Bind);
  }

  #checkLimits(): void {
    const queued = this.#output.queuedBytes + this.answers.parkedBytes;
    if (queued > SLOW_HARD_BYTES) {
      this.chain.stats.slowConsumers.add();
      this.#destroy(statusOf(Status.slow_consumer, `${queued} bytes of answers wait, limit ${SLOW_HARD_BYTES}`));
      return;
    }
    if (queued > SLOW_SOFT_BYTES) this.#pause(Pause.SlowConsumer);
    else this.#unpause(Pause.SlowConsumer);
    if (this.#calls < this.chain.maxStreams) this.#unpause(Pause.Streams);
  }

  #pause(reason: number): void {
    this.#pauses |= reason;
    if (this.#codecPaused) return;
    this.#codecPaused = true;
    this.#guarded.pause();
  }

  /** The codec resumes at the next flush: resuming here would recurse for each held request. */
  #unpause(reason: number): void {
    if ((this.#pauses & reason) === 0) return;
    this.#pauses &= ~reason;
    if (this.#pauses !== 0) return;
    this.#resumeWanted = true;
    this.#markDirty();
  }

  #settleReading(): void {
    if (this.closed || this.#peerEnded) return;
    const { reading } = this.#codec;
    if (reading === this.#reading) return;
    this.#reading = reading;
    if (reading) this.#wire.resume();
    else this.#wire.pause();
  }

  #markDirty(): void {
    if (this.#dirty || this.closed) return;
    this.#dirty = true;
    this.core.flusher.add(this);
  }

  /** FIN behind what is queued, then read on and drop until the peer's FIN or a limit: a plain close would send a RST that eats the answer. */
  #finish(): void {
    if (this.closed) return;
    this.#output.end();
    this.#output.flush();
    this.#leave();
    if (this.#peerEnded && this.#wire.queuedBytes === 0) {
      this.#wire.destroy();
      return;
    }
    this.#lingering = true;
    this.#watch.linger();
    if (!this.#reading) this.#wire.resume();
  }

  /** The caller does not have all of an answer, and a FIN would say that it has: a body may end with its connection. */
  #abort(): void {
    if (this.closed) return;
    this.#output.flush();
    this.#leave();
    this.#wire.reset();
  }

  #destroy(status: ProxyStatus): void {
    const isWhole = this.queuedBytes === 0 && this.#streams.size === 0;
    if (!this.closed) {
      this.#leave();
      this.#abortStreams(status);
    }
    this.#lingering = false;
    this.#watch.close();
    if (isWhole) this.#wire.destroy();
    else this.#wire.reset();
  }

  #leave(): void {
    this.closed = true;
    this.#watch.close();
    this.timeouts.close();
    this.#output.release();
    this.chain.stats.connectionsActive.add(-1);
    this.caller.close();
    this.#mirrorCallers?.close();
    this.#owner.onConnectionClosed(this);
  }

  #abortStreams(status: ProxyStatus): void {
    for (const [, stream] of this.#streams.entries()) stream.abort(status);
  }
}
