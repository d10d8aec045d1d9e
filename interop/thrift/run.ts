/**
 * Thrift between languages: Python clients of every transport and protocol call a Python server, and 64 callers a Java thread-pool server, first
 * directly and then through the mesh. What works directly must work through the mesh.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child, Core } from '../../bench/child.ts';
import { startMeltemi } from '../../bench/proxies/meltemi.ts';
import { type Row, runRounds } from '../../bench/rounds.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { installJava, installPython } from '../parts.ts';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const to = (host: string, subset: string) => [{ destination: { host, subset } }];
const subsets = ['v1', 'gone'].map((name) => ({ name, labels: { version: name } }));

/** Not a benchmark: whoever has time may run. */
const unpinned = { control: Core.any, proxy: Core.any };

const handlerMs = 100;
const callers = 64;
/** Share of the direct throughput that 64 callers must reach through the mesh. */
const throughputFloor = 0.9;

export async function interopThrift(): Promise<boolean> {
  const directory = await mkdtemp(join(tmpdir(), 'meltemi-interop-'));
  try {
    const python = await pythonClients(directory);
    const java = await javaThreadPool(directory);
    return python && java;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function pythonClients(directory: string): Promise<boolean> {
  console.log('Python clients and server: installing thrift');
  const python = await installPython(['thrift==0.25.0']);
  const host = 'wind.interop.example';
  const children: Child[] = [];
  try {
    const server = new Child('python server', Core.any, python, ['-B', path('./python/server.py')]);
    children.push(server);
    const upstreamPort = Number(await server.firstLine());
    const mesh = await startMeltemi(
      'python',
      {
        host,
        upstreamPort,
        policy: { subsets },
        endpoints: [
          { address: '127.0.0.1', labels: { version: 'gone' }, ports: { 'tcp-metaprotocol-thrift': await freePort() } },
        ],
        routes: [
          { name: 'gone', match: { attributes: { method: { exact: 'warning' } } }, route: to(host, 'gone') },
          { name: 'marked', route: to(host, 'v1'), requestMutation: [{ key: 'sea', value: 'aegean' }] },
        ],
      },
      directory,
      unpinned,
    );
    children.push(mesh.control, mesh.proxy);
    const runs = [
      { title: 'direct', port: upstreamPort, flags: [] },
      { title: 'through the mesh', port: mesh.port, flags: ['--mesh'] },
    ];
    return runs
      .map(({ title, port, flags }) => {
        console.log(`\nPython clients, ${title}`);
        const args = ['-B', path('./python/client.py'), '127.0.0.1', String(port), ...flags];
        return spawnSync(python, args, { stdio: 'inherit' }).status === 0;
      })
      .every(Boolean);
  } finally {
    await Promise.all(children.map((child) => child.end()));
  }
}

async function javaThreadPool(directory: string): Promise<boolean> {
  console.log(`\nJava TThreadPoolServer with a ${handlerMs} ms handler, ${callers} callers: installing libthrift`);
  const classPath = await installJava(path('./java'), 'java');
  const host = 'echo.interop.example';
  const children: Child[] = [];
  try {
    const java = ['-Xmx256m', '-cp', classPath, 'meltemi.EchoServer', String(handlerMs)];
    const server = new Child('java server', Core.any, 'java', java);
    children.push(server);
    const upstreamPort = Number(await server.firstLine());
    const load = Child.script('load', Core.any, path('../../bench/load.ts'), ['thrift']);
    children.push(load);
    const mesh = await startMeltemi(
      'java',
      {
        host,
        upstreamPort,
        policy: { subsets: subsets.slice(0, 1) },
        routes: [{ name: 'all', route: to(host, 'v1') }],
      },
      directory,
      unpinned,
    );
    children.push(mesh.control, mesh.proxy);

    const subjects = [
      { name: 'direct', port: upstreamPort, proxy: null },
      { name: 'through the mesh', port: mesh.port, proxy: mesh.proxy },
    ];
    const plan = { rounds: 3, warmUpMs: 500, measureMs: 1500 };
    const rows = await runRounds(plan, load, subjects, [{ callers, inFlight: 1, payloadBytes: 100 }], () => {});
    for (const { subject, callsPerSecond, p99Us, failures, firstFailure } of rows) {
      const rate = `${callsPerSecond.toFixed(0)} calls/s, p99 ${(p99Us / 1000).toFixed(1)} ms`;
      console.log(`  ${subject}: ${rate}, ${failures} failed${firstFailure === null ? '' : `: ${firstFailure}`}`);
    }
    const [direct, meshed] = rows as [Row, Row];
    const share = meshed.callsPerSecond / direct.callsPerSecond;
    console.log(`  throughput through the mesh: ${share.toFixed(3)} × direct, at least ${throughputFloor} expected`);
    return share >= throughputFloor && direct.failures + meshed.failures === 0;
  } finally {
    await Promise.all(children.map((child) => child.end()));
  }
}
