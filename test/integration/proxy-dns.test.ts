/** Endpoints that are DNS names, followed while calls run. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { freePort, HOST, MeshBench } from './mesh-fixture.ts';

let bench: MeshBench;
beforeEach(() => {
  bench = new MeshBench();
});
afterEach(() => bench.close());

it('follows a name to its new address, and keeps the last one when the name is not found', async () => {
  const [old, moved, port] = await Promise.all([
    bench.backend('old'),
    bench.backend('moved', 0, '127.0.0.2'),
    freePort(),
  ]);
  const endpoint = (backend: typeof old, name: string) =>
    `    - { address: ${name}.test, ports: { tcp-metaprotocol-thrift: ${backend.port} } }`;
  const folder = await bench.folder({
    'service.yaml': `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: wind, namespace: default }
spec:
  hosts: [${HOST}]
  addresses: [127.0.0.1]
  location: MESH_INTERNAL
  resolution: DNS
  ports: [{ name: tcp-metaprotocol-thrift, number: ${port}, protocol: TCP }]
  endpoints:
${endpoint(old, 'old')}
${endpoint(moved, 'moved')}
`,
  });
  const names = new Map([['old.test', ['127.0.0.1']]]);
  const control = await bench.controlPlane(folder);
  await bench.proxy(control.xdsAddress.port, {
    resolve: async (name) => names.get(name) ?? Promise.reject(new Error('not found')),
  });
  const load = await bench.load(port, 4);
  await load.nextBy('old');
  expect(load.answeredBy('moved')).toBe(0);
  names.clear();
  names.set('moved.test', ['127.0.0.2']);
  await load.nextBy('moved');
  await load.nextBy('old');
  await load.stop();
  expect({ failed: load.failed, closed: load.closed, why: load.lastFailure }).toEqual({
    failed: 0,
    closed: 0,
    why: null,
  });
}, 20_000);
