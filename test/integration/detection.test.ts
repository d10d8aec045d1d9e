/** One port for several protocols, from YAML: HTTP, Thrift and bytes of no known protocol, each where its own routes say. */
import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { EdgeBench, httpService } from './gateway-fixture.ts';
import { freePort, HOST, serviceYaml } from './mesh-fixture.ts';

let bench: EdgeBench;

beforeEach(async () => {
  bench = await EdgeBench.create();
});

afterEach(() => bench.close());

it('tells protocols by their first bytes', async () => {
  const [port, service] = await Promise.all([freePort(), freePort()]);
  const [web, wind] = await Promise.all([bench.site('web'), bench.backend('v1')]);
  const other = await bench.listening(net.createServer((socket) => socket.pipe(socket)));
  const resource = (apiVersion: string, kind: string, metadata: string, spec: string): string => `
apiVersion: ${apiVersion}
kind: ${kind}
metadata: { name: any, namespace: default${metadata} }
spec: ${spec}
---`;
  await bench.save(
    'mesh.yaml',
    resource(
      'networking.istio.io/v1',
      'ServiceEntry',
      ', annotations: { meltemi.io/detect: "thrift, http" }',
      `{ hosts: [any.test], addresses: [127.0.0.1], resolution: STATIC, ports: [{ number: ${port}, name: auto }],
         endpoints: [{ address: 127.0.0.1, ports: { auto: ${other} } }] }`,
    ) +
      httpService('web.test', web) +
      `\n${serviceYaml(service, [wind])}---` +
      resource(
        'networking.istio.io/v1',
        'VirtualService',
        '',
        '{ hosts: [any.test], http: [{ route: [{ destination: { host: web.test } }] }] }',
      ) +
      resource(
        'metaprotocol.aeraki.io/v1alpha1',
        'MetaRouter',
        '',
        `{ hosts: [any.test], routes: [{ route: [{ destination: { host: ${HOST} } }] }] }`,
      ),
  );
  const controlPlane = await bench.controlPlane(bench.directory);
  await bench.proxy(controlPlane.xdsAddress.port);
  expect((await bench.ask(port, 'any.test')).body).toMatch(/^web /);
  const { wind: client } = await bench.caller(port);
  expect((await client.forecast('Naxos')).servedBy).toBe('v1');
  const socket = net.connect({ host: '127.0.0.1', port });
  socket.write('\x01\x02 ahoy');
  const [echoed] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  expect(echoed.toString()).toBe('\x01\x02 ahoy');
});
