/**
 * DownstreamConnection: a wire, a server codec and the streams of one caller. Keeps answers in order where the protocol
 * needs it, holds the caller back at its limits, lingers so that a last answer is read, and drains.
 */
import type { FilterChain } from './chain.ts';
import type { ServerCodec, Sink } from './codec.ts';
import { Reset } from './codec.ts';
import type { Core } from './core.ts';
import type { ConnectionInfo } from './filter.ts';
import { GuardedCodec } from './guarded-codec.ts';
import { IdTable } from './id-table.ts';
import type { RequestMessage, ResponseMessage, Trailers } from './message.ts';
import { Flag } from './message.ts';
import type { ParkedPiece } from './order-queue.ts';
import { OrderQueue } from './order-queue.ts';
import type { Flushable } from './output.ts';
import { SlabOutput } from './output.ts';
import type { ProxyStatus } from './status.ts';
import { Status, statusOf } from './status.ts';
import { LiveStream } from './stream.ts';
import type { TimerOwner } from './timer-wheel.ts';
import { WheelTimer } from './timer-wheel.ts';
import type { BoundCaller } from './upstream/caller.ts';
import { Caller } from './upstream/caller.ts';
import type { ClusterState } from './upstream/cluster.ts';
import { textOf } from './upstream/connection.ts';
import { InFlightLimits } from './upstream/in-flight.ts';
import type { Wire, WireHandler } from './wire.ts';

/** Answers queued for a caller above this: its requests are not decoded. */
const SLOW_SOFT_BYTES = 1024 * 1024;
/** Above this the caller is closed as a slow consumer. More than any frame limit. */
const SLOW_HARD_BYTES = 64 * 1024 * 1024;
/** After its FIN the core reads on so that the peer can read the last answer, but not for ever. */
const LINGER_MS = 5_000;
const LINGER_BYTES = 1024 * 1024;

/** Reasons for which the codec is held back; it resumes when none is left. */
const Pause = { Streams: 1, SlowConsumer: 2, Filter: 4, Bind: 8, Hold: 16, InFlight: 32 } as const;

/** Who keeps the listener's open connections. */
export interface DownstreamOwner {
  /** The chain that new streams of this connection run on now. */
  currentChain(connection: DownstreamConnection): FilterChain;
  onConnectionClosed(connection: DownstreamConnection): void;
}

