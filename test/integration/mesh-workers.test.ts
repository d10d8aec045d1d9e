/** Several workers: one configuration, one set of counters, and a death that the others do not notice. */
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ProxyProcess } from '../../src/proxy/proxy-process.ts';
import { type SpawnWorker, spawnThread, type WorkerHandle } from '../../src/proxy/workers/worker-handle.ts';
import { freePort, MeshBench, routerYaml, save, serviceYaml, until } from './mesh-fixture.ts';

async function admin(proxy: ProxyProcess, path: string, method = 'GET'): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${proxy.adminAddress!.port}${path}`, { method });
  return response.text();
}

/** Sum of a metric's series. */
async function metric(proxy: ProxyProcess, name: string): Promise<number> {
  const text = await admin(proxy, '/stats/prometheus');
  const series = text.split('\n').filter((line) => line.startsWith(`meltemi_${name}`));
  return series.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

describe('two workers', () => {
  let bench: MeshBench;
  let handles: WorkerHandle[];
  const spawn: SpawnWorker = (start, events) => {
    const handle = spawnThread(start, events);
    handles.push(handle);
    return handle;
  };
  beforeEach(() => {
    bench = new MeshBench();
    handles = [];
  });
  afterEach(() => bench.close());

  async function start() {
    const { port, folder } = await bench.twoVersions();
    const control = await bench.controlPlane(folder);
    const proxy = await bench.proxy(control.xdsAddress.port, { workers: 2, spawn });
    return { proxy, port, folder };
  }

  it('swap together and count together', async () => {
    const { proxy, port, folder } = await start();
    const load = await bench.load(port, 32);
    await load.nextBy('v1');
    const clusters = JSON.parse(await admin(proxy, '/clusters')) as {
      clusters: { endpoints: { connections: number }[] }[];
    }[];
    const connections = clusters.map(({ clusters: list }) =>
      list.flatMap(({ endpoints }) => endpoints).reduce((sum, endpoint) => sum + endpoint.connections, 0),
    );
    // Both serve: 32 connections all on one side is a chance of 1 in 2^31.
    expect(connections.every((count) => count > 0)).toBe(true);
    await save(folder, 'router.yaml', routerYaml({ v2: 100 }));
    await load.nextBy('v2');
    await sleep(200);
    const v1Answers = load.answeredBy('v1');
    await sleep(200);
    await load.stop();
    expect(load.answeredBy('v1')).toBe(v1Answers);
    expect({ failed: load.failed, closed: load.closed }).toEqual({ failed: 0, closed: 0 });
    expect(await metric(proxy, 'route_requests_total')).toBe(load.answered);
  });

  it('bring a killed worker back within a second, while the calls of the other go on', async () => {
    const { proxy, port } = await start();
    const load = await bench.load(port, 32);
    await load.nextBy('v1');
    const before = await metric(proxy, 'route_requests_total');
    const killedAt = performance.now();
    handles[1]!.post({ type: 'commit', round: -1 });
    await until(() => load.closed > 0);
    const survivors = 32 - load.closed;
    expect(survivors).toBeGreaterThan(0);
    await until(async () => (await metric(proxy, 'worker_restarts_total')) === 1);
    await until(async () => (JSON.parse(await admin(proxy, '/clusters')) as object[]).length === 2);
    const backMs = performance.now() - killedAt;
    console.log(`killed worker back after ${backMs.toFixed(0)} ms`);
    expect(backMs).toBeLessThan(3_000);
    const closed = load.closed;
    const failed = load.failed;
    // New connections reach the new worker too.
    const more = await bench.load(port, 32);
    await more.nextBy('v1');
    await sleep(200);
    await Promise.all([load.stop(), more.stop()]);
    expect(load.closed).toBe(closed);
    // Only calls that ran on the dead worker failed: one for each of its connections at most.
    expect(failed).toBeLessThanOrEqual(closed);
    expect(load.failed).toBe(failed);
    expect({ failed: more.failed, closed: more.closed }).toEqual({ failed: 0, closed: 0 });
    expect(await metric(proxy, 'route_requests_total')).toBeGreaterThan(before);
    expect(handles).toHaveLength(3);
  });

  it('refuse to share an address with another process, and take it when that is gone', async () => {
    const backend = await bench.backend('v1');
    const port = await freePort();
    const stranger = createServer().listen({ host: '127.0.0.1', port, reusePort: true });
    bench.onClose(() => stranger.close());
    const folder = await bench.folder({ 'service.yaml': serviceYaml(port, [backend]) });
    const control = await bench.controlPlane(folder);
    const proxy = await bench.proxy(control.xdsAddress.port, { workers: 2, spawn });
    expect(await admin(proxy, '/config_dump')).toContain(`cannot listen on 127.0.0.1:${port}: another process does`);
    await until(() => control.status().proxies[0]!.resources.rejected === 1);
    expect(await metric(proxy, 'resources_refused')).toBe(1);
    stranger.close();
    await until(async () => !(await admin(proxy, '/config_dump')).includes('EADDRINUSE'));
    expect(await metric(proxy, 'resources_refused')).toBe(0);
    expect((await (await bench.caller(port)).wind.forecast('Kea')).servedBy).toBe('v1');
    await until(() => control.status().proxies[0]!.resources.live === control.status().proxies[0]!.resources.total);
  });

  it('drain: running calls finish, new connections are refused', async () => {
    const [slow, port] = await Promise.all([bench.backend('v1', 400), freePort()]);
    const folder = await bench.folder({ 'service.yaml': serviceYaml(port, [slow]) });
    const control = await bench.controlPlane(folder);
    const proxy = await bench.proxy(control.xdsAddress.port, { workers: 2, spawn });
    const callers = await Promise.all(Array.from({ length: 8 }, () => bench.caller(port)));
    const calls = callers.map(({ wind }) => wind.forecast('Paros'));
    await until(() => slow.calls === 8);
    const drained = admin(proxy, '/drain', 'POST');
    await until(async () => (await admin(proxy, '/ready')) === 'draining\n');
    await until(() =>
      bench.caller(port).then(
        () => false,
        ({ code }) => code === 'ECONNREFUSED',
      ),
    );
    expect((await Promise.all(calls)).map(({ servedBy }) => servedBy)).toEqual(Array(8).fill('v1'));
    expect(JSON.parse(await drained)).toEqual({ drained: true });
  });
});
