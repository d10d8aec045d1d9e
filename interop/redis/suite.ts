/** Redis's own test suite, of the source package that belongs to the installed redis-server, run against any host and port. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { partsDirectory } from '../parts.ts';

const run = promisify(execFile);

const TYPES = ['string', 'hash', 'list', 'set', 'zset', 'stream'].map((type) => `type/${type}`);
/** Units that need nothing but one server. */
export const SUITE_UNITS = ['protocol', 'multi', 'pubsub', 'scan', 'expire', 'keyspace', ...TYPES];
/** Of one run, which takes about two minutes. */
const DEADLINE_MS = 480_000;
/** What the suite's tests need of their server. */
export const SUITE_SERVER_FLAGS = ['--enable-debug-command', 'yes', '--enable-protected-configs', 'yes'];

export interface SuiteResult {
  /** Names, in the order of the run. */
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  /** It ended by itself, with success. */
  readonly complete: boolean;
  readonly log: string;
}

/** Unpacks the suite into a git-ignored folder, once; null, and a line that says why: it cannot be had here. */
export async function installSuite(): Promise<string | null> {
  const parts = join(partsDirectory, 'redis');
  await mkdir(parts, { recursive: true });
  const found = await suiteIn(parts);
  if (found !== null) return found;
  for (const tool of ['apt-get', 'tclsh', 'redis-server', 'redis-cli', 'redis-benchmark']) {
    // tclsh knows no --version, so what matters is that it starts.
    if (spawnSync(tool, ['--version'], { input: '' }).error !== undefined) {
      console.log(`  ${tool} is missing: apt-get install redis-server redis-tools tcl`);
      return null;
    }
  }
  // The machine's own sources, as sources of source packages; its lists stay as they are.
  const apt = await sourcesOf(parts);
  await run('apt-get', [...apt, 'update', '-qq']);
  await run('apt-get', [...apt, 'source', '-qq', '--download-only', 'redis'], { cwd: parts });
  const archive = (await readdir(parts)).find((name) => /^redis_.*\.orig\.tar\.gz$/.test(name));
  if (archive === undefined) {
    console.log('  apt-get source redis brought no archive');
    return null;
  }
  await run('tar', ['xzf', archive], { cwd: parts });
  return suiteIn(parts);
}

async function suiteIn(parts: string): Promise<string | null> {
  const name = (await readdir(parts)).find((each) => /^redis-\d/.test(each));
  if (name === undefined) return null;
  const suite = join(parts, name);
  // The suite looks for the programs that it was built with.
  for (const program of ['redis-server', 'redis-cli', 'redis-benchmark']) {
    const link = join(suite, 'src', program);
    const { stdout } = spawnSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' });
    if (!existsSync(link)) await symlink(stdout.trim(), link);
  }
  return suite;
}

async function sourcesOf(parts: string): Promise<string[]> {
  const lists = join(parts, 'lists');
  await mkdir(join(lists, 'partial'), { recursive: true });
  const folder = '/etc/apt/sources.list.d';
  const files = (existsSync(folder) ? await readdir(folder) : []).filter((name) => /\.(sources|list)$/.test(name));
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')));
  const old = existsSync('/etc/apt/sources.list') ? await readFile('/etc/apt/sources.list', 'utf8') : '';
  const deb822 = texts
    .filter((text) => text.includes('Types:'))
    .map((text) => text.replace(/^Types:.*$/gm, 'Types: deb-src'));
  const lines = [old, ...texts.filter((text) => !text.includes('Types:'))].map((text) =>
    text.replace(/^deb /gm, 'deb-src '),
  );
  await writeFile(join(parts, 'suite.sources'), deb822.join('\n\n'));
  await writeFile(join(parts, 'suite.list'), lines.join('\n'));
  const source = deb822.length > 0 ? 'suite.sources' : 'suite.list';
  return [
    ...['-o', `Dir::Etc::sourcelist=${join(parts, source)}`],
    ...['-o', 'Dir::Etc::sourceparts=-'],
    ...['-o', `Dir::State::lists=${lists}`],
  ];
}

/** The slow tests are left out. */
export async function runSuite(suite: string, host: string, port: number): Promise<SuiteResult> {
  const units = SUITE_UNITS.flatMap((unit) => ['--single', `unit/${unit}`]);
  const args = ['--host', host, '--port', `${port}`, '--singledb', ...units, '--clients', '1', '--tags', '-slow'];
  const child = spawn('./runtest', args, { cwd: suite, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      log += chunk.toString();
    });
  }
  // The suite's own processes too: they are the group that it leads.
  const deadline = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), DEADLINE_MS);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(deadline);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the suite colours its output
  const plain = log.replace(/\x1b\[[0-9;]*m/g, '');
  const named = (sign: string): string[] =>
    [...plain.matchAll(new RegExp(`^\\[${sign}\\]: (.*?)(?: \\(\\d+ ms\\))?$`, 'gm'))].map((match) => match[1]!);
  return {
    passed: named('ok'),
    failed: [...named('err'), ...named('exception')],
    complete: code === 0 && plain.includes('All tests passed without errors'),
    log: plain,
  };
}
