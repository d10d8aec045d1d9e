/** Runs every subject on every workload, interleaved in rounds so that a slow minute of the machine hits all alike. */
import type { Child } from './child.ts';
import type { LoadJob, LoadResult } from './load-job.ts';
import { residentBytes } from './process-usage.ts';

/** One way between load generator and backend. */
export interface Subject {
  readonly name: string;
  readonly port: number;
  /** null for `direct`. */
  readonly proxy: Child | null;
}

export interface Workload {
  readonly callers: number;
  readonly inFlight: number;
  readonly payloadBytes: number;
}

/** What targets are about. */
export interface Measures {
  readonly cpuUsPerCall: number | null;
  readonly callsPerSecond: number;
  readonly p99Us: number;
}

/** The medians of all rounds, and the failures of all rounds together. */
export interface Row extends Workload, LoadResult {
  readonly subject: string;
  readonly residentMiB: number | null;
  /** In their order, which is that of all subjects of the run. */
  readonly rounds: readonly Measures[];
}

export interface Plan {
  readonly rounds: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

type Sample = LoadResult & { readonly residentBytes: number | null };

export async function runRounds(
  plan: Plan,
  load: Child,
  subjects: readonly Subject[],
  workloads: readonly Workload[],
  onProgress: (done: number, of: number) => void,
): Promise<Row[]> {
  const samples = new Map<Workload, Map<Subject, Sample[]>>(
    workloads.map((workload) => [workload, new Map(subjects.map((subject) => [subject, []]))]),
  );
  let done = 0;
  for (let round = 0; round < plan.rounds; round++) {
    for (const workload of workloads) {
      for (const subject of subjects) {
        const job: LoadJob = {
          ...workload,
          port: subject.port,
          warmUpMs: plan.warmUpMs,
          measureMs: plan.measureMs,
          proxyPid: subject.proxy?.pid ?? null,
        };
        const result = await load.ask<LoadResult>(job);
        const resident = subject.proxy && residentBytes(subject.proxy.pid);
        samples
          .get(workload)
          ?.get(subject)
          ?.push({ ...result, residentBytes: resident });
        onProgress(++done, plan.rounds * workloads.length * subjects.length);
      }
    }
  }
  return [...samples].flatMap(([workload, bySubject]) =>
    [...bySubject].map(([subject, rounds]) => toRow(subject.name, workload, rounds)),
  );
}

function toRow(subject: string, workload: Workload, rounds: readonly Sample[]): Row {
  const resident = nullableMedian(rounds.map((sample) => sample.residentBytes));
  return {
    subject,
    ...workload,
    calls: median(rounds.map((sample) => sample.calls)),
    failures: rounds.reduce((sum, sample) => sum + sample.failures, 0),
    firstFailure: rounds.find((sample) => sample.firstFailure !== null)?.firstFailure ?? null,
    callsPerSecond: median(rounds.map((sample) => sample.callsPerSecond)),
    p50Us: median(rounds.map((sample) => sample.p50Us)),
    p99Us: median(rounds.map((sample) => sample.p99Us)),
    cpuUsPerCall: nullableMedian(rounds.map((sample) => sample.cpuUsPerCall)),
    residentMiB: resident === null ? null : resident / 2 ** 20,
    rounds: rounds.map(({ cpuUsPerCall, callsPerSecond, p99Us }) => ({ cpuUsPerCall, callsPerSecond, p99Us })),
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function nullableMedian(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : median(known);
}
