/** A proxy that starts while its control plane is away. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LastGood } from '../../src/proxy/last-good.ts';
import { createProxyProcess } from '../../src/proxy/proxy-process.ts';
import { freePort, MeshBench, proxyNode, routerYaml, save, until } from './mesh-fixture.ts';

describe('a proxy without a control plane', () => {
  let bench: MeshBench;
  beforeEach(() => {
    bench = new MeshBench();
  });
  afterEach(() => bench.close());

  it('starts from its last good configuration and follows the control plane when it is there', async () => {
    const { port, folder } = await bench.twoVersions();
    const stateDirectory = await bench.folder();
    const xdsPort = await freePort();
    const first = await bench.controlPlane(folder, xdsPort);
    const before = await bench.proxy(xdsPort, { stateDirectory });
    await until(() => first.status().proxies.every(({ resources }) => resources.live === resources.total));
    await before.drain();
    await before.close();
    await first.close();

    await bench.proxy(xdsPort, { stateDirectory });
    const load = await bench.load(port, 4);
    await load.nextBy('v1');
    await save(folder, 'router.yaml', routerYaml({ v2: 100 }));
    await bench.controlPlane(folder, xdsPort);
    await load.nextBy('v2');
    await load.stop();
    expect({ failed: load.failed, closed: load.closed }).toEqual({ failed: 0, closed: 0 });
  });

  it('waits, and says so, when the file is damaged', async () => {
    const stateDirectory = await bench.folder();
    const { path } = new LastGood(stateDirectory, 'p1');
    await writeFile(path, '{"format":1,"node":"p1","checksum":"0","resources":[]}');
    const proxy = await createProxyProcess({
      xds: `127.0.0.1:${await freePort()}`,
      node: proxyNode('p1'),
      version: '0',
      manifests: [],
      workers: 1,
      adminListen: { host: '127.0.0.1', port: 0 },
      stateDirectory,
      drainDeadlineMs: 0,
      log: bench.log,
    });
    bench.onClose(() => proxy.close());
    const ready = await fetch(`http://127.0.0.1:${proxy.adminAddress!.port}/ready`);
    expect([ready.status, await ready.text()]).toEqual([503, 'no configuration yet\n']);
    expect(bench.log.entries).toContainEqual([
      'warn',
      { error: expect.stringContaining(join(stateDirectory, 'last-good-p1.json')) },
      'last good configuration not usable, waiting for the control plane',
    ]);
  });
});
