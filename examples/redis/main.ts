/**
 * The Redis example: two redis-servers, a mesh, and a caller that shows where its keys are.
 * `npm run example -- redis` exits with 1 if anything is not where the page says.
 */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { startDemoMesh } from '../../src/cli/demo.ts';
import { hasRedisServer, type RedisServer, startRedis } from './redis-server.ts';

const CONFIG = fileURLToPath(new URL('./config', import.meta.url));

/** What a caller sees, and what the two servers hold then. */
export interface Seen {
  readonly session: string | null;
  readonly page: string | null;
  readonly bothAtOnce: string;
  readonly cacheKeys: string[];
  readonly sessionKeys: string[];
}

export const EXPECTED: Seen = {
  session: 'logged in',
  page: '<html>',
  bothAtOnce: 'CROSSSLOT',
  cacheKeys: ['page:1'],
  sessionKeys: ['ann', 'page:1'],
};

/** Runs the example against servers and a mesh of its own. */
export async function runExample(show: (line: string) => void): Promise<Seen> {
  const directory = await mkdtemp(join(tmpdir(), 'meltemi-redis-example-'));
  const servers: RedisServer[] = [];
  const clients: Redis[] = [];
  const connect = (port: number, host = '127.0.0.1'): Redis => {
    const client = new Redis(port, host, { maxRetriesPerRequest: 1 });
    clients.push(client);
    return client;
  };
  try {
    const [cachePort, sessionsPort] = await Promise.all([freePort(), freePort()]);
    servers.push(await startRedis(cachePort), await startRedis(sessionsPort));
    await copyConfig(directory, cachePort, sessionsPort);
    const mesh = await startDemoMesh(directory);
    try {
      const [host, port] = (await mesh.whereToConnect('cache.aegean.example', 6379)).split(':');
      show(`cache.aegean.example is at ${host}:${port}`);
      const caller = connect(Number(port), host);
      await caller.set('session:ann', 'logged in');
      await caller.set('page:1', '<html>');
      const session = await caller.get('session:ann');
      show(`GET session:ann -> ${session}`);
      const page = await caller.get('page:1');
      show(`GET page:1 -> ${page}`);
      const bothAtOnce = await caller.mget('page:1', 'session:ann').then(String, (error: Error) => error.message);
      show(`MGET page:1 session:ann -> ${bothAtOnce}`);
      const [cache, sessions] = [connect(cachePort), connect(sessionsPort)];
      // The mirror's answer is nobody's, so nobody waited for it.
      for (let tries = 0; (await sessions.exists('page:1')) === 0 && tries < 100; tries++) await sleep(10);
      const cacheKeys = (await cache.keys('*')).sort();
      const sessionKeys = (await sessions.keys('*')).sort();
      show(`keys of the cache's server: ${cacheKeys.join(', ')}`);
      show(`keys of the sessions' server: ${sessionKeys.join(', ')}`);
      return { session, page, bothAtOnce: bothAtOnce.split(' ', 1)[0]!, cacheKeys, sessionKeys };
    } finally {
      for (const client of clients) client.disconnect();
      await mesh.close();
    }
  } finally {
    for (const server of servers) await server.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** The example's own configuration, its servers at free ports. */
async function copyConfig(directory: string, cachePort: number, sessionsPort: number): Promise<void> {
  await cp(CONFIG, directory, { recursive: true });
  const file = join(directory, 'services.yaml');
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace('7101', `${cachePort}`).replace('7102', `${sessionsPort}`));
}

/** False: something is not where the example's page says. There is nothing to wait for, so it is the same with `--check`. */
export async function run(): Promise<boolean> {
  if (!hasRedisServer()) return false;
  const seen = await runExample(console.log);
  const right = JSON.stringify(seen) === JSON.stringify(EXPECTED);
  if (!right) console.log(`expected ${JSON.stringify(EXPECTED)}, got ${JSON.stringify(seen)}`);
  return right;
}
