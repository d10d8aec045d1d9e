/**
 * CallerWatch: bounds how slow one caller may be: a head that has begun and is not whole, a stream in which nothing moves, a
 * connection without streams, a last answer that is not read. It looks from time to time, so that requests in time cost nothing.
 */
import type { FilterChain } from './chain.ts';
import type { Core } from './core.ts';
import type { CallerTimeouts } from './description.ts';
import { Flag } from './message.ts';
import { Status, statusOf } from './status.ts';
import type { LiveStream } from './stream.ts';
import type { TimerOwner } from './timer-wheel.ts';
import { WheelTimer } from './timer-wheel.ts';

/** After its FIN the core reads on so that the peer can read the last answer: this long after the peer last took a byte. */
const LINGER_MS = 5_000;
/** A limit on streams is looked at this often while it passes. */
const LOOKS = 4;
const NEVER = Number.POSITIVE_INFINITY;

/** The connection, as it is watched. */
export interface WatchedCaller {
  readonly core: Core;
  readonly chain: FilterChain;
  /** A head has begun and is not whole. */
  readonly midHead: boolean;
  /** We do not read it now: what does not come is not its doing. */
  readonly heldBack: boolean;
  /** Of answers that it has not taken. */
  readonly queuedBytes: number;
  readonly streamCount: number;
  eachStream(): readonly (readonly [id: number, stream: LiveStream])[];
  onSlowHead(limitMs: number): void;
  /** No streams for as long as the chain allows. */
  onIdle(): void;
  /** The last answer was read, or will not be. */
  onLingered(): void;
}

/** What was seen of a stream, and since when it is so. */
interface Sight {
  readonly moves: number;
  readonly sinceMs: number;
}

export class CallerWatch implements TimerOwner {
  /** When the last stream began or ended. */
  quietSinceMs: number;
  readonly #caller: WatchedCaller;
  readonly #timer = new WheelTimer(this);
  #headTimer: WheelTimer | null = null;
  /** Negative: no head has begun. */
  #headSinceMs = -1;
  #sights = new Map<LiveStream, Sight>();
  #queuedBytes = 0;
  #lingering = false;

  constructor(caller: WatchedCaller) {
    this.#caller = caller;
    this.quietSinceMs = caller.core.clock.nowMs();
  }

  open(): void {
    this.#armLook(this.quietSinceMs, NEVER);
  }

  /** A head is whole: what is there of the next one is another one's beginning. */
  onHead(nowMs: number): void {
    this.quietSinceMs = nowMs;
    this.#headSinceMs = -1;
  }

