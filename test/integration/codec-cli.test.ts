/** `meltemi codec` as a process, from an empty folder far from the checkout. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'meltemi-codec-'));
  expect((await codec(['new', 'island-rpc'])).code).toBe(0);
});
afterAll(() => rm(directory, { recursive: true }));

async function codec(argv: readonly string[], input = ''): Promise<{ code: number; out: string; err: string }> {
  const child = spawn(process.execPath, [MAIN, 'codec', ...argv], { cwd: directory });
  const said = { out: '', err: '' };
  child.stdout.on('data', (chunk) => {
    said.out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    said.err += chunk;
  });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number];
  return { code, ...said };
}

describe('meltemi codec', () => {
  it('makes a folder whose codec conforms, under the name that was asked for', async () => {
    const { code, out } = await codec([
      'test',
      'island-rpc/codec.ts',
      '--samples',
      'island-rpc/samples',
      '--fuzz',
      '200',
    ]);
    expect(out).toContain('island-rpc 1.0.0 conforms (27 passed, 7 not applicable, seed 1)');
    expect(code).toBe(0);
    const files = ['codec.ts', 'README.md', 'package.json', 'mesh/service.yaml'];
    for (const file of files)
      expect(await readFile(join(directory, 'island-rpc', file), 'utf8')).not.toContain('echo-rpc');
  });

  it('makes a test that the own test runner of Node takes', async () => {
    // As npm would have installed it: the package by its name.
    const modules = join(directory, 'node_modules', 'meltemi');
    await mkdir(modules, { recursive: true });
    const source = (path: string) => fileURLToPath(new URL(`../../src/${path}`, import.meta.url));
    const entry = (path: string) => `export * from ${JSON.stringify(source(path))};\n`;
    await writeFile(join(modules, 'codec.js'), entry('sdk/codec.ts'));
    await writeFile(join(modules, 'conformance.js'), entry('conformance/conformance.ts'));
    const exports = { './codec': './codec.js', './conformance': './conformance.js' };
    await writeFile(join(modules, 'package.json'), JSON.stringify({ name: 'meltemi', type: 'module', exports }));
    const runner = spawn(process.execPath, ['--test', '--test-reporter=tap'], { cwd: join(directory, 'island-rpc') });
    let said = '';
    runner.stdout.on('data', (chunk) => {
      said += chunk;
    });
    const [code] = (await once(runner, 'close')) as [number];
    expect(said).toContain('# pass 34');
    expect(code).toBe(0);
  });

  it('exits with 1 when a check fails, and reports for machines', async () => {
    const source = await readFile(join(directory, 'island-rpc/codec.ts'), 'utf8');
    await writeFile(join(directory, 'wrong.ts'), source.replace("of: 'body'", "of: 'frame'"));
    const run = await codec([
      'test',
      'wrong.ts',
      '--samples',
      'island-rpc/samples',
      '--fuzz',
      '0',
      '--json',
      '--junit',
      'j.xml',
      '--doc',
      'page.md',
    ]);
    expect(run.code).toBe(1);
    const { passed, results } = JSON.parse(run.out) as {
      passed: boolean;
      results: { name: string; verdict: string }[];
    };
    expect(passed).toBe(false);
    expect(results.filter(({ verdict }) => verdict === 'failed').map(({ name }) => name)).toContain('golden-requests');
    expect(await readFile(join(directory, 'j.xml'), 'utf8')).toContain(
      '<testsuite name="island-rpc" tests="34" failures="',
    );
    expect(await readFile(join(directory, 'page.md'), 'utf8')).toMatch(
      /^# island-rpc\n(?:.*\n)*?\| `golden-requests` \|/,
    );
  });

  it('decodes digits from standard input and files, with offsets', async () => {
    const said = await codec(
      ['decode', '--codec', 'island-rpc/codec.ts', '-'],
      'ec01 0000 0000000000000009 00000007 0003 736179 0000',
    );
    expect(said.out).toBe(`request at byte 0, 23 bytes
        0  magic   ec01  [ec01]
        2  kind    request  [00]
        4  id      9  [0000000000000009]
       12  length  7  [00000007]
       16  method  say  [0003736179]
`);
    expect(said.code).toBe(0);
    const slip = await codec(['decode', '--codec', 'dubo', '-'], 'dabb');
    expect(slip.err).toMatch(
      /no package of that name is installed for .*; built in are dubbo, http1, redis, tcp, thrift\n$/,
    );
    expect(slip.code).toBe(1);
    const file = await codec(['decode', '--codec', 'island-rpc/codec.ts', 'island-rpc/samples/ping.heartbeat.hex']);
    expect(file.out).toContain('kind    heartbeat');
  });

  it('measures', async () => {
    const { code, out } = await codec([
      'bench',
      'island-rpc/codec.ts',
      '--samples',
      'island-rpc/samples',
      '--messages',
      '1000',
    ]);
    expect(out).toMatch(/say \(63 \+ 40 bytes\): \d+ ns, \d+ bytes allocated/);
    expect(code).toBe(0);
  });

  it('prints commands that can be copied, whatever the folder is called', async () => {
    const { out } = await codec(['new', 'sea-rpc', '--directory', "the sea's/codec"]);
    expect(out).toContain(
      `meltemi codec test 'the sea'\\''s/codec/codec.ts' --samples 'the sea'\\''s/codec/samples'\n`,
    );
  });

  it.each([
    [['new', 'island-rpc'], 'island-rpc exists already'],
    [['new', 'Island'], '"Island": expected lower case letters, digits and dashes'],
    [
      ['new', 'island-'],
      '"island-": expected lower case letters, digits and dashes, at most 46, a letter first and no dash at the end',
    ],
    [['new', 'a'.repeat(47)], 'at most 46, a letter first and no dash at the end'],
    [['new', 'http'], 'http: a protocol of that name is built in; a proxy takes no second one'],
    [['fly'], 'fly: expected one of new, test, decode, bench'],
    [['test'], 'expected a codec: FILE, PACKAGE or NAME'],
    [['decode', 'x.hex'], '--codec CODEC is missing'],
    [['decode', '--codec', 'http1', '--responses', '-'], 'how far a response of http1 goes depends on what was asked'],
  ])('says how it was called wrongly: %j', async (argv, message) => {
    const { code, err } = await codec(argv);
    expect(err).toContain(message);
    expect(code).toBe(2);
  });
});
