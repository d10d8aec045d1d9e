/** LineBatcher: the access logs of one worker; delivers what their writers gathered, in time. */
import type { Clock, TimerHandle } from '../metaprotocol/clock.ts';
import { LogBatches, LogWriter } from '../metaprotocol/log-writer.ts';

const MAX_AGE_MS = 250;

export class LineBatcher {
  readonly #clock: Clock;
  readonly #deliver: (path: string, bytes: Buffer, count: number) => void;
  readonly #batches = new LogBatches();
  readonly #writers = new Map<string, LogWriter>();
  #timer: TimerHandle | null = null;

  /**
   * `deliver` gets whole lines in order, at the latest 250 ms after the first of them was written; the bytes are its own until
   * they come back by `reuse`.
   */
  constructor(clock: Clock, deliver: (path: string, bytes: Buffer, count: number) => void) {
    this.#clock = clock;
    this.#deliver = deliver;
  }

  /** The same writer for the same path. */
  open(path: string): LogWriter {
    let writer = this.#writers.get(path);
    if (writer === undefined) {
      writer = new LogWriter(
        (bytes, count) => this.#deliver(path, bytes, count),
        () => {
          this.#timer ??= this.#clock.setTimer(MAX_AGE_MS, () => this.flush());
        },
        this.#batches,
      );
      this.#writers.set(path, writer);
    }
    return writer;
  }

  /** Delivered bytes that nobody looks at any more. */
  reuse(bytes: Uint8Array): void {
    this.#batches.give(bytes);
  }

  flush(): void {
    this.#timer?.cancel();
    this.#timer = null;
    for (const writer of this.#writers.values()) writer.flush();
  }
}