  /** Bytes were decoded. */
  onRead(): void {
    if (!this.#caller.midHead) {
      this.#headSinceMs = -1;
      return;
    }
    const { headMs } = this.#caller.chain.timeouts;
    if (this.#headSinceMs >= 0 || headMs === 0) return;
    const { clock, wheel } = this.#caller.core;
    this.#headSinceMs = clock.nowMs();
    this.#headTimer ??= new WheelTimer(this);
    // It stays armed when the head is whole: under steady traffic it is seldom armed anew.
    if (!this.#headTimer.armed) wheel.arm(this.#headTimer, this.#headSinceMs, headMs);
  }

  /** FIN was sent behind the last answer. */
  linger(): void {
    this.#lingering = true;
    this.#queuedBytes = this.#caller.queuedBytes;
    this.#caller.core.wheel.arm(this.#timer, this.#caller.core.clock.nowMs(), LINGER_MS);
  }

  close(): void {
    const { wheel } = this.#caller.core;
    wheel.cancel(this.#timer);
    if (this.#headTimer !== null) wheel.cancel(this.#headTimer);
    this.#sights.clear();
  }

  onTimer(timer: WheelTimer): void {
    const nowMs = this.#caller.core.clock.nowMs();
    if (timer === this.#headTimer) this.#lookAtHead(nowMs);
    else if (this.#lingering) this.#lookAtLastAnswer(nowMs);
    else this.#look(nowMs);
  }

  #lookAtHead(nowMs: number): void {
    if (this.#headSinceMs < 0) return;
    const caller = this.#caller;
    const { headMs } = caller.chain.timeouts;
    if (caller.heldBack) this.#headSinceMs = nowMs;
    const leftMs = this.#headSinceMs + headMs - nowMs;
    if (leftMs > 0) caller.core.wheel.arm(this.#headTimer!, nowMs, leftMs);
    else caller.onSlowHead(headMs);
  }

  #lookAtLastAnswer(nowMs: number): void {
    const { queuedBytes } = this.#caller;
    const taken = queuedBytes < this.#queuedBytes;
    this.#queuedBytes = queuedBytes;
    if (taken) this.#caller.core.wheel.arm(this.#timer, nowMs, LINGER_MS);
    else this.#caller.onLingered();
  }

  #look(nowMs: number): void {
    const caller = this.#caller;
    const { timeouts } = caller.chain;
    if (caller.streamCount > 0) {
      this.#armLook(nowMs, this.#lookAtStreams(nowMs, timeouts));
      return;
    }
    const { queuedBytes } = caller;
    // It still reads the answer before.
    if (queuedBytes < this.#queuedBytes) this.quietSinceMs = nowMs;
    this.#queuedBytes = queuedBytes;
    const leftMs = timeouts.idleMs === 0 ? NEVER : this.quietSinceMs + timeouts.idleMs - nowMs;
    if (leftMs > 0) this.#armLook(nowMs, leftMs);
    else caller.onIdle();
  }

  /** Returns when the first of them would be too slow. */
  #lookAtStreams(nowMs: number, timeouts: CallerTimeouts): number {
    const { requestMs, streamIdleMs, tunnelIdleMs } = timeouts;
    if (requestMs === 0 && streamIdleMs === 0 && tunnelIdleMs === 0) return NEVER;
    const before = this.#sights;
    this.#sights = new Map();
    let nextMs = NEVER;
    for (const [, stream] of this.#caller.eachStream()) {
      if (stream.ended) continue;
      const { moves } = stream;
      const seen = before.get(stream);
      const sight = seen !== undefined && seen.moves === moves ? seen : { moves, sinceMs: nowMs };
      this.#sights.set(stream, sight);
      const tunnel = ((stream.response?.flags ?? 0) & Flag.Tunnel) !== 0;
      const idleMs = tunnel ? tunnelIdleMs : streamIdleMs;
      if (idleMs > 0) {
        const leftMs = sight.sinceMs + idleMs - nowMs;
        nextMs = Math.min(nextMs, leftMs);
        if (leftMs <= 0) this.#giveUp(stream, `nothing moved either way for ${idleMs} ms`);
      }
      if (requestMs > 0 && !stream.requestEnded && !stream.ended && !tunnel) {
        const leftMs = stream.startMs + requestMs - nowMs;
        nextMs = Math.min(nextMs, leftMs);
        if (leftMs <= 0) this.#giveUp(stream, `the request did not end within ${requestMs} ms`);
      }
    }
    return Math.max(nextMs, 0);
  }

  #giveUp(stream: LiveStream, detail: string): void {
    this.#caller.chain.stats.slowCallers.add();
    stream.reply(statusOf(Status.timeout, detail));
  }

  /** In time for what is there, and for streams that begin meanwhile. */
  #armLook(nowMs: number, delayMs: number): void {
    const { idleMs, requestMs, streamIdleMs, tunnelIdleMs } = this.#caller.chain.timeouts;
    let nextMs = idleMs > 0 ? Math.min(delayMs, idleMs) : delayMs;
    if (requestMs > 0) nextMs = Math.min(nextMs, requestMs / LOOKS);
    if (streamIdleMs > 0) nextMs = Math.min(nextMs, streamIdleMs / LOOKS);
    if (tunnelIdleMs > 0) nextMs = Math.min(nextMs, tunnelIdleMs / LOOKS);
    if (nextMs < NEVER) this.#caller.core.wheel.arm(this.#timer, nowMs, nextMs);
  }
}
