/** The control plane on a real folder, with the proxy's ADS client over real gRPC on loopback. */
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../../scripts/certificates.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { http1Manifest } from '../../src/codecs/http1/plugin.ts';
import { redisManifest } from '../../src/codecs/redis/plugin.ts';
import { type ControlPlane, createControlPlane } from '../../src/control/control-plane.ts';
import type { StatusReport } from '../../src/control/status/status-report.ts';
import { SystemClock } from '../../src/metaprotocol/clock.ts';
import type { ProtocolManifest } from '../../src/metaprotocol/manifest.ts';
import { AdsClient } from '../../src/proxy/ads-client.ts';
import type { Resources } from '../../src/proxy/ads-resources.ts';
import { grpcTransport } from '../../src/proxy/ads-transport.ts';
import type { NodeInfo } from '../../src/xds/node.ts';
import { TypeUrl } from '../../src/xds/type-urls.ts';
import { Xds } from '../../src/xds/xds.ts';
import {
  closedManifest,
  HOST,
  RULE,
  router,
  SERVICE,
  tcpManifest,
  testManifest,
  testNode,
  to,
} from '../harness/control-mesh.ts';

const xds = Xds.load();
const silent = { info() {}, warn() {}, error() {} };
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function folderWith(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'meltemi-control-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

async function start(
  folder: string,
  port = 0,
  more: readonly ProtocolManifest[] = [],
  stateDirectory?: string,
): Promise<ControlPlane> {
  const controlPlane = await createControlPlane({
    directories: [folder],
    manifests: [testManifest(), tcpManifest(), ...more],
    listen: { host: '127.0.0.1', port },
    adminListen: { host: '127.0.0.1', port: 0 },
    insecure: false,
    log: silent,
    stateDirectory,
  });
  closers.push(() => controlPlane.close());
  return controlPlane;
}

class TestProxy {
  resources: Resources = new Map();
  readonly #client: AdsClient;
  #onUpdate: () => void = () => {};

  constructor(port: number, node: Partial<NodeInfo> = {}) {
    this.#client = new AdsClient({
      xds,
      node: testNode(node),
      transport: grpcTransport(`127.0.0.1:${port}`, xds.descriptor),
      protocol: 'delta',
      clock: new SystemClock(),
      random: () => 0.5,
      log: silent,
      initial: null,
      onUpdate: async (resources) => {
        this.resources = resources;
        this.#client.reportLive(resources, []);
        this.#onUpdate();
        return [];
      },
      limits: { backoffMs: 20, backoffMsMax: 50 },
    });
    closers.push(() => this.#client.close());
    this.#client.start();
  }

  /** Clusters of the first service's routes, in order. */
  routes(): string[] {
    const table = this.resources.get(TypeUrl.RouteConfiguration)?.get(`${HOST}_9090`)?.value;
    const hosts = (table?.virtualHosts ?? []) as { routes: { route: { cluster: string } }[] }[];
    return hosts.flatMap((host) => host.routes.map((route) => route.route.cluster.split('|')[2]!));
  }

  versions(): string[] {
    return [...this.resources.values()]
      .flatMap((byName) => [...byName.values()].map(({ name, version }) => `${name} ${version}`))
      .sort();
  }

  /** Resolves when the routes are these. */
  async until(expected: string[]): Promise<void> {
    while (JSON.stringify(this.routes()) !== JSON.stringify(expected)) {
      await new Promise<void>((resolve) => {
        this.#onUpdate = resolve;
      });
    }
  }
}

function routeTo(subset: string): string {
  return router(`[{ ${to(subset)} }]`);
}

