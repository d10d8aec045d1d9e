/** Access logs that are renamed while two workers write them: every line is in some file, once. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogLimits } from '../../src/proxy/log-rotation.ts';
import { freePort, MeshBench, until } from './mesh-fixture.ts';

const CALLERS = 16;

/** The proxy answers by itself. */
const configYaml = (port: number): string => `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: log, namespace: default }
spec:
  hosts: [log.test]
  addresses: [127.0.0.1]
  resolution: STATIC
  ports: [{ name: http, number: ${port}, protocol: HTTP }]
  endpoints: [{ address: 127.0.0.1, ports: { http: 9 } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: log, namespace: default }
spec:
  hosts: [log.test]
  http: [{ directResponse: { status: 200 } }]
`;

interface Line {
  readonly call: number;
  readonly caller: string;
}

describe('access logs of two workers', () => {
  let bench: MeshBench;
  let logs: string;
  let path: string;
  beforeEach(async () => {
    bench = new MeshBench();
    logs = await bench.folder();
    path = join(logs, 'access.log');
  });
  afterEach(() => bench.close());

  async function start(accessLogLimits: LogLimits | null = null) {
    const port = await freePort();
    const control = await bench.controlPlane(await bench.folder({ 'log.yaml': configYaml(port) }), 0, path);
    const proxy = await bench.proxy(control.xdsAddress.port, { workers: 2, accessLogLimits });
    const admin = `http://127.0.0.1:${proxy.adminAddress!.port}`;
    return { admin, control, proxy, load: startLoad(port) };
  }

  /** Callers on a connection each, which count their calls in the path. */
  function startLoad(port: number) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: CALLERS });
    const load = { calls: 0, stop: async () => {} };
    let isRunning = true;
    const call = (): Promise<void> =>
      new Promise((resolve, reject) => {
        const options = { port, agent, path: `/call/${load.calls++}`, headers: { host: 'log.test' } };
        http.get(options, (response) => response.resume().on('end', resolve)).on('error', reject);
      });
    const callers = Promise.all(
      Array.from({ length: CALLERS }, async () => {
        while (isRunning) await call();
      }),
    );
    load.stop = async () => {
      isRunning = false;
      await callers;
      agent.destroy();
    };
    bench.onClose(load.stop);
    return load;
  }

  function linesOf(name: string): Line[] {
    const lines = readFileSync(join(logs, name), 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => {
      const [, call, caller] = /"GET \/call\/(\d+)" 200 .* "(127\.0\.0\.1:\d+)" "log\.test"/.exec(line)!;
      return { call: Number(call), caller: caller! };
    });
  }

  /** `names`: oldest first. */
  function expectAll(calls: number, names: readonly string[]): void {
    const lines = names.flatMap(linesOf);
    expect(lines.map(({ call }) => call).sort((a, b) => a - b)).toEqual(
      Array.from({ length: calls }, (_, call) => call),
    );
    const byCaller = Map.groupBy(lines, ({ caller }) => caller);
    expect(byCaller.size).toBe(CALLERS);
    for (const own of byCaller.values()) expect(own).toEqual(own.toSorted((a, b) => a.call - b.call));
  }

  async function isQuiet(file: string): Promise<boolean> {
    const { size } = statSync(file);
    await sleep(500);
    return statSync(file).size === size;
  }

  it('are in files of a size, nothing lost, nothing twice, in order', async () => {
    const { load, proxy } = await start({ maxBytes: 65_536, maxFiles: 1_000 });
    await until(() => readdirSync(logs).length > 8);
    await load.stop();
    await proxy.drain();
    const rotated = readdirSync(logs).length - 1;
    const names = [...Array.from({ length: rotated }, (_, index) => `access.log.${rotated - index}`), 'access.log'];
    console.log(`${load.calls} calls in ${names.length} files`);
    expectAll(load.calls, names);
    // Each was full when it was renamed: once for each time.
    for (const name of names.slice(0, -1)) expect(statSync(join(logs, name)).size).toBeGreaterThanOrEqual(65_536);
  });

  it('follow a rename that nobody told them of, and one that was told at once', async () => {
    const { admin, load, proxy } = await start();
    await until(() => statSync(path, { throwIfNoEntry: false }) !== undefined);
    await sleep(300);
    renameSync(path, `${path}.2`);
    await until(() => (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0);
    // Workers write four times a second, so both have noticed.
    await until(() => isQuiet(`${path}.2`));
    renameSync(path, `${path}.1`);
    const response = await fetch(`${admin}/reopen_logs`, { method: 'POST' });
    const told = statSync(`${path}.1`).size;
    expect([response.status, await response.json()]).toEqual([200, { reopened: true }]);
    await sleep(500);
    await load.stop();
    await proxy.drain();
    expect(statSync(`${path}.1`).size).toBe(told);
    expectAll(load.calls, ['access.log.2', 'access.log.1', 'access.log']);
  });

  it('tell that they cannot be rotated, until they can', async () => {
    // Whoever runs the test, nobody may put a file in its place.
    mkdirSync(`${path}.1`);
    const { control, load } = await start({ maxBytes: 65_536, maxFiles: 2 });
    const remarks = () =>
      control.status().resources.flatMap((resource) => resource.remarks.map(({ message }) => message));
    await until(() =>
      remarks().some((message) => message.includes(`access log ${path} is not rotated and grows past`)),
    );
    const grown = statSync(path).size;
    await until(() => statSync(path).size > grown);
    rmSync(`${path}.1`, { recursive: true });
    await until(() => remarks().length === 0);
    await load.stop();
  });
});