export class DownstreamConnection implements Sink<RequestMessage>, WireHandler, Flushable, TimerOwner, BoundCaller {
  readonly core: Core;
  readonly info: ConnectionInfo;
  readonly caller: Caller;
  chain: FilterChain;
  closed = false;
  readonly #owner: DownstreamOwner;
  readonly #wire: Wire;
  readonly #output: SlabOutput;
  readonly #codec: ServerCodec;
  readonly #guarded: GuardedCodec;
  readonly #streams = new IdTable<LiveStream>();
  readonly #order: OrderQueue | null;
  readonly #idleTimer = new WheelTimer(this);
  #mirrorCaller: Caller | null = null;
  #lastActiveMs: number;
  #pauses = 0;
  #codecPaused = false;
  #resumeWanted = false;
  #dirty = false;
  #reading = true;
  /** No further streams are wanted: it closes behind the last answer. */
  #closing = false;
  #peerEnded = false;
  #lingering = false;
  #lingeredBytes = 0;
  #pausedStreams = 0;
  #waitingBind: LiveStream | null = null;
  /** The last request that asked for a Hold. */
  #heldId = 0;
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
    this.#order = chain.factory.replies === 'in-order' ? new OrderQueue() : null;
    this.#codec = chain.factory.createServerCodec(this, this.#output, chain.codecOptions, chain.maxStreams);
    this.#guarded = new GuardedCodec(this.#codec, (where, error) => this.#closeDefective(where, error));
    this.#lastActiveMs = core.clock.nowMs();
    chain.stats.connections.add();
    chain.stats.connectionsActive.add();
  }

  open(): void {
    this.core.wheel.arm(this.#idleTimer, this.#lastActiveMs, this.chain.idleTimeoutMs);
    this.#guarded.start();
    if (!this.closed) this.#wire.open(this);
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  /** The order of mirrored requests is kept apart from that of the caller's own. */
  get mirrorCaller(): Caller {
    this.#mirrorCaller ??= new Caller({ push() {}, onBoundClosed() {}, onUnbound() {} });
    return this.#mirrorCaller;
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
    try {
      this.#codec.decode(chunk, lent);
    } catch (error) {
      this.#closeDefective('decode', error);
    }
    this.#settleReading();
  }

  onEnd(): void {
    this.#peerEnded = true;
    if (this.#lingering) {
      this.#destroy(Status.no_error);
      return;
    }
    if (this.closed) return;
    this.#closing = true;
    this.#guarded.peerEnded();
    this.#markDirty();
  }

  onDrain(): void {
    this.#markDirty();
  }

  onClose(): void {
    this.#destroy(Status.downstream_reset);
  }

  // Sink: what the codec found in the caller's bytes

  onHead(id: number, request: RequestMessage): void {
    if (this.closed) return;
    this.chain = this.#owner.currentChain(this);
    const stream = new LiveStream(this, id, request);
    this.#lastActiveMs = stream.startMs;
    this.#streams.set(id, stream);
    if (this.#order !== null && (request.flags & Flag.Oneway) === 0) this.#order.push(id);
    if ((request.flags & Flag.Hold) !== 0) {
      this.#pauses |= Pause.Hold;
      this.#heldId = id;
    }
    if (this.#streams.size >= this.#streamLimit) this.#pause(Pause.Streams);
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
    this.#order?.drop(id);
    this.#writeInOrder();
  }

  onWritable(id: number): void {
    if (this.closed) return;
    const stream = this.#streams.get(id);
    const bytes = this.#owedCredit.get(id);
    if (bytes === undefined) return;
    this.#owedCredit.delete(id);
    stream?.creditUpstream(bytes);
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

  // What streams ask of their connection

  /** False: the codec failed and the stream was ended. */
  writeHead(stream: LiveStream, response: ResponseMessage): boolean {
    const order = this.#order;
    if (order !== null && !order.mayWrite(stream.id)) {
      response.keep();
      this.#park(order, stream.id, { kind: 'head', response, stream });
      return true;
    }
    if (!this.#encode(stream, response)) return false;
    if ((response.flags & Flag.Tunnel) !== 0) this.#unpause(Pause.Hold);
    if ((response.flags & Flag.End) !== 0) this.#onAnswerWritten(stream.id);
    return true;
  }

  writeInformational(stream: LiveStream, response: ResponseMessage): void {
    const order = this.#order;
    if (order === null || order.mayWrite(stream.id)) this.#encode(stream, response);
    else {
      response.keep();
      this.#park(order, stream.id, { kind: 'head', response, stream });
    }
  }

  /** True: taken, the upstream may be credited now. */
  writeData(stream: LiveStream, chunk: Buffer, end: boolean, lent: boolean, received: number): boolean {
    const order = this.#order;
    if (order !== null && !order.mayWrite(stream.id)) {
      this.#park(order, stream.id, { kind: 'data', chunk: lent ? Buffer.from(chunk) : chunk, end, received, stream });
      return false;
    }
    const taken = this.#guarded.data(stream.id, chunk, end, lent);
    if (!taken) this.#owe(stream.id, received);
    if (end) this.#onAnswerWritten(stream.id);
    return taken;
  }

  writeTrailers(stream: LiveStream, trailers: Trailers): void {
    const order = this.#order;
    if (order !== null && !order.mayWrite(stream.id)) {
      this.#park(order, stream.id, { kind: 'trailers', trailers, stream });
      return;
    }
    this.#guarded.trailers(stream.id, trailers);
    this.#onAnswerWritten(stream.id);
  }

  /** A local reply in the caller's protocol; null: the codec failed at that too and the connection is closed. */
  localReply(status: ProxyStatus, request: RequestMessage): ResponseMessage | null {
    try {
      return this.#codec.reply(status, request);
    } catch (error) {
      this.#closeDefective('reply', error);
      return null;
    }
  }

  /** The answer had begun and cannot go on. */
  resetStream(stream: LiveStream, status: ProxyStatus): void {
    if (this.closed) return;
    this.#order?.drop(stream.id);
    if (this.#guarded.reset(stream.id, status) === Reset.Close) this.#finish();
    this.#writeInOrder();
  }

  credit(id: number, bytes: number): void {
    if (this.closed || bytes === 0) return;
    this.#guarded.credit(id, bytes);
    this.#settleReading();
  }

  onStreamEnded(stream: LiveStream, requestEnded: boolean): void {
    if (this.#streams.delete(stream.id) && !requestEnded) this.#unfinished.add(stream.id);
    if ((stream.request.flags & Flag.Hold) !== 0) this.#releaseHold(stream.id);
    if (this.closed) return;
    if (this.#unfinished.size > 0) this.#settleUnfinished(stream.id);
    if (this.#waitingBind !== null) this.#admitBind();
    if (this.#pauses !== 0 || this.#closing) this.#markDirty();
  }

  /** A stream has its cluster; a caller at its limit there is not decoded. */
  onStreamForwarded(cluster: ClusterState): void {
    this.#inFlight.onForwarded(cluster);
    if (!this.#inFlight.room) this.#pause(Pause.InFlight);
  }

  onForwardEnded(cluster: ClusterState): void {
    this.#inFlight.onEnded(cluster);
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

  // BoundCaller

  push(head: ResponseMessage): void {
    if (this.closed) return;
    this.#encode(null, head);
  }

  onBoundClosed(): void {
    this.#closing = true;
    this.#markDirty();
  }

  onUnbound(): void {
    this.#unpause(Pause.Bind);
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
      this.#guarded.resume();
      // What it emitted may have been answered at once.
      this.#output.flush();
    }
    if (this.#output.takeRoom()) this.#guarded.room();
    this.#settleReading();
    if (this.#closing && this.#streams.size === 0 && (this.#order?.size ?? 0) === 0) this.#finish();
  }

  // TimerOwner

  onTimer(): void {
    if (this.#lingering) {
      this.#destroy(Status.no_error);
      return;
    }
    const nowMs = this.core.clock.nowMs();
    const { idleTimeoutMs } = this.chain;
    if (this.#streams.size === 0 && nowMs - this.#lastActiveMs >= idleTimeoutMs) {
      this.drain();
      return;
    }
    const sinceMs = this.#streams.size === 0 ? nowMs - this.#lastActiveMs : 0;
    this.core.wheel.arm(this.#idleTimer, nowMs, idleTimeoutMs - sinceMs);
  }

  /** Asks the caller to go: no new streams, and the connection ends behind the last answer. */
  drain(): void {
    if (this.closed || this.#closing) return;
    this.#closing = true;
    this.#guarded.goAway();
    this.#markDirty();
  }

  /** How long nothing was asked; 0 while a stream runs. */
  get quietMs(): number {
    return this.#streams.size === 0 ? this.core.clock.nowMs() - this.#lastActiveMs : 0;
  }

  /** At once, streams included. */
  close(status: ProxyStatus): void {
    this.#destroy(status);
  }

  readonly #owedCredit = new Map<number, number>();
  /** Streams whose answer ended before their request: the codec says what becomes of the rest. */
  readonly #unfinished = new Set<number>();

  get #streamLimit(): number {
    return this.chain.maxStreams;
  }

  #encode(stream: LiveStream | null, response: ResponseMessage): boolean {
    this.#output.mark();
    try {
      this.#codec.encode(stream?.id ?? 0, response, stream?.request ?? null);
      return true;
    } catch (error) {
      this.#output.rollback();
      this.#onDefect('encode', error);
    }
    // That stream fails, the connection drains: its codec is not to be trusted with new streams.
    this.drain();
    if (stream === null) return false;
    const status = statusOf(Status.internal_error, 'the answer could not be encoded');
    const reply = this.localReply(status, stream.request);
    if (reply === null) return false;
    this.#output.mark();
    try {
      this.#codec.encode(stream.id, reply, stream.request);
      this.#onAnswerWritten(stream.id);
      stream.abort(status);
    } catch (error) {
      this.#output.rollback();
      this.#closeDefective('encode', error);
    }
    return false;
  }

  /** A Hold ends with its stream, and not before the codec has seen the answer, which may wait for its turn. */
  #releaseHold(id: number): void {
    if (id !== this.#heldId || this.#streams.get(id) !== undefined || this.#order?.has(id) === true) return;
    this.#unpause(Pause.Hold);
  }

  /** The turn passes to the next answer. */
  #onAnswerWritten(id: number): void {
    if (this.#order === null) return;
    this.#order.shift(id);
    this.#releaseHold(this.#heldId);
    this.#writeInOrder();
  }

  /** Writes what is parked and may go now; a loop, since thousands may wait. */
  #writeInOrder(): void {
    const order = this.#order;
    if (order === null || this.closed) return;
    for (let piece = order.next(); piece !== null && !this.closed; piece = order.next()) {
      const { stream } = piece;
      let ended: boolean;
      if (piece.kind === 'head') {
        if (!this.#encode(stream, piece.response)) continue;
        ended = (piece.response.flags & (Flag.End | Flag.Informational)) === Flag.End;
      } else if (piece.kind === 'data') {
        if (this.#guarded.data(stream.id, piece.chunk, piece.end, false)) stream.creditUpstream(piece.received);
        else this.#owe(stream.id, piece.received);
        ended = piece.end;
      } else {
        this.#guarded.trailers(stream.id, piece.trailers);
        ended = true;
      }
      if (ended) {
        order.shift(stream.id);
        this.#releaseHold(this.#heldId);
        if (this.#unfinished.size > 0) this.#settleUnfinished(stream.id);
      }
    }
  }

  /** What waits for its turn counts towards the limits, which are looked at once a turn. */
  #park(order: OrderQueue, id: number, piece: ParkedPiece): void {
    order.park(id, piece);
    this.#markDirty();
  }

  #owe(id: number, bytes: number): void {
    this.#owedCredit.set(id, (this.#owedCredit.get(id) ?? 0) + bytes);
  }

  /** The answer is out and the request is not: HTTP/2 resets the stream, HTTP/1 closes and lingers. */
  #settleUnfinished(id: number): void {
    if (!this.#unfinished.has(id) || this.#order?.has(id) === true) return;
    this.#unfinished.delete(id);
    if (this.#guarded.reset(id, Status.no_error) === Reset.Close) {
      this.#closing = true;
      this.#markDirty();
    }
  }

  #admitBind(): void {
    const stream = this.#waitingBind;
    if (stream === null || this.#streams.size > 1) return;
    this.#waitingBind = null;
    if (!stream.ended) stream.forwardBind();
    this.#unpause(Pause.Bind);
  }

  #checkLimits(): void {
    const queued = this.#output.queuedBytes + (this.#order?.parkedBytes ?? 0);
    if (queued > SLOW_HARD_BYTES) {
      this.chain.stats.slowConsumers.add();
      this.#destroy(statusOf(Status.slow_consumer, `${queued} bytes of answers wait, limit ${SLOW_HARD_BYTES}`));
      return;
    }
    if (queued > SLOW_SOFT_BYTES) this.#pause(Pause.SlowConsumer);
    else this.#unpause(Pause.SlowConsumer);
    if (this.#streams.size < this.#streamLimit) this.#unpause(Pause.Streams);
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
    if (this.#peerEnded) {
      if (this.#wire.queuedBytes === 0) this.#wire.destroy();
      return;
    }
    this.#lingering = true;
    this.core.wheel.arm(this.#idleTimer, this.core.clock.nowMs(), LINGER_MS);
    if (!this.#reading) this.#wire.resume();
  }

  #destroy(status: ProxyStatus): void {
    if (!this.closed) {
      this.#leave();
      this.#abortStreams(status);
    }
    this.#lingering = false;
    this.core.wheel.cancel(this.#idleTimer);
    this.#wire.destroy();
  }

  #leave(): void {
    this.closed = true;
    this.core.wheel.cancel(this.#idleTimer);
    this.#output.release();
    this.chain.stats.connectionsActive.add(-1);
    this.caller.close();
    this.#mirrorCaller?.close();
    this.#owner.onConnectionClosed(this);
  }

  #abortStreams(status: ProxyStatus): void {
    for (const [, stream] of this.#streams.entries()) stream.abort(status);
  }

  #closeDefective(where: string, error: unknown): void {
    this.#onDefect(where, error);
    this.#destroy(Status.internal_error);
  }

  #onDefect(where: string, error: unknown): void {
    this.chain.stats.codecErrors.add();
    this.core.log.error({ listener: this.info.listener, where, error }, `codec failed: ${textOf(error)}`);
  }
}
