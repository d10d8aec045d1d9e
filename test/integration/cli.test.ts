/** The command line as a process: exit codes, help, and a mesh that is started and told to stop. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort, MeshBench, routerYaml, save, serviceYaml, until } from './mesh-fixture.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

describe('meltemi', () => {
  let bench: MeshBench;
  beforeEach(() => {
    bench = new MeshBench();
  });
  afterEach(() => bench.close());

  function start(...argv: readonly string[]) {
    const child: ChildProcess = spawn(process.execPath, [MAIN, ...argv]);
    const said = { out: '', err: '' };
    child.stdout!.on('data', (chunk) => {
      said.out += chunk;
    });
    child.stderr!.on('data', (chunk) => {
      said.err += chunk;
    });
    const exited = once(child, 'close').then(([code]) => code as number);
    bench.onClose(() => child.exitCode === null && child.kill('SIGKILL'));
    return { child, said, exited };
  }

  async function run(...argv: readonly string[]) {
    const { said, exited } = start(...argv);
    return { code: await exited, ...said };
  }

  it('exits with 2 and says how it is called when called wrongly', async () => {
    const [none, unknown, missing, wrong] = await Promise.all([
      run(),
      run('fly'),
      run('up'),
      run('proxy', '--xds', 'x'),
    ]);
    expect([none.code, unknown.code, missing.code, wrong.code]).toEqual([2, 2, 2, 2]);
    expect(none.out).toContain('Exit codes: 0');
    expect(unknown.err).toContain('expected one of up, control, proxy');
    expect((await run('statsu')).err).toContain('(did you mean status?)');
    expect(missing.err).toContain('-f DIR is missing');
    expect(wrong.err).toContain('expected HOST:PORT');
  });

  it('has help with examples for every command', async () => {
    const commands = ['up', 'control', 'proxy', 'status', 'validate', 'demo'];
    const helps = await Promise.all(commands.map((command) => run(command, '--help')));
    for (const [index, { code, out }] of helps.entries()) {
      expect(code).toBe(0);
      expect(out).toContain(`Examples:\n  meltemi ${commands[index]}`);
    }
  });

  it('validates a folder and exits with 1 when something is wrong', async () => {
    const backend = { port: 9, name: 'v1', calls: 0, cut: () => {} };
    const folder = await bench.folder({ 'a.yaml': serviceYaml(9_090, [backend]) });
    expect((await run('validate', '-f', folder)).code).toBe(0);
    await save(folder, 'b.yaml', routerYaml({ nowhere: 1 }));
    const { code, out } = await run('validate', '-f', folder);
    expect(code).toBe(1);
    expect(out).toContain('b.yaml');
    await save(folder, 'b.yaml', '#'.repeat(4_194_305));
    expect((await run('validate', '-f', folder)).out).toContain(
      'b.yaml:1: error: actual "file of 4194305 bytes > the limit',
    );
    expect((await run('validate', '-f', join(folder, 'no such folder'))).code).toBe(1);
  });

  it('says that no control plane answers', async () => {
    const { code, err } = await run('status', '--admin', `127.0.0.1:${await freePort()}`);
    expect(code).toBe(1);
    expect(err).toContain('no control plane answers');
  });

  it('has nothing to complain of when a plugin brings the protocol of the folder', async () => {
    const plugin = fileURLToPath(new URL('../../plugins/echo-rpc', import.meta.url));
    const folder = await bench.folder();
    const service = await readFile(join(plugin, 'mesh/service.yaml'), 'utf8');
    await save(folder, 'service.yaml', service.replaceAll('9300', `${await freePort()}`));
    const [listen, admin, proxyAdmin] = await Promise.all([freePort(), freePort(), freePort()]);
    const options = ['--listen', `${listen}`, '--admin', `${admin}`, '--proxy-admin', `${proxyAdmin}`];
    const { child, said, exited } = start('up', '-f', folder, '--plugin', join(plugin, 'codec.ts'), ...options);
    await until(() => said.out.includes('Ctrl-C ends'));
    child.kill('SIGTERM');
    expect([await exited, said.err]).toEqual([0, '']);
    expect(said.out).toContain('applied on 1 of 1 proxy');
  });

  it('ends at the first signal where nothing has to end in order', async () => {
    const folder = await bench.folder();
    const samples = fileURLToPath(new URL('../../plugins/echo-rpc/samples', import.meta.url));
    const codec = join(samples, '../codec.ts');
    const measuring = start('codec', 'bench', codec, '--samples', samples, '--messages', '100000000');
    await until(() => measuring.said.out.includes('times each'));
    await save(folder, 'slow.ts', 'await new Promise((resolve) => setTimeout(resolve, 60_000));');
    const admin = await freePort();
    await save(folder, 'proxy.yaml', `xds: 127.0.0.1:1\nadmin: ${admin}\nplugin: ./slow.ts\n`);
    const loading = start('proxy', '--config', join(folder, 'proxy.yaml'));
    await until(async () => (await fetch(`http://127.0.0.1:${admin}/ready`).catch(() => null)) !== null);
    for (const { child } of [measuring, loading]) child.kill('SIGINT');
    await Promise.all([measuring.exited, loading.exited]);
    expect([measuring, loading].map(({ child }) => child.signalCode)).toEqual(['SIGINT', 'SIGINT']);
  });

  it('goes on, and has the same verdict, when nobody reads what it says', async () => {
    const plugin = fileURLToPath(new URL('../../plugins/echo-rpc', import.meta.url));
    const { child, said, exited } = start(
      'codec',
      'test',
      join(plugin, 'codec.ts'),
      '--samples',
      join(plugin, 'samples'),
    );
    child.stdout!.destroy();
    expect([await exited, said.err]).toEqual([0, '']);
  });

  it('starts a mesh, says where to connect, logs each call, drains and exits with 0', async () => {
    const [backend, port, xds, admin, proxyAdmin] = await Promise.all([
      bench.backend('v1', 300),
      freePort(),
      freePort(),
      freePort(),
      freePort(),
    ]);
    const folder = await bench.folder({ 'a.yaml': serviceYaml(port, [backend]) });
    const log = join(await bench.folder(), 'access.log');
    const { child, said, exited } = start(
      ...['up', '-f', folder, '--workers', '2', '--access-log', log, '--listen', `${xds}`],
      ...['--admin', `${admin}`, '--proxy-admin', `${proxyAdmin}`],
    );
    await until(() => said.out.includes('Ctrl-C'));
    expect(said.out).toContain(`connect to 127.0.0.1:${port}`);
    const status = await run('status', '--admin', `${admin}`);
    expect(status.out).toContain('applied on 1 of 1 proxy');
    const { wind } = await bench.caller(port);
    await wind.forecast('Syros');
    const last = wind.forecast('Syros');
    await until(() => backend.calls === 2);
    child.kill('SIGTERM');
    expect((await last).servedBy).toBe('v1');
    expect(await exited).toBe(0);
    const lines = (await readFile(log, 'utf8')).split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toContain('thrift');
    expect(said.err).toBe('');
  });
});
