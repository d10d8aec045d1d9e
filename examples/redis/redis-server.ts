/** Finds a redis-server, installs one where there is none, and starts it for as long as it is wanted. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const INSTALL = fileURLToPath(new URL('../../scripts/install-redis-server.sh', import.meta.url));
/** `.ci/run` counts a line that begins so as a failure. */
const SKIPPED = 'SKIPPED redis:';

/** Is there a redis-server now? Says in one line what is missing where there is none. */
export function hasRedisServer(): boolean {
  if (runs()) return true;
  if (spawnSync('sh', [INSTALL], { stdio: 'ignore' }).status === 0 && runs()) return true;
  console.log(
    `${SKIPPED} no redis-server on the PATH and scripts/install-redis-server.sh could not install one; install the package redis-server (Debian) or redis`,
  );
  return false;
}

function runs(): boolean {
  return spawnSync('redis-server', ['--version']).status === 0;
}

export interface RedisServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Keeps nothing on disk. `flags`: more of redis-server's own. Resolves when it answers. */
export async function startRedis(port: number, flags: readonly string[] = []): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), 'meltemi-redis-'));
  const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', directory];
  const child = spawn('redis-server', [...args, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-2_000);
    });
  }
  const close = async (): Promise<void> => {
    await ended(child);
    await rm(directory, { recursive: true, force: true });
  };
  for (let tries = 0; !(await answers(port)); tries++) {
    if (child.exitCode !== null || tries === 200) {
      await close();
      throw new Error(`redis-server on port ${port} does not answer: ${log}`);
    }
    await sleep(25);
  }
  return { port, close };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

async function answers(port: number): Promise<boolean> {
  const socket = net.connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    socket.write('PING\r\n');
    await once(socket, 'data');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
