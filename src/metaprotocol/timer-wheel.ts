/** TimerWheel: coarse timeouts of streams and connections; scheduling and cancelling cost a few pointer writes. */
import type { Clock } from './clock.ts';

const TICK_MS = 10;
const SLOTS = 1_024;

export interface TimerOwner {
  onTimer(timer: WheelTimer): void;
}

/** One timeout, embedded in its owner and reused for its whole life. */
export class WheelTimer {
  readonly owner: TimerOwner;
  next: WheelTimer | null = null;
  previous: WheelTimer | null = null;
  dueTick = -1;

  constructor(owner: TimerOwner) {
    this.owner = owner;
  }

  get armed(): boolean {
    return this.previous !== null;
  }
}

export class TimerWheel {
  readonly #clock: Clock;
  /** Ring heads: sentinels whose lists hold the timers due in that slot, of this round or a later one. */
  readonly #slots: WheelTimer[];
  readonly #startMs: number;
  #tick = 0;
  #armed = 0;
  #ticking = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startMs = clock.nowMs();
    const nobody: TimerOwner = { onTimer() {} };
    this.#slots = Array.from({ length: SLOTS }, () => {
      const head = new WheelTimer(nobody);
      head.next = head;
      head.previous = head;
      return head;
    });
  }

  /** Armed timers, for leak tests. */
  get size(): number {
    return this.#armed;
  }

  /** Calls `owner.onTimer` once, `delayMs` to `delayMs + 20` after `nowMs`. Arms anew if it was armed. */
  arm(timer: WheelTimer, nowMs: number, delayMs: number): void {
    if (timer.previous !== null) this.cancel(timer);
    // An idle wheel has not ticked; nothing is in it, so it may jump.
    if (this.#armed === 0 && !this.#ticking) this.#tick = Math.floor((nowMs - this.#startMs) / TICK_MS);
    timer.dueTick = Math.max(Math.ceil((nowMs - this.#startMs + delayMs) / TICK_MS), this.#tick + 1);
    const head = this.#slots[timer.dueTick % SLOTS]!;
    timer.previous = head.previous;
    timer.next = head;
    head.previous!.next = timer;
    head.previous = timer;
    this.#armed++;
    if (!this.#ticking) {
      this.#ticking = true;
      this.#clock.setTimer(TICK_MS, () => this.#onTick());
    }
  }

  cancel(timer: WheelTimer): void {
    if (timer.previous === null) return;
    timer.previous.next = timer.next;
    timer.next!.previous = timer.previous;
    timer.next = null;
    timer.previous = null;
    this.#armed--;
  }

  #onTick(): void {
    const nowTick = Math.floor((this.#clock.nowMs() - this.#startMs) / TICK_MS);
    // After a long pause each slot is visited once, not once for each missed round.
    const from = Math.max(this.#tick + 1, nowTick - SLOTS + 1);
    this.#tick = nowTick;
    for (let tick = from; tick <= nowTick; tick++) this.#fire(this.#slots[tick % SLOTS]!, nowTick);
    // Stops one tick after the last timer went, so that steady traffic does not restart it for each stream.
    if (this.#armed > 0) this.#clock.setTimer(TICK_MS, () => this.#onTick());
    else this.#ticking = false;
  }

  #fire(head: WheelTimer, nowTick: number): void {
    let timer = head.next!;
    const due: WheelTimer[] = [];
    while (timer !== head) {
      if (timer.dueTick <= nowTick) due.push(timer);
      timer = timer.next!;
    }
    for (const one of due) {
      // An earlier owner may have cancelled it or armed it anew.
      if (one.previous === null || one.dueTick > nowTick) continue;
      this.cancel(one);
      one.owner.onTimer(one);
    }
  }
}
