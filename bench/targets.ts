/** What the mesh promises, as shares of a peer's figure in the same run, each the median over the rounds' own ratios. */
import type { Measures, Row } from './rounds.ts';

export interface Target {
  readonly subject: string;
  readonly peer: string;
  /** Who does least in the same run: what no proxy in Node can be better than. */
  readonly floor?: string;
  readonly callers: number;
  readonly inFlight: number;
  /** CPU per call if not told. */
  readonly measure?: keyof Measures;
  /** At most; of calls per second: at least. */
  readonly limit: number;
}

export interface Verdict extends Target {
  readonly ratio: number;
  /** The same ratio of `floor`; null: it was not measured. */
  readonly floorRatio: number | null;
  readonly met: boolean;
}

const PAYLOAD_BYTES = 100;
const NAMES: Readonly<Record<keyof Measures, string>> = {
  cpuUsPerCall: 'CPU',
  callsPerSecond: 'calls/s',
  p99Us: 'p99',
};

/** One verdict for each target whose both sides were measured. */
export function judge(targets: readonly Target[], rows: readonly Row[], payloadBytes = PAYLOAD_BYTES): Verdict[] {
  return targets.flatMap((target) => {
    const roundsOf = (subject: string) =>
      rows.find(
        (row) =>
          row.subject === subject &&
          row.callers === target.callers &&
          row.inFlight === target.inFlight &&
          row.payloadBytes === payloadBytes,
      )?.rounds ?? [];
    const measure = target.measure ?? 'cpuUsPerCall';
    const peers = roundsOf(target.peer);
    const ratioOf = (subject: string): number | null => {
      const ratios = roundsOf(subject).flatMap((own, round) => {
        const [mine, other] = [own[measure], peers[round]?.[measure] ?? null];
        return mine === null || other === null ? [] : [mine / other];
      });
      return ratios.toSorted((a, b) => a - b)[ratios.length >> 1] ?? null;
    };
    const ratio = ratioOf(target.subject);
    if (ratio === null) return [];
    const floorRatio = target.floor === undefined ? null : ratioOf(target.floor);
    return [{ ...target, ratio, floorRatio, met: isAtLeast(target) ? ratio >= target.limit : ratio <= target.limit }];
  });
}

export function verdictText(verdict: Verdict): string {
  const { subject, peer, floor, callers, inFlight, measure = 'cpuUsPerCall', limit, ratio, floorRatio, met } = verdict;
  const promise = `at ${isAtLeast(verdict) ? 'least' : 'most'} ${limit} promised`;
  const mark = met ? 'ok    ' : 'MISSED';
  const least = floorRatio === null ? '' : ` (${floor}: ${floorRatio.toFixed(3)})`;
  return `${mark} ${callers} × ${inFlight}: ${NAMES[measure]} of ${subject} is ${ratio.toFixed(3)} × ${peer}${least}, ${promise}`;
}

function isAtLeast({ measure }: Target): boolean {
  return measure === 'callsPerSecond';
}
