/** LoggedCall: what a line is about: a stream, or calls of a stream that is a run of them. */
import type { Stream } from '../../filter.ts';
import type { Outcome, ResponseMessage, Run } from '../../message.ts';
import { Status } from '../../status.ts';

type OfStream = 'request' | 'downstream' | 'route' | 'attempts' | 'startMs' | 'elapsedMs';

export interface LoggedCall extends Pick<Stream, OfStream | 'status' | 'requestBytes' | 'responseBytes' | 'calls'> {
  readonly response: Pick<ResponseMessage, 'outcome'> | null;
}

/** Calls of a run that are alike: of one size, with answers of one size that say the same. */
export class CallsOfRun implements LoggedCall {
  readonly request: LoggedCall['request'];
  readonly downstream: LoggedCall['downstream'];
  readonly route: LoggedCall['route'];
  readonly attempts: LoggedCall['attempts'];
  readonly startMs: number;
  readonly elapsedMs: number;
  status: LoggedCall['status'] = Status.no_error;
  requestBytes = 0;
  responseBytes = 0;
  readonly response: { outcome: Outcome | null } = { outcome: null };
  calls = 0;
  readonly #stream: Stream;
  readonly #run: Run;

  constructor(stream: Stream, run: Run) {
    this.request = stream.request;
    this.downstream = stream.downstream;
    this.route = stream.route;
    this.attempts = stream.attempts;
    this.startMs = stream.startMs;
    this.elapsedMs = stream.elapsedMs;
    this.#stream = stream;
    this.#run = run;
  }

  /** Becomes the call with this index and those behind it that are like it. Returns the index behind them. */
  select(index: number): number {
    const run = this.#run;
    const isAnswered = index < run.answered;
    this.status = isAnswered ? Status.no_error : this.#stream.status;
    this.requestBytes = run.requestBytes(index);
    this.responseBytes = run.responseBytes(index);
    this.response.outcome = run.outcome(index);
    const end = isAnswered ? run.answered : run.calls;
    let next = index + 1;
    while (next < end && this.#isLike(next)) next++;
    this.calls = next - index;
    return next;
  }

  #isLike(index: number): boolean {
    const run = this.#run;
    if (run.requestBytes(index) !== this.requestBytes || run.responseBytes(index) !== this.responseBytes) return false;
    return run.outcome(index)?.code === this.response.outcome?.code;
  }
}
