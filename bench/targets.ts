/** What the mesh promises, as shares of a peer's figure in the same run, each the median over the rounds' own ratios. */
import type { Measures, Row } from './rounds.ts';

export interface Target {
  readonly subject: string;
  readonly peer: string;
  readonly callers: number;
  readonly inFlight: number;
  /** CPU per call if not told. */
  readonly measure?: keyof Measures;
  /** At most; of calls per second: at least. */
  readonly limit: number;
}

export interface Verdict extends Target {
  readonly ratio: number;
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
    const ratios = roundsOf(target.subject).flatMap((own, round) => {
      const [mine, other] = [own[measure], peers[round]?.[measure] ?? null];
      return mine === null || other === null ? [] : [mine / other];
    });
    if (ratios.length === 0) return [];
    const ratio = ratios.toSorted((a, b) => a - b)[ratios.length >> 1]!;
    return [{ ...target, ratio, met: isAtLeast(target) ? ratio >= target.limit : ratio <= target.limit }];
  });
}

export function verdictText(verdict: Verdict): string {
  const { subject, peer, callers, inFlight, measure = 'cpuUsPerCall', limit, ratio, met } = verdict;
  const promise = `at ${isAtLeast(verdict) ? 'least' : 'most'} ${limit} promised`;
  const mark = met ? 'ok    ' : 'MISSED';
  return `${mark} ${callers} × ${inFlight}: ${NAMES[measure]} of ${subject} is ${ratio.toFixed(3)} × ${peer}, ${promise}`;
}

function isAtLeast({ measure }: Target): boolean {
  return measure === 'callsPerSecond';
}
