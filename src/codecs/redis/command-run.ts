/** CommandRun: the commands of a run, and what became of each. */
import type { Outcome, Run } from '../../metaprotocol/message.ts';

export class CommandRun implements Run {
  answered = 0;
  failed = 0;
  readonly #requestBytes: number[] = [];
  readonly #responseBytes: number[] = [];
  readonly #outcomes: Outcome[] = [];

  get calls(): number {
    return this.#requestBytes.length;
  }

  /** All answers came. */
  get whole(): boolean {
    return this.#outcomes.length === this.#requestBytes.length;
  }

  add(requestBytes: number): void {
    this.#requestBytes.push(requestBytes);
  }

  /** The next answer, the upstream's or our own. */
  receive(responseBytes: number, outcome: Outcome): void {
    this.#responseBytes.push(responseBytes);
    this.#outcomes.push(outcome);
  }

  /** The core is given what came. */
  tell(): void {
    for (; this.answered < this.#outcomes.length; this.answered++) {
      if (!this.#outcomes[this.answered]!.ok) this.failed++;
    }
  }

  /** What came and was not given is lost with its connection. */
  forgetUntold(): void {
    this.#responseBytes.length = this.answered;
    this.#outcomes.length = this.answered;
  }

  /** None of its answers reached the caller. */
  forgetAnswers(): void {
    this.answered = 0;
    this.failed = 0;
    this.forgetUntold();
  }

  requestBytes(index: number): number {
    return this.#requestBytes[index]!;
  }

  responseBytes(index: number): number {
    return this.#responseBytes[index] ?? 0;
  }

  outcome(index: number): Outcome | null {
    return this.#outcomes[index] ?? null;
  }
}
