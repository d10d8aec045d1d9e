/** The Redis benchmark: redis-benchmark's SET and GET of 64 B, 50 callers, through the mesh and through its peers. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { Child, Core, pinnable } from '../child.ts';
import { cpuTimeNs, residentBytes } from '../process-usage.ts';
import { envoyVersion, startEnvoy } from '../proxies/envoy.ts';
import { startMeltemi } from '../proxies/meltemi.ts';
import { startPipe } from '../proxies/start-pipe.ts';
import type { Row, Subject } from '../rounds.ts';
import type { Target } from '../targets.ts';

const host = 'cache.bench.example';
const destination = { destination: { host } };
const callers = 50;
const payloadBytes = 64;
const pipelines = [1, 16] as const;

const load = { subject: 'meltemi', floor: 'shared pipe, log', callers } as const;
export const redisTargets: readonly Target[] = ['nutcracker', 'envoy redis_proxy'].flatMap((peer) => [
  { ...load, inFlight: 1, peer, limit: 1.05 },
  { ...load, inFlight: 16, peer, limit: 0.85 },
]);
export const redisPayloadBytes = payloadBytes;

export interface RedisBenchOptions {
  readonly quick: boolean;
  readonly directory: string;
  readonly onProgress: (text: string) => void;
}

/** One run of redis-benchmark. */
interface Sample {
  readonly commands: number;
  readonly callsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly cpuUsPerCall: number | null;
  readonly residentMiB: number | null;
}

