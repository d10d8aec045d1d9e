/** What the mesh promises of its CPU time per call, as shares of Envoy's in the same run; at 100 B. */
import type { Row } from '../rounds.ts';

interface Target {
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

const payloadBytes = 100;

const targets: readonly Target[] = [
  { subject: 'meltemi multiplexed', callers: 64, inFlight: 1, peer: 'envoy tcp_proxy', limit: 1.0 },
  { subject: 'meltemi multiplexed', callers: 64, inFlight: 1, peer: 'envoy thrift_proxy', limit: 0.6 },
  { subject: 'meltemi multiplexed', callers: 16, inFlight: 16, peer: 'envoy thrift_proxy', limit: 0.15 },
  { subject: 'meltemi one in flight', callers: 64, inFlight: 1, peer: 'envoy thrift_proxy', limit: 0.9 },
];

/** One verdict for each target whose both sides were measured. */
export function judge(rows: readonly Row[]): Verdict[] {
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
