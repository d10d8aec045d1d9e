/** Stats filter: counts requests and how they ended, and their time, for each chain. Every counter is resolved before traffic. */
import type { Filter, FilterContext, FilterFactory, Stream } from '../../filter.ts';
import type { Run } from '../../message.ts';
import type { Counter, Histogram } from '../../stats.ts';
import type { StatusName } from '../../status.ts';
import { Status } from '../../status.ts';

class StatsFilter implements Filter {
  readonly knowsRuns = true;
  readonly #oneways: Counter;
  readonly #ok: Counter;
  readonly #error: Counter;
  readonly #byStatus: ReadonlyMap<StatusName, Counter>;
  readonly #timeMs: Histogram;
  readonly #requestBytes: Counter;
  readonly #responseBytes: Counter;

  constructor({ stats }: FilterContext) {
    this.#oneways = stats.counter('downstream_oneway_total');
    this.#ok = stats.counter('downstream_requests_total', { result: 'ok' });
    this.#error = stats.counter('downstream_requests_total', { result: 'error' });
    this.#byStatus = new Map(
      (Object.keys(Status) as StatusName[]).map((name) => [
        name,
        stats.counter('downstream_requests_total', { result: name }),
      ]),
    );
    this.#timeMs = stats.histogram('downstream_request_time_ms');
    this.#requestBytes = stats.counter('downstream_request_bytes_total');
    this.#responseBytes = stats.counter('downstream_response_bytes_total');
  }

  onEnd(stream: Stream): void {
    const { run } = stream.request;
    if (run) this.#countRun(stream, run);
    else this.#countCall(stream);
    this.#requestBytes.add(stream.requestBytes);
    this.#responseBytes.add(stream.responseBytes);
    this.#timeMs.recordMs(stream.elapsedMs, stream.calls);
  }

  /** The upstream's own outcome, unless the proxy ended the stream: then the reason is the result. */
  #countCall(stream: Stream): void {
    if (stream.status !== Status.no_error) this.#byStatus.get(stream.status.name)!.add();
    else if (stream.response === null) this.#oneways.add();
    else if (stream.response.outcome?.ok === false) this.#error.add();
    else this.#ok.add();
  }

  #countRun(stream: Stream, { calls, answered, failed }: Run): void {
    this.#ok.add(answered - failed);
    this.#error.add(failed);
    if (stream.status !== Status.no_error) this.#byStatus.get(stream.status.name)!.add(calls - answered);
  }
}

export const statsFilter: FilterFactory<undefined> = {
  name: 'stats',
  parseOptions: () => undefined,
  create: (_options, context) => new StatsFilter(context),
};
