/** Watchdog: asks a worker for a sign of life and tells when it gave none for about a second: its code runs in a loop. */
import type { Clock, TimerHandle } from '../../metaprotocol/clock.ts';

const TICK_MS = 200;
/** Ticks of this thread, not time: if this thread itself was held up, the worker is not to blame. */
const SILENT_TICKS = 4;

export interface WatchdogOptions {
  readonly clock: Clock;
  /** Must be answered by `onAnswer`. */
  readonly ask: () => void;
  /** Once; the watch is over. */
  readonly onSilence: (silentMs: number) => void;
}

export class Watchdog {
  readonly #options: WatchdogOptions;
  #timer: TimerHandle | null = null;
  #unansweredTicks = 0;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#ask();
  }

  onAnswer(): void {
    this.#unansweredTicks = 0;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #ask(): void {
    this.#options.ask();
    this.#timer = this.#options.clock.setTimer(TICK_MS, () => {
      this.#unansweredTicks++;
      if (this.#unansweredTicks > SILENT_TICKS) this.#options.onSilence(this.#unansweredTicks * TICK_MS);
      else this.#ask();
    });
  }
}
