/** Who answered whom: counts outcomes of calls since the start and since the last look. */

/** What became of one call, or of a connection that nobody meant to close. */
export interface Outcome {
  readonly group: string;
  readonly servedBy?: string;
  readonly failure?: string;
  readonly closed?: boolean;
}

export interface GroupCounts {
  readonly group: string;
  readonly answers: ReadonlyMap<string, number>;
  readonly failed: number;
}

export interface TallyView {
  /** Since the last `look`, in the order in which the groups first spoke. */
  readonly recent: readonly GroupCounts[];
  /** Calls answered since the start. */
  readonly answered: number;
  readonly failed: number;
  readonly closed: number;
  readonly lastFailure: string | null;
}

export class Tally {
  readonly #groups = new Map<string, { answers: Map<string, number>; failed: number }>();
  #answered = 0;
  #failed = 0;
  #closed = 0;
  #lastFailure: string | null = null;

  add({ group, servedBy, failure, closed }: Outcome): void {
    let counts = this.#groups.get(group);
    if (!counts) {
      counts = { answers: new Map(), failed: 0 };
      this.#groups.set(group, counts);
    }
    if (closed) this.#closed++;
    if (servedBy !== undefined) {
      counts.answers.set(servedBy, (counts.answers.get(servedBy) ?? 0) + 1);
      this.#answered++;
    }
    if (failure !== undefined) {
      counts.failed++;
      this.#failed++;
      this.#lastFailure = failure;
    }
  }

  /** Gives the counts and starts the recent ones anew. */
  look(): TallyView {
    const recent = [...this.#groups].map(([group, { answers, failed }]) => ({
      group,
      answers: new Map(answers),
      failed,
    }));
    for (const counts of this.#groups.values()) {
      counts.answers.clear();
      counts.failed = 0;
    }
    return {
      recent,
      answered: this.#answered,
      failed: this.#failed,
      closed: this.#closed,
      lastFailure: this.#lastFailure,
    };
  }
}

/** The share of answers that `servedBy` gave, from 0 to 1; NaN when there was none. */
export function shareOf(servedBy: string, groups: readonly GroupCounts[]): number {
  let all = 0;
  let own = 0;
  for (const { answers } of groups) {
    for (const [name, count] of answers) {
      all += count;
      if (name === servedBy) own += count;
    }
  }
  return own / all;
}
