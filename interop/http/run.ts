/**
 * HTTP by other hands: curl, undici, ab, wrk and a page in Chromium use a Node server, first directly, then through a sidecar and through a
 * router. What they say must be the same; then the memory of both proxies is watched.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child, Core } from '../../bench/child.ts';
import { installNpm } from '../parts.ts';
import { openPage } from './browser.ts';
import { staysSmall } from './memory.ts';
import { startHttpMesh, type Way } from './mesh.ts';
import { curlUses, LOAD_USES, type Uses } from './programs.ts';
import { type Undici, undiciUses } from './undici-uses.ts';

const UNDICI = '8.12.4';
const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const isThere = (program: string) => spawnSync(program, ['--version']).error === undefined;

export async function interopHttp(): Promise<boolean> {
  spawnSync(path('../../scripts/install-http-clients.sh'), { stdio: 'inherit' });
  const directory = await mkdtemp(join(tmpdir(), 'meltemi-interop-'));
  const server = Child.script('server', Core.any, path('./server.ts'));
  try {
    const { port } = await server.message<{ port: number }>();
    const mesh = await startHttpMesh(port, directory);
    try {
      const direct = { name: 'direct', url: `http://127.0.0.1:${port}`, pid: null };
      return await runAll(direct, [mesh.sidecar, mesh.router], directory);
    } finally {
      await mesh.close();
    }
  } finally {
    await server.end();
    await rm(directory, { recursive: true, force: true });
  }
}

async function runAll(direct: Way, ways: readonly Way[], directory: string): Promise<boolean> {
  const file = join(directory, 'upload');
  await writeFile(file, Buffer.alloc(3_000_000, 'upload '));
  const curl = curlUses(file, direct.url);
  let ok = true;
  const compare = async (title: string, program: string | null, uses: Uses) => {
    if (program !== null && !isThere(program)) {
      console.log(`${title}: MISSING, and not installed`);
      ok = false;
    } else if (!(await sameThrough(title, uses, direct, ways))) ok = false;
  };
  await compare('curl', 'curl', curl);
  await compare(`undici ${UNDICI}`, null, undiciUses(await installNpm<Undici>('undici', UNDICI)));
  const { 'wrk, 64 connections': wrk, ...ab } = LOAD_USES;
  await compare('ab', 'ab', ab);
  await compare('wrk', 'wrk', { '64 connections': wrk! });
  await compare('Chromium', 'chromium', {
    'a page with a WebSocket, fetches, an upload and an abort': async (url) => {
      const { title, errors } = await openPage('chromium', `${url}/page`);
      return [title, ...errors].join('\n');
    },
  });
  console.log('memory');
  for (const way of ways) {
    const small = await staysSmall(way, [
      () => curl['a gigabyte down']!(way.url),
      () => curl['a gigabyte up']!(way.url),
    ]);
    ok &&= small;
  }
  return ok;
}

async function sameThrough(title: string, uses: Uses, direct: Way, ways: readonly Way[]): Promise<boolean> {
  let ok = true;
  for (const [name, use] of Object.entries(uses)) {
    const said = await tell(use, direct);
    // Whatever fails directly says nothing of the mesh.
    let right = !said.startsWith('failed');
    for (const way of ways) {
      const through = await tell(use, way);
      if (through === said) continue;
      right = false;
      console.log(`  DIFFERENT ${title}, ${name}\n    directly: ${said}\n    ${way.name}: ${through}`);
    }
    if (!right) console.log(`  FAILED ${title}, ${name}: ${said}`);
    ok &&= right;
  }
  console.log(
    `${title}: ${Object.keys(uses).length} uses ${ok ? 'give the same as directly' : 'tried'}: ${Object.keys(uses).join(', ')}`,
  );
  return ok;
}

/** Addresses differ from way to way, all else must not. */
async function tell(use: (url: string) => Promise<string>, way: Way): Promise<string> {
  try {
    return (await use(way.url)).replaceAll(way.url, 'URL').trim();
  } catch (error) {
    return `failed: ${(error as Error).message}`;
  }
}
