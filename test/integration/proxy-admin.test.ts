/** The proxy's admin API, on a proxy whose one worker runs in this thread. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../src/metaprotocol/clock.ts';
import { Registry } from '../../src/metaprotocol/registry.ts';
import { DataPlane } from '../../src/metaprotocol/runtime.ts';
import { builtInPlugins } from '../../src/proxy/plugins.ts';
import { spawnInProcess } from '../../src/proxy/workers/worker-handle.ts';
import { MeshBench, routerYaml, save, until } from './mesh-fixture.ts';

describe('the admin API', () => {
  let bench: MeshBench;
  beforeEach(() => {
    bench = new MeshBench();
  });
  afterEach(() => bench.close());

  async function start(accessLogFile = '') {
    const { port, folder } = await bench.twoVersions();
    const control = await bench.controlPlane(folder, 0, accessLogFile);
    const spawn = spawnInProcess({
      registry: new Registry(builtInPlugins()),
      clock: new SystemClock(),
      createDataPlane: (options) => new DataPlane(options),
    });
    const proxy = await bench.proxy(control.xdsAddress.port, { spawn });
    const admin = async (path: string, method = 'GET') => {
      const response = await fetch(`http://127.0.0.1:${proxy.adminAddress!.port}${path}`, { method });
      return { status: response.status, text: await response.text() };
    };
    return { admin, control, folder, port };
  }

  it('shows and counts what runs', async () => {
    const { admin, port } = await start();
    const { wind } = await bench.caller(port);
    await wind.forecast('Milos');
    expect(await admin('/ready')).toEqual({ status: 200, text: 'ready\n' });
    expect((await admin('/')).text).toContain('POST /drain');
    expect((await admin('/stats/prometheus?x=y')).text).toMatch(/meltemi_route_requests_total\{.*route="all"\} 1\n/);
    expect(JSON.parse((await admin('/clusters')).text)).toMatchObject([
      { worker: 0, clusters: [{ protocol: 'thrift', endpoints: [{ connections: 1, outstanding: 0 }] }] },
    ]);
    const { configs } = JSON.parse((await admin('/config_dump')).text);
    expect(configs).toHaveLength(5);
    expect(configs[2].dynamicListeners[0].activeState.listener.name).toBe(`127.0.0.1_${port}`);
  });

  it('says what it does not take', async () => {
    const { admin } = await start();
    expect(await admin('/nowhere')).toMatchObject({ status: 404, text: expect.stringContaining('/config_dump') });
    expect(await admin('/drain')).toMatchObject({ status: 405, text: expect.stringContaining('POST') });
    expect(await admin('/ready', 'DELETE')).toMatchObject({ status: 405 });
  });

  it('tells the control plane of changes that calls could not carry', async () => {
    const { control, folder, port } = await start();
    const router = routerYaml({ v1: 100 }).replace(
      '    - name: all',
      '    - name: all\n      headers: { request: { set: { sea: aegean } } }',
    );
    await save(folder, 'router.yaml', router);
    const { wind } = await bench.caller(port);
    const remark = await until(async () => {
      await wind.forecast('Milos');
      const found = control.status().resources.find(({ kind }) => kind === 'MetaRouter');
      return found?.remarks.find(({ level }) => level === 'note');
    });
    expect(remark).toMatchObject({ proxy: 'p1', message: expect.stringContaining('cannot carry') });
  });

  it('tells the control plane of an access log that cannot be written', async () => {
    const { admin, control, port } = await start('/nowhere/access.log');
    const { wind } = await bench.caller(port);
    await wind.forecast('Milos');
    const remark = await until(() => {
      return control.status().resources.find(({ kind }) => kind === 'ServiceEntry')?.remarks[0];
    });
    const message = expect.stringMatching(/^access log \/nowhere\/access.log is not written, .* ENOENT: /);
    expect(remark).toMatchObject({ proxy: 'p1', level: 'note', product: `Listener 127.0.0.1_${port}`, message });
    expect((await admin('/config_dump')).text).toContain('access log /nowhere/access.log is not written');
  });

  it('drains', async () => {
    const { admin, port } = await start();
    expect(await admin('/drain', 'POST')).toMatchObject({ status: 200 });
    expect(await admin('/ready')).toEqual({ status: 503, text: 'draining\n' });
    await expect(bench.caller(port)).rejects.toThrow('ECONNREFUSED');
  });
});
