/** LineBatcher: gathers access log lines, so that a line costs no system call and no message of its own. */
import type { Clock, TimerHandle } from '../metaprotocol/clock.ts';

const BATCH_CHARACTERS = 65_536;
const MAX_AGE_MS = 250;

interface Batch {
  text: string;
  count: number;
}

export class LineBatcher {
  readonly #clock: Clock;
  readonly #deliver: (path: string, text: string, count: number) => void;
  readonly #batches = new Map<string, Batch>();
  #timer: TimerHandle | null = null;

  /** `deliver` gets whole lines in order, at the latest 250 ms after the first of them was written. */
  constructor(clock: Clock, deliver: (path: string, text: string, count: number) => void) {
    this.#clock = clock;
    this.#deliver = deliver;
  }

  /** `line` without its end of line. */
  write(path: string, line: string): void {
    let batch = this.#batches.get(path);
    if (batch === undefined) {
      batch = { text: '', count: 0 };
      this.#batches.set(path, batch);
    }
    batch.text += `${line}\n`;
    batch.count++;
    if (batch.text.length >= BATCH_CHARACTERS) this.#send(path, batch);
    else this.#timer ??= this.#clock.setTimer(MAX_AGE_MS, () => this.flush());
  }

  flush(): void {
    this.#timer?.cancel();
    this.#timer = null;
    for (const [path, batch] of this.#batches) this.#send(path, batch);
  }

  #send(path: string, batch: Batch): void {
    // Kept for the next second of a busy log; paths that fell silent go.
    this.#batches.delete(path);
    this.#deliver(path, batch.text, batch.count);
  }
}
