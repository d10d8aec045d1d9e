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
import type { LoadJob, LoadResult } from '../../bench/load-job.ts';
import { startMeltemi } from '../../bench/proxies/meltemi.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { installJava, installPython } from '../parts.ts';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const to = (host: string, subset: string) => [{ destination: { host, subset } }];
const subsets = ['v1', 'gone'].map((name) => ({ name, labels: { version: name } }));

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
    const server = new Child('python server', Core.load, python, ['-B', path('./python/server.py')]);
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
    const server = new Child('java server', Core.load, 'java', java);
    children.push(server);
    const upstreamPort = Number(await server.firstLine());
    const load = Child.script('load', Core.load, path('../../bench/thrift/load.ts'));
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
    );
    children.push(mesh.control, mesh.proxy);

    const job = { callers, inFlight: 1, payloadBytes: 100, warmUpMs: 1000, measureMs: 4000, proxyPid: null };
    const measure = (port: number) => load.ask<LoadResult>({ ...job, port } satisfies LoadJob);
    const direct = await measure(upstreamPort);
    const meshed = await measure(mesh.port);
    const share = meshed.callsPerSecond / direct.callsPerSecond;
    for (const [title, result] of Object.entries({ direct, 'through the mesh': meshed })) {
      const { callsPerSecond, p99Us, failures, firstFailure } = result;
      const rate = `${callsPerSecond.toFixed(0)} calls/s, p99 ${(p99Us / 1000).toFixed(1)} ms`;
      console.log(`  ${title}: ${rate}, ${failures} failed${firstFailure === null ? '' : `: ${firstFailure}`}`);
    }
    console.log(`  throughput through the mesh: ${share.toFixed(3)} × direct, at least ${throughputFloor} expected`);
    return share >= throughputFloor && direct.failures + meshed.failures === 0;
  } finally {
    await Promise.all(children.map((child) => child.end()));
  }
}