export async function runRedisBench({ quick, directory, onProgress }: RedisBenchOptions): Promise<Row[]> {
  const children: Child[] = [];
  const start = (child: Child): Child => {
    children.push(child);
    return child;
  };
  try {
    const redisPort = await freePort();
    const redis = start(
      new Child('redis-server', Core.load, 'redis-server', [
        ...['--port', `${redisPort}`, '--bind', '127.0.0.1'],
        ...['--save', '', '--appendonly', 'no', '--dir', directory],
      ]),
    );
    await redis.until(() => connects(redisPort));
    const subjects: Subject[] = [{ name: 'direct', port: redisPort, proxy: null }];
    for (const log of [[], [join(directory, 'shared-pipe.log')]]) {
      const { child, port } = await startPipe('shared pipe', redisPort, ...log);
      subjects.push({ name: log.length === 0 ? 'shared pipe' : 'shared pipe, log', port, proxy: start(child) });
    }
    const mesh = await startMeltemi(
      'meltemi',
      {
        host,
        protocol: 'redis',
        upstreamPort: redisPort,
        policy: {},
        // The peers write no log: what new pages of an ever longer one cost on a virtual machine is not the mesh's.
        proxyOptions: ['--access-log-max-size', '16MiB', '--access-log-max-files', '2'],
        // As many routes as Envoy gets, and the second one matches.
        routes: [
          { name: 'other', match: { attributes: { key: { prefix: 'other:' } } }, route: [destination] },
          { name: 'all', route: [destination] },
        ],
      },
      directory,
    );
    start(mesh.control);
    subjects.push({ name: 'meltemi', port: mesh.port, proxy: start(mesh.proxy) });
    if (spawnSync('nutcracker', ['--version']).error === undefined) {
      const { child, port } = await startNutcracker(redisPort, directory);
      subjects.push({ name: 'nutcracker', port, proxy: start(child) });
    }
    if (envoyVersion() !== null) {
      const { child, port } = await startEnvoy('envoy redis_proxy', redisProxyFilter, redisPort, directory);
      subjects.push({ name: 'envoy redis_proxy', port, proxy: start(child) });
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
  const rounds = quick ? 1 : 5;
  const samples = new Map<string, Sample[]>();
  for (const subject of subjects) await runBenchmark(subject, 16, 200_000);
  let done = 0;
  for (let round = 0; round < rounds; round++) {
    for (const pipeline of pipelines) {
      for (const subject of subjects) {
        const sample = await runBenchmark(subject, pipeline, pipeline === 1 ? 100_000 : 400_000);
        const key = `${subject.name} ${pipeline}`;
        samples.set(key, [...(samples.get(key) ?? []), sample]);
        onProgress(`${++done}/${rounds * pipelines.length * subjects.length}`);
      }
    }
  }
  return pipelines.flatMap((inFlight) =>
    subjects.map(({ name }) => toRow(name, inFlight, samples.get(`${name} ${inFlight}`)!)),
  );
}

async function runBenchmark(subject: Subject, pipeline: number, requests: number): Promise<Sample> {
  const pid = subject.proxy?.pid ?? null;
  const args = [
    ...['-h', '127.0.0.1', '-p', `${subject.port}`, '-c', `${callers}`, '-d', `${payloadBytes}`, '-r', '10000'],
    ...['-n', `${requests}`, '-P', `${pipeline}`, '-t', 'set,get', '--csv'],
  ];
  const beforeNs = pid === null ? 0 : cpuTimeNs(pid);
  const [file, ...rest] = pinnable ? ['taskset', '-c', '0', 'redis-benchmark', ...args] : ['redis-benchmark', ...args];
  const child = spawn(file!, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  const afterNs = pid === null ? 0 : cpuTimeNs(pid);
  const lines = output.split('\n').flatMap((line) => {
    const [name, ...figures] = line.split(',').map((text) => text.replaceAll('"', ''));
    return name === 'SET' || name === 'GET' ? [figures.map(Number)] : [];
  });
  if (code !== 0 || lines.length !== 2) throw new Error(`redis-benchmark against ${subject.name}: ${output}`);
  const mean = (column: number): number => lines.reduce((sum, figures) => sum + figures[column]!, 0) / lines.length;
  const commands = requests * 2;
  return {
    commands,
    callsPerSecond: mean(0),
    p50Us: mean(3) * 1_000,
    p99Us: mean(5) * 1_000,
    cpuUsPerCall: pid === null ? null : (afterNs - beforeNs) / 1_000 / commands,
    residentMiB: pid === null ? null : residentBytes(pid) / 2 ** 20,
  };
}

function toRow(subject: string, inFlight: number, samples: readonly Sample[]): Row {
  const median = (values: readonly (number | null)[]): number | null => {
    const known = values.filter((value) => value !== null).toSorted((a, b) => a - b);
    return known[known.length >> 1] ?? null;
  };
  return {
    subject,
    callers,
    inFlight,
    payloadBytes,
    calls: samples.reduce((sum, sample) => sum + sample.commands, 0),
    failures: 0,
    firstFailure: null,
    callsPerSecond: median(samples.map((sample) => sample.callsPerSecond))!,
    p50Us: median(samples.map((sample) => sample.p50Us))!,
    p99Us: median(samples.map((sample) => sample.p99Us))!,
    cpuUsPerCall: median(samples.map((sample) => sample.cpuUsPerCall)),
    residentMiB: median(samples.map((sample) => sample.residentMiB)),
    rounds: samples,
  };
}

async function startNutcracker(redisPort: number, directory: string): Promise<{ child: Child; port: number }> {
  const [port, statsPort] = await Promise.all([freePort(), freePort()]);
  const config = join(directory, 'nutcracker.yml');
  await writeFile(
    config,
    [
      'bench:',
      `  listen: 127.0.0.1:${port}`,
      '  hash: fnv1a_64',
      '  distribution: ketama',
      '  redis: true',
      '  servers:',
      `   - 127.0.0.1:${redisPort}:1`,
      '',
    ].join('\n'),
  );
  const files = ['-o', join(directory, 'nutcracker.log'), '-p', join(directory, 'nutcracker.pid')];
  const child = new Child('nutcracker', Core.proxy, 'nutcracker', ['-c', config, '-s', `${statsPort}`, ...files]);
  await child.until(() => connects(port));
  return { child, port };
}

/** Two routes and statistics; redis_proxy has no access log. */
const redisProxyFilter: object = {
  name: 'envoy.filters.network.redis_proxy',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.redis_proxy.v3.RedisProxy',
    stat_prefix: 'bench',
    settings: { op_timeout: '5s' },
    prefix_routes: { routes: [{ prefix: 'other:', cluster: 'echo' }], catch_all_route: { cluster: 'echo' } },
  },
};

async function connects(port: number): Promise<true> {
  const socket = createConnection(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } finally {
    socket.destroy();
  }
}
