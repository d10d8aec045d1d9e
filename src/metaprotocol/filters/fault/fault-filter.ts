/** Fault filter: delays a share of the requests, or answers them itself, with a named code of the protocol where one is given. */
import type { TimerHandle } from '../../clock.ts';
import { ConfigError, type ConfigIssue } from '../../config-error.ts';
import type { AttributeMatch } from '../../description.ts';
import type { Filter, FilterContext, FilterFactory, Stream } from '../../filter.ts';
import { FilterStatus } from '../../filter.ts';
import type { RequestMessage } from '../../message.ts';
import { compileMatcher, type Matcher } from '../../router/matcher.ts';
import type { Counter } from '../../stats.ts';
import { type ProxyStatus, Status, statusOf } from '../../status.ts';

/** One fault, drawn for each request that it matches. */
interface Fault {
  readonly match: readonly Matcher[];
  /** 0..1 of the matching requests. */
  readonly share: number;
  /** 0: none. */
  readonly delayMs: number;
  readonly abort: ProxyStatus | null;
}

/** Of a chain or of a route; a route's replace the chain's. */
export interface FaultOptions {
  readonly faults: readonly Fault[];
}

/** What was drawn for one request that is delayed. */
interface Drawn {
  readonly timer: TimerHandle;
}

class FaultFilter implements Filter {
  readonly #options: FaultOptions;
  readonly #context: FilterContext;
  readonly #delays: Counter;
  readonly #aborts: Counter;

  constructor(options: FaultOptions, context: FilterContext) {
    this.#options = options;
    this.#context = context;
    this.#delays = context.stats.counter('fault_delays_total');
    this.#aborts = context.stats.counter('fault_aborts_total');
  }

  /** Delays of several faults add up; the first abort counts. */
  onRequest(stream: Stream, request: RequestMessage): FilterStatus {
    const { index, clock, random } = this.#context;
    const { faults } = (stream.route?.optionsOf(index) as FaultOptions | undefined) ?? this.#options;
    let delayMs = 0;
    let abort: ProxyStatus | null = null;
    for (const fault of faults) {
      if (!fault.match.every((matcher) => matcher.matches(request))) continue;
      if (fault.share < 1 && random() >= fault.share) continue;
      delayMs += fault.delayMs;
      abort ??= fault.abort;
    }
    if (delayMs > 0) {
      this.#delays.add();
      const timer = clock.setTimer(delayMs, () => this.#onDelayed(stream, abort));
      stream.slots[index] = { timer } satisfies Drawn;
      return FilterStatus.Pause;
    }
    if (abort === null) return FilterStatus.Continue;
    this.#aborts.add();
    stream.reply(abort);
    return FilterStatus.Stop;
  }

  onEnd(stream: Stream): void {
    (stream.slots[this.#context.index] as Drawn | undefined)?.timer.cancel();
  }

  #onDelayed(stream: Stream, abort: ProxyStatus | null): void {
    if (abort === null) {
      stream.resume();
      return;
    }
    this.#aborts.add();
    stream.reply(abort);
  }
}

export const faultFilter: FilterFactory<FaultOptions> = {
  name: 'fault',
  /** `{ faults: [{ match: AttributeMatch[], percentage: 0..100, delayMs, abort: { code: number | null, message } }] }` */
  parseOptions(raw) {
    const issues: ConfigIssue[] = [];
    const listed = isRecord(raw) ? (raw.faults ?? []) : raw === undefined || raw === null ? [] : raw;
    if (!Array.isArray(listed)) issues.push({ path: 'faults', message: 'is not a list' });
    const faults = Array.isArray(listed)
      ? listed.map((fault, index) => readFault(fault, `faults[${index}]`, issues))
      : [];
    if (issues.length > 0) throw new ConfigError(issues);
    return { faults };
  },
  create: (options, context) => new FaultFilter(options, context),
};

function readFault(raw: unknown, at: string, issues: ConfigIssue[]): Fault {
  const { match, percentage, delayMs, abort } = isRecord(raw) ? raw : {};
  const bad = (path: string, value: unknown, expected: string): void => {
    issues.push({ path: `${at}.${path}`, message: `${JSON.stringify(value)} is not ${expected}` });
  };
  const share = percentage === undefined ? 100 : percentage;
  if (typeof share !== 'number' || !(share >= 0 && share <= 100)) bad('percentage', share, 'a number from 0 to 100');
  const delay = delayMs === undefined ? 0 : delayMs;
  if (typeof delay !== 'number' || !(delay >= 0)) bad('delayMs', delay, 'a number of milliseconds');
  if (delay === 0 && abort === undefined) bad('', raw, 'a fault: it has neither delayMs nor abort');
  const matchers: Matcher[] = [];
  for (const [index, one] of (Array.isArray(match) ? match : []).entries()) {
    try {
      matchers.push(compileMatcher(one as AttributeMatch));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      for (const issue of error.issues) issues.push({ path: `${at}.match[${index}]`, message: issue.message });
    }
  }
  return {
    match: matchers,
    share: Number(share) / 100,
    delayMs: Number(delay),
    abort: abort === undefined ? null : readAbort(abort, `${at}.abort`, issues),
  };
}

function readAbort(raw: unknown, at: string, issues: ConfigIssue[]): ProxyStatus {
  const { code = null, message = Status.fault.detail } = isRecord(raw) ? raw : {};
  if (code !== null && !Number.isInteger(code)) {
    issues.push({ path: `${at}.code`, message: `${JSON.stringify(code)} is not the number of a code` });
  }
  if (typeof message !== 'string') issues.push({ path: `${at}.message`, message: 'is not a text' });
  return statusOf(Status.fault, String(message), code as number | null);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
