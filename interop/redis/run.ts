/**
 * Redis as it knows itself: its own test suite and stock redis-py, first directly and then through the mesh (one upstream, transparent).
 * What passes directly must pass through the mesh, over connections that its callers share.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Child, Core } from '../../bench/child.ts';
import { startMeltemi } from '../../bench/proxies/meltemi.ts';
import { hasRedisServer, type RedisServer, startRedis } from '../../examples/redis/redis-server.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { installPython } from '../parts.ts';
import { installSuite, runSuite, SUITE_SERVER_FLAGS, SUITE_UNITS, type SuiteResult } from './suite.ts';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const host = 'cache.interop.example';
/** Commands that take a connection of their own; all others must go over shared ones. */
const BINDING = [
  ...['multi', 'watch', 'subscribe', 'psubscribe', 'ssubscribe', 'monitor', 'sync', 'psync', 'wait', 'reset'],
  ...['blpop', 'brpop', 'brpoplpush', 'blmove', 'blmpop', 'bzpopmin', 'bzpopmax', 'bzmpop', 'xread', 'xreadgroup'],
  ...['eval', 'evalsha', 'eval_ro', 'evalsha_ro', 'fcall', 'fcall_ro'],
  ...['client|id', 'client|tracking', 'client|no-evict', 'client|caching', 'readonly', 'readwrite', 'replconf'],
];

interface Through {
  readonly mesh: Child[];
  readonly port: number;
  readonly adminPort: number;
}

export async function interopRedis(): Promise<boolean> {
  if (!hasRedisServer()) return false;
  const directory = await mkdtemp(join(tmpdir(), 'meltemi-interop-'));
  try {
    const python = await pythonClient(directory);
    const suite = await ownSuite(directory);
    return python && suite;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function pythonClient(directory: string): Promise<boolean> {
  console.log('redis-py: installing');
  const python = await installPython(['redis==6.4.0']);
  const run = (port: number): string => {
    const { stdout, stderr, status } = spawnSync(python, ['-B', path('./client.py'), '127.0.0.1', String(port)], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    return status === 0 ? stdout : `${stdout}${stderr}status ${status}`;
  };
  const server = await startRedis(await freePort());
  try {
    const direct = run(server.port);
    const through = await startThrough(server, join(directory, 'python'));
    try {
      const meshed = run(through.port);
      const uses = direct.trim().split('\n').length;
      if (direct === meshed && !direct.includes('status ')) {
        console.log(`  ok: ${uses} uses in RESP2 and RESP3 give the same as directly`);
        return true;
      }
      console.log(`  DIFFERENT\n  directly:\n${direct}\n  through the mesh:\n${meshed}`);
      return false;
    } finally {
      await Promise.all(through.mesh.map((child) => child.end()));
    }
  } finally {
    await server.close();
  }
}

async function ownSuite(directory: string): Promise<boolean> {
  console.log(`Redis's own test suite (${SUITE_UNITS.join(', ')}): installing`);
  const suite = await installSuite();
  if (suite === null) return false;
  const onServer = async <T>(use: (server: RedisServer) => Promise<T>): Promise<T> => {
    const server = await startRedis(await freePort(), SUITE_SERVER_FLAGS);
    try {
      return await use(server);
    } finally {
      await server.close();
    }
  };
  const direct = await onServer(({ port }) => runSuite(suite, '127.0.0.1', port));
  report('directly', direct);
  return await onServer(async (server) => {
    const through = await startThrough(server, join(directory, 'suite'));
    try {
      const meshed = await runSuite(suite, '127.0.0.1', through.port);
      report('through the mesh', meshed);
      const [wanted, got] = [[...direct.passed].sort(), [...meshed.passed].sort()];
      const missing = wanted.filter((name) => !got.includes(name));
      for (const name of [...missing, ...meshed.failed].slice(0, 20)) console.log(`  MISSING: ${name}`);
      const shares = await sharedConnections(server.port, through.adminPort);
      return direct.complete && meshed.complete && missing.length === 0 && wanted.length === got.length && shares;
    } finally {
      await Promise.all(through.mesh.map((child) => child.end()));
    }
  });
}

function report(title: string, { passed, failed, complete }: SuiteResult): void {
  console.log(`  ${title}: ${passed.length} tests passed, ${failed.length} failed${complete ? '' : ', NOT COMPLETE'}`);
}

/** Binding everyone would pass the suite too, so what was bound is counted. */
async function sharedConnections(serverPort: number, adminPort: number): Promise<boolean> {
  const { stdout } = spawnSync('redis-cli', ['-p', String(serverPort), 'info', 'commandstats'], { encoding: 'utf8' });
  const calls = [...stdout.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(
    ([, name, count]) => [name!, Number(count)] as const,
  );
  const binding = calls.filter(([name]) => BINDING.includes(name)).reduce((sum, [, count]) => sum + count, 0);
  const text = await (await fetch(`http://127.0.0.1:${adminPort}/stats/prometheus`)).text();
  const metric = (name: string): number =>
    text
      .split('\n')
      .filter((line) => line.startsWith(`meltemi_${name}{`))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  const [requests, bindings] = [metric('upstream_requests_total'), metric('upstream_bindings_total')];
  const [callers, opened] = [metric('downstream_connections_total'), metric('upstream_connections_opened_total')];
  console.log(
    `  ${callers} callers, ${requests} commands, ${bindings} of them took a connection of their own (at most ${binding} may), ${opened} connections opened`,
  );
  return bindings <= binding && opened < callers / 4;
}

async function startThrough({ port: upstreamPort }: RedisServer, directory: string): Promise<Through> {
  const cores = { control: Core.any, proxy: Core.any };
  const routes = [{ name: 'all', route: [{ destination: { host } }] }];
  const service = { host, protocol: 'redis', upstreamPort, routes, policy: {} };
  const mesh = await startMeltemi('redis', service, directory, cores);
  return { mesh: [mesh.control, mesh.proxy], port: mesh.port, adminPort: mesh.adminPort };
}
