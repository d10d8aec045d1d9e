/** The HTTP benchmark: wrk's GETs over 64 connections, through the mesh and through its peers. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type Child, pinnable } from '../child.ts';
import { cpuTimeNs, residentBytes } from '../process-usage.ts';
import { startMeltemi } from '../proxies/meltemi.ts';
import { startPipe } from '../proxies/start-pipe.ts';
import type { Row, Subject } from '../rounds.ts';
import type { Target } from '../targets.ts';
import { startBackend, startPeers } from './peers.ts';

const host = 'web.bench.example';
const destination = { destination: { host } };
const callers = 64;
export const httpPayloadBytes = 66;

const load = { subject: 'meltemi', floor: 'socket pipe', callers, inFlight: 1 } as const;
export const httpTargets: readonly Target[] = [
  { ...load, peer: 'envoy', limit: 0.4 },
  { ...load, peer: 'haproxy', measure: 'callsPerSecond', limit: 0.7 },
  { ...load, peer: 'haproxy', measure: 'p99Us', limit: 3 },
];

interface HttpBenchOptions {
  readonly quick: boolean;
  readonly directory: string;
  readonly onProgress: (text: string) => void;
}

/** One run of wrk. */
interface Sample {
  readonly calls: number;
  readonly failures: number;
  readonly callsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly cpuUsPerCall: number | null;
  readonly residentMiB: number | null;
}

export async function runHttpBench({ quick, directory, onProgress }: HttpBenchOptions): Promise<Row[]> {
  for (const needed of ['nginx', 'wrk']) {
    if (spawnSync(needed, ['-v']).error !== undefined)
      throw new Error(`the HTTP benchmark needs ${needed} on the PATH`);
  }
  const children: Child[] = [];
  try {
    const backend = await startBackend(directory);
    children.push(backend.child);
    const subjects: Subject[] = [{ name: 'direct', port: backend.port, proxy: null }];
    const pipe = await startPipe('pipe', backend.port);
    children.push(pipe.child);
    subjects.push({ name: 'socket pipe', port: pipe.port, proxy: pipe.child });
    const mesh = await startMeltemi(
      'meltemi',
      {
        host,
        protocol: 'http1',
        upstreamPort: backend.port,
        policy: {},
        // As many routes as the others get, and the second one matches.
        routes: [
          { name: 'other', match: { attributes: { ':path': { prefix: '/other' } } }, route: [destination] },
          { name: 'all', route: [destination] },
        ],
      },
      directory,
    );
    children.push(mesh.control, mesh.proxy);
    subjects.push({ name: 'meltemi', port: mesh.port, proxy: mesh.proxy });
    for (const { name, child, port } of await startPeers(backend.port, directory)) {
      children.push(child);
      subjects.push({ name, port, proxy: child });
    }
    return await measure(subjects, quick, onProgress);
  } finally {
    await Promise.all(children.map((child) => child.end()));
  }
}

async function measure(
  subjects: readonly Subject[],
  quick: boolean,
  onProgress: (text: string) => void,
): Promise<Row[]> {
  const [rounds, seconds] = quick ? [1, 2] : [3, 5];
  const samples = new Map<string, Sample[]>();
  for (const subject of subjects) await runWrk(subject, 2);
  let done = 0;
  for (let round = 0; round < rounds; round++) {
    for (const subject of subjects) {
      const sample = await runWrk(subject, seconds);
      samples.set(subject.name, [...(samples.get(subject.name) ?? []), sample]);
      onProgress(`${++done}/${rounds * subjects.length}`);
    }
  }
  return subjects.map(({ name }) => toRow(name, samples.get(name)!));
}

async function runWrk(subject: Subject, seconds: number): Promise<Sample> {
  const pid = subject.proxy?.pid ?? null;
  const args = [
    '-t',
    '1',
    '-c',
    `${callers}`,
    '-d',
    `${seconds}s`,
    '--latency',
    `http://127.0.0.1:${subject.port}/index`,
  ];
  const [file, ...rest] = pinnable ? ['taskset', '-c', '0', 'wrk', ...args] : ['wrk', ...args];
  const beforeNs = pid === null ? 0 : cpuTimeNs(pid);
  const child = spawn(file!, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  const afterNs = pid === null ? 0 : cpuTimeNs(pid);
  const calls = Number(/(\d+) requests in/.exec(output)?.[1] ?? 0);
  if (code !== 0 || calls === 0) throw new Error(`wrk against ${subject.name}: ${output}`);
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(output)?.slice(1) ?? [];
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(output)?.[1] ?? 0);
  return {
    calls,
    failures: errors.reduce((sum, text) => sum + Number(text), refused),
    callsPerSecond: Number(/Requests\/sec: +([\d.]+)/.exec(output)![1]),
    p50Us: latencyUs(output, 50),
    p99Us: latencyUs(output, 99),
    cpuUsPerCall: pid === null ? null : (afterNs - beforeNs) / 1_000 / calls,
    residentMiB: pid === null ? null : residentBytes(pid) / 2 ** 20,
  };
}

const UNITS_US: Readonly<Record<string, number>> = { us: 1, ms: 1_000, s: 1_000_000 };

function latencyUs(output: string, percentile: number): number {
  const [, value, unit] = new RegExp(`${percentile}% +([\\d.]+)(us|ms|s)`).exec(output)!;
  return Number(value) * UNITS_US[unit!]!;
}

function toRow(subject: string, samples: readonly Sample[]): Row {
  const median = (values: readonly (number | null)[]): number | null => {
    const known = values.filter((value) => value !== null).toSorted((a, b) => a - b);
    return known[known.length >> 1] ?? null;
  };
  const failures = samples.reduce((sum, sample) => sum + sample.failures, 0);
  return {
    subject,
    callers,
    inFlight: 1,
    payloadBytes: httpPayloadBytes,
    calls: samples.reduce((sum, sample) => sum + sample.calls, 0),
    failures,
    firstFailure: failures === 0 ? null : 'counted by wrk',
    callsPerSecond: median(samples.map((sample) => sample.callsPerSecond))!,
    p50Us: median(samples.map((sample) => sample.p50Us))!,
    p99Us: median(samples.map((sample) => sample.p99Us))!,
    cpuUsPerCall: median(samples.map((sample) => sample.cpuUsPerCall)),
    residentMiB: median(samples.map((sample) => sample.residentMiB)),
    rounds: samples,
  };
}