async function get(controlPlane: ControlPlane, path: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${controlPlane.adminAddress!.port}${path}`);
  return response.text();
}

describe('control plane on a folder', () => {
  it('brings a saved route to the proxy, in place or by rename, in a fraction of a second', async () => {
    const folder = await folderWith({ 's.yaml': SERVICE, 'd.yaml': RULE, 'r.yaml': routeTo('v1') });
    const controlPlane = await start(folder);
    const proxy = new TestProxy(controlPlane.xdsAddress.port);
    await proxy.until(['v1']);
    const tookMs: number[] = [];
    for (let turn = 0; turn < 20; turn++) {
      const subset = turn % 2 === 0 ? 'v2' : 'v1';
      const byRename = turn % 4 < 2;
      const savedMs = performance.now();
      await writeFile(join(folder, byRename ? '.r.tmp' : 'r.yaml'), routeTo(subset));
      if (byRename) await rename(join(folder, '.r.tmp'), join(folder, 'r.yaml'));
      await proxy.until([subset]);
      tookMs.push(performance.now() - savedMs);
    }
    tookMs.sort((a, b) => a - b);
    expect(tookMs[10]).toBeLessThan(200);
  });

  it('keeps the last good version of a broken resource alone, and names it with file and line', async () => {
    const folder = await folderWith({ 's.yaml': SERVICE, 'd.yaml': RULE, 'r.yaml': routeTo('v1') });
    const controlPlane = await start(folder);
    const proxy = new TestProxy(controlPlane.xdsAddress.port);
    await proxy.until(['v1']);
    await writeFile(join(folder, 'r.yaml'), routeTo('v3'));
    await writeFile(join(folder, 's.yaml'), SERVICE.replace('7001', '7003'));
    await expect
      .poll(() =>
        JSON.stringify([...proxy.resources.get(TypeUrl.ClusterLoadAssignment)!.values()].map((each) => each.value)),
      )
      .toContain('7003');
    expect(proxy.routes()).toEqual(['v1']);
    const report: StatusReport = JSON.parse(await get(controlPlane, '/status'));
    expect(report.resources.find((resource) => resource.kind === 'MetaRouter')).toMatchObject({
      file: join(folder, 'r.yaml'),
      line: 2,
      outcome: 'lastGood',
      findings: [
        {
          level: 'error',
          line: 7,
          path: 'spec.routes[0].route[0].destination.subset',
          message: `${HOST} has no subset v3, expected one of v1, v2`,
        },
      ],
    });
    await writeFile(join(folder, 'r.yaml'), routeTo('v2'));
    await proxy.until(['v2']);
    const mended: StatusReport = controlPlane.status();
    expect(mended.resources.find((resource) => resource.kind === 'MetaRouter')).toMatchObject({
      outcome: 'accepted',
      proxies: 1,
      findings: [],
    });
  });

  it('gives every resource the same version after a restart, and finds its proxies again', async () => {
    const folder = await folderWith({
      's.yaml': SERVICE.replace('addresses: [127.0.10.1]', 'addresses: [10.9.9.9]'),
      'd.yaml': RULE,
      'r.yaml': routeTo('v1'),
    });
    const port = await freePort();
    const first = await start(folder, port);
    const proxy = new TestProxy(port);
    await proxy.until(['v1']);
    await expect
      .poll(() => first.status().proxies[0]?.resources)
      .toEqual({ total: 8, acknowledged: 8, live: 8, rejected: 0 });
    const before = proxy.versions();
    await first.close();
    const second = await start(folder, port);
    const other = new TestProxy(port, { id: 'proxy-2' });
    await other.until(['v1']);
    expect(other.versions()).toEqual(before);
    await expect
      .poll(() => second.status().resources.map((resource) => `${resource.appliedOn} of ${resource.proxies}`))
      .toEqual(['2 of 2', '2 of 2', '2 of 2']);
  });

  it('starts with the last good version of what became broken while it was away', async () => {
    const folder = await folderWith({ 's.yaml': SERVICE, 'd.yaml': RULE, 'r.yaml': routeTo('v1') });
    const state = join(await folderWith({}), 'state');
    await (await start(folder, 0, [], state)).close();
    const outcomes = (controlPlane: ControlPlane) =>
      controlPlane.status().resources.map(({ kind, outcome }) => `${kind} ${outcome}`);
    await writeFile(join(folder, 'd.yaml'), 'subsets: [');
    await writeFile(join(folder, 'r.yaml'), routeTo('v7'));
    for (const way of ['at once', 'once more']) {
      const controlPlane = await start(folder, 0, [], state);
      const proxy = new TestProxy(controlPlane.xdsAddress.port, { id: way });
      await proxy.until(['v1']);
      expect(outcomes(controlPlane).sort()).toEqual([
        'DestinationRule accepted',
        'MetaRouter lastGood',
        'ServiceEntry accepted',
      ]);
      expect(controlPlane.status().faults.length).toBeGreaterThan(0);
      await controlPlane.close();
    }
    expect(outcomes(await start(folder))).toEqual(['MetaRouter refused', 'ServiceEntry accepted']);
    await rm(join(folder, 'd.yaml'));
    expect(outcomes(await start(folder, 0, [], state)).join()).not.toContain('DestinationRule');
  });

  it('starts without last good versions that are damaged', async () => {
    const folder = await folderWith({ 's.yaml': SERVICE });
    const state = await folderWith({ 'good-resources.json': '{"format":1,"checksum":"no","value":[]}' });
    const controlPlane = await start(folder, 0, [], state);
    expect(controlPlane.status().resources).toMatchObject([{ outcome: 'accepted' }]);
    await controlPlane.close();
    await writeFile(join(folder, 's.yaml'), 'spec: [');
    expect((await start(folder, 0, [], state)).status().resources).toMatchObject([{ outcome: 'accepted' }]);
  });

  it('compiles a last good version when the proxy that has its protocol is there', async () => {
    const named = SERVICE.replaceAll('metaprotocol-thrift', 'metaprotocol-echo-rpc');
    const folder = await folderWith({ 's.yaml': named });
    const state = await folderWith({});
    const first = await start(folder, 0, [closedManifest('echo-rpc')], state);
    expect(first.status().resources).toMatchObject([{ outcome: 'accepted' }]);
    await first.close();
    await writeFile(join(folder, 's.yaml'), named.replace('number: 9090', 'number: many'));
    const second = await start(folder, 0, [], state);
    expect(second.status().resources).toMatchObject([{ outcome: 'refused' }]);
    const manifest = JSON.parse(JSON.stringify(closedManifest('echo-rpc')));
    new TestProxy(second.xdsAddress.port, { manifests: [manifest] });
    await expect.poll(() => second.status().resources).toMatchObject([{ outcome: 'lastGood' }]);
  });

  it('takes the swap of a linked folder as one change', async () => {
    const folder = await folderWith({});
    const version = async (name: string, files: Record<string, string>): Promise<void> => {
      await mkdir(join(folder, name));
      for (const [file, text] of Object.entries(files)) await writeFile(join(folder, name, file), text);
      await symlink(name, join(folder, '..data_tmp'));
      await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    };
    await version('..1', { 's.yaml': SERVICE, 'd.yaml': RULE, 'r.yaml': routeTo('v1') });
    for (const file of ['s.yaml', 'd.yaml', 'r.yaml']) await symlink(join('..data', file), join(folder, file));
    const controlPlane = await start(folder);
    const proxy = new TestProxy(controlPlane.xdsAddress.port);
    await proxy.until(['v1']);
    await version('..2', {
      's.yaml': SERVICE,
      'd.yaml': RULE.replace('{ name: v2,', '{ name: v9,'),
      'r.yaml': routeTo('v9'),
    });
    await proxy.until(['v9']);
    expect(controlPlane.status().resources.flatMap((resource) => resource.findings)).toEqual([]);
  });

  it('learns a protocol from the first proxy that has it, and refuses it to those that lack it', async () => {
    const folder = await folderWith({ 's.yaml': SERVICE.replaceAll('metaprotocol-thrift', 'metaprotocol-echo-rpc') });
    const controlPlane = await start(folder);
    expect(controlPlane.status().resources[0]).toMatchObject({ outcome: 'refused' });
    const manifest = JSON.parse(JSON.stringify(closedManifest('echo-rpc')));
    const able = new TestProxy(controlPlane.xdsAddress.port, { id: 'able', manifests: [manifest] });
    await able.until(['']);
    const unable = new TestProxy(controlPlane.xdsAddress.port, { id: 'unable' });
    await expect
      .poll(() => controlPlane.status().resources[0])
      .toMatchObject({
        outcome: 'accepted',
        appliedOn: 1,
        proxies: 1,
        remarks: [
          {
            proxy: 'unable',
            message: 'the proxy has no codec echo-rpc: no listener and no routes (it has tcp, thrift)',
          },
        ],
      });
    expect(unable.resources.size === 0 || unable.versions().length === 0).toBe(true);
  });

  it('goes on without a file or folder that it may not read, and says so', async () => {
    const folder = await folderWith({ 's.yaml': SERVICE, 'd.yaml': RULE, 'r.yaml': routeTo('v1') });
    await symlink('loop.yaml', join(folder, 'loop.yaml'));
    const controlPlane = await start(folder);
    await rename(folder, `${folder}-gone`);
    closers.push(() => rm(`${folder}-gone`, { recursive: true, force: true }));
    await expect
      .poll(() => controlPlane.status().faults.map((fault) => fault.message), { timeout: 5_000 })
      .toEqual([`ENOENT: no such file or directory, stat '${folder}'`]);
    expect(controlPlane.status().resources).toHaveLength(3);
    await rename(`${folder}-gone`, folder);
    await expect.poll(() => controlPlane.status().faults, { timeout: 5_000 }).toEqual([]);
  });

  it('serves its admin API', async () => {
    const folder = await folderWith({ 's.yaml': SERVICE });
    const controlPlane = await start(folder);
    expect(await get(controlPlane, '/ready')).toBe('ready\n');
    expect(JSON.parse(await get(controlPlane, '/config'))).toMatchObject({
      services: [{ host: HOST, ports: [{ protocol: { manifest: 'thrift' } }] }],
    });
    expect(await get(controlPlane, '/metrics')).toContain(
      'meltemi_control_resources{kind="ServiceEntry",outcome="accepted"} 1',
    );
    expect(await get(controlPlane, '/nothing')).toContain('expected one of /ready');
  });

  it('shows no password in its admin API', async () => {
    const folder = await folderWith({
      's.yaml': SERVICE.replaceAll('thrift', 'redis'),
      'r.yaml': `{ apiVersion: redis.aeraki.io/v1alpha1, kind: RedisService, metadata: { name: r, namespace: aegean },
        spec: { host: [${HOST}], redis: [{ route: { host: ${HOST} } }], settings: { auth: { plain: { password: hush-hush } } } } }`,
    });
    const controlPlane = await start(folder, 0, [redisManifest]);
    const config = await get(controlPlane, '/config');
    expect(config).toContain('"downstreamPassword": "[redacted]"');
    expect(config + (await get(controlPlane, '/status'))).not.toContain('hush-hush');
  });

  it('shows no private key in its admin API', async () => {
    const { certificate, key } = new CertificateAuthority().issue({ names: ['a.site.test'] });
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    const folder = await folderWith({
      'g.yaml': `{ apiVersion: networking.istio.io/v1, kind: Gateway, metadata: { name: g, namespace: aegean },
        spec: { selector: { istio: g }, servers: [{ port: { number: 443, name: a, protocol: HTTPS }, hosts: [a.site.test],
          tls: { mode: SIMPLE, credentialName: cred } }] } }`,
      'c.yaml': `{ apiVersion: v1, kind: Secret, type: kubernetes.io/tls, metadata: { name: cred, namespace: aegean },
        data: { tls.crt: ${base64(certificate)}, tls.key: ${base64(key)} } }`,
    });
    const controlPlane = await start(folder, 0, [http1Manifest]);
    const config = await get(controlPlane, '/config');
    expect(JSON.parse(config)).toMatchObject({ gateways: [{ servers: [{ tls: { credentials: ['cred'] } }] }] });
    expect(config + (await get(controlPlane, '/status'))).not.toMatch(/PRIVATE KEY/);
  });

  it('refuses to listen where others reach it, unless told to', async () => {
    const folder = await folderWith({});
    const options = { directories: [folder], manifests: [], adminListen: null, insecure: false, log: silent };
    await expect(createControlPlane({ ...options, listen: { host: '0.0.0.0', port: 0 } })).rejects.toThrow(
      '--insecure',
    );
    await expect(
      createControlPlane({ ...options, directories: [join(folder, 'none')], listen: { host: '127.0.0.1', port: 0 } }),
    ).rejects.toThrow('ENOENT');
  });
});
