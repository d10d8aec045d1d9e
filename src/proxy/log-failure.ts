/** LogFailure: one thing that goes wrong with one access log, told in the process log and, as long as it lasts, in a statistic. */
import type { Log } from '../metaprotocol/core.ts';
import type { Gauge, StatsScope } from '../metaprotocol/stats.ts';

/** What fails, and what that means for the log. */
export const LOG_FAILURES = {
  write: 'is not written, its lines are lost',
  reopen: 'cannot be opened anew, its lines go to the file that was renamed or deleted',
  rotate: 'is not rotated and grows past its limit',
} as const;

export type LogFailureKind = keyof typeof LOG_FAILURES;

export class LogFailure {
  readonly #log: Log;
  readonly #stats: StatsScope;
  readonly #path: string;
  readonly #kind: LogFailureKind;
  /** While it fails: 1 in the statistic that says why. */
  #failing: Gauge | null = null;

  constructor(log: Log, stats: StatsScope, path: string, kind: LogFailureKind) {
    this.#log = log;
    this.#stats = stats;
    this.#path = path;
    this.#kind = kind;
  }

  fail(reason: string): void {
    // Once for each run of failures: a full disk must not fill the process log too.
    if (this.#failing === null) {
      this.#log.error({ path: this.#path, error: reason }, `access log ${LOG_FAILURES[this.#kind]}`);
    }
    this.#show(this.#stats.gauge('access_logs_failing', { path: this.#path, failure: this.#kind, reason }));
  }

  end(): void {
    this.#show(null);
  }

  #show(failing: Gauge | null): void {
    if (this.#failing === failing) return;
    this.#failing?.add(-1);
    failing?.add(1);
    this.#failing = failing;
  }
}
