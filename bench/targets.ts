/** What the mesh promises of its CPU time per call, as shares of Envoy's in the same run; at 100 B. */
import type { Row } from './rounds.ts';

export interface Target {
  readonly subject: string;
  readonly peer: string;
  readonly callers: number;
  readonly inFlight: number;
  readonly limit: number;
}

export interface Verdict extends Target {
  readonly ratio: number;
  readonly met: boolean;
}

const PAYLOAD_BYTES = 100;

/** One verdict for each target whose both sides were measured. */
export function judge(targets: readonly Target[], rows: readonly Row[], payloadBytes = PAYLOAD_BYTES): Verdict[] {
  return targets.flatMap((target) => {
    const cpuOf = (subject: string) =>
      rows.find(
        (row) =>
          row.subject === subject &&
          row.callers === target.callers &&
          row.inFlight === target.inFlight &&
          row.payloadBytes === payloadBytes,
      )?.cpuUsPerCall ?? null;
    const own = cpuOf(target.subject);
    const peer = cpuOf(target.peer);
    if (own === null || peer === null) return [];
    const ratio = own / peer;
    return [{ ...target, ratio, met: ratio <= target.limit }];
  });
}

export function verdictText({ subject, peer, callers, inFlight, limit, ratio, met }: Verdict): string {
  const load = `${callers} × ${inFlight}`;
  return `${met ? 'ok  ' : 'OVER'} ${load}: CPU of ${subject} is ${ratio.toFixed(3)} × ${peer}, at most ${limit} promised`;
}
