/** Gateways from YAML to real servers: control plane, a proxy of type router, stock clients. */
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ProxyProcess } from '../../src/proxy/proxy-process.ts';
import {
  type Backend,
  freePort,
  HOST,
  MeshBench,
  proxyNode,
  routerYaml,
  save,
  serviceYaml,
  until,
} from './mesh-fixture.ts';

const SITE = 'harbour.test';

let bench: MeshBench;
let folder: string;
let xdsPort: number;

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

beforeEach(async () => {
  bench = new MeshBench();
  folder = await bench.folder();
});

afterEach(() => bench.close());

/** Says its name and which host and caller it was asked by. */
async function site(name: string): Promise<number> {
  const server = http.createServer((request, response) => {
    const { host, 'x-forwarded-for': forwarded, 'x-forwarded-proto': scheme } = request.headers;
    response.end([name, host, request.url, forwarded, scheme].join(' '));
  });
  return listening(server);
}

async function listening(server: net.Server): Promise<number> {
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket: net.Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  bench.onClose(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function httpService(host: string, port: number, name = 'http'): string {
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${host}, namespace: default }
spec:
  hosts: [${host}]
  resolution: STATIC
  ports: [{ name: ${name}, number: 80 }]
  endpoints: [{ address: 127.0.0.1, ports: { ${name}: ${port} } }]
---`;
}

function gateway(name: string, servers: string, selector = 'edge: main'): string {
  return `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: ${name}, namespace: default }
spec:
  selector: { ${selector} }
  servers: ${servers}
---`;
}

function virtualService(name: string, host: string, gateways: string, routes: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: default }
spec: { hosts: ["${host}"], gateways: [${gateways}], ${routes} }
---`;
}

/** A router on loopback that serves what the folder says. */
async function startRouter(yaml: string): Promise<ProxyProcess> {
  await save(folder, 'mesh.yaml', yaml);
  const controlPlane = await bench.controlPlane(folder);
  xdsPort = controlPlane.xdsAddress.port;
  return await bench.proxy(xdsPort, {
    node: { ...proxyNode('edge'), type: 'router', bind: 'loopback', labels: { edge: 'main' } },
  });
}

function ask(port: number, host: string, path = '/'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path, agent: false, headers: { host } }, (response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    request.on('error', reject);
  });
}

describe('a server of HTTP', () => {
  it('serves the virtual hosts of its VirtualServices, by Host with any port', async () => {
    const [port, a, b] = await Promise.all([freePort(), site('a'), site('b')]);
    await startRouter(
      httpService('a.test', a) +
        httpService('b.test', b) +
        gateway('edge', `[{ port: { number: ${port}, name: http, protocol: HTTP }, hosts: ["*.site.test"] }]`) +
        virtualService('one', 'one.site.test', 'edge', 'http: [{ route: [{ destination: { host: a.test } }] }]') +
        virtualService('rest', '*', 'edge', 'http: [{ route: [{ destination: { host: b.test } }] }]'),
    );
    expect(await ask(port, 'one.site.test')).toMatchObject({ status: 200, body: 'a one.site.test / 127.0.0.1 http' });
    expect((await ask(port, `one.site.test:${port}`)).body).toMatch(/^a /);
    expect((await ask(port, 'one.site.test:8443')).body).toMatch(/^a /);
    expect((await ask(port, 'two.site.test')).body).toMatch(/^b /);
    expect((await ask(port, 'elsewhere.test')).status).toBe(404);
  });

  it('sends all to https where it shall, and takes changes at once', async () => {
    const [port, a] = await Promise.all([freePort(), site('a')]);
    const server = `port: { number: ${port}, name: http, protocol: HTTP }, hosts: [${SITE}]`;
    const rest =
      httpService('a.test', a) +
      virtualService('one', SITE, 'edge', 'http: [{ route: [{ destination: { host: a.test } }] }]');
    await startRouter(rest + gateway('edge', `[{ ${server}, tls: { httpsRedirect: true } }]`));
    const answer = await ask(port, `${SITE}:80`, '/x?y');
    expect(answer).toMatchObject({ status: 301, headers: { location: `https://${SITE}/x?y` } });
    await save(folder, 'mesh.yaml', rest + gateway('edge', `[{ ${server} }]`));
    await until(async () => (await ask(port, SITE)).status === 200);
  });
});

describe('a server of another protocol', () => {
  it('serves the routes of a MetaRouter that names the Gateway', async () => {
    const [port, service] = await Promise.all([freePort(), freePort()]);
    const backends: Backend[] = [await bench.backend('v1'), await bench.backend('v2')];
    await startRouter(
      `${serviceYaml(service, backends)}---
${routerYaml({ v2: 100 }).replace('spec:', 'spec:\n  gateways: [edge]')}---
${gateway('edge', `[{ port: { number: ${port}, name: thrift, protocol: thrift }, hosts: [${HOST}] }]`)}`,
    );
    const { wind } = await bench.caller(port);
    for (let call = 0; call < 5; call++) expect((await wind.forecast('Naxos')).servedBy).toBe('v2');
  });

  it('passes connections on by tcp routes, split by weight', async () => {
    const port = await freePort();
    const echo = (name: string) =>
      listening(
        net.createServer({ allowHalfOpen: true }, (socket) => {
          // Speaks first.
          socket.write(`${name} `);
          socket.pipe(socket);
        }),
      );
    const [a, b] = await Promise.all([echo('a'), echo('b')]);
    const route = (host: string, weight: number) => `{ destination: { host: ${host} }, weight: ${weight} }`;
    await startRouter(
      httpService('a.test', a, 'tcp') +
        httpService('b.test', b, 'tcp') +
        gateway('edge', `[{ port: { number: ${port}, name: any, protocol: TCP }, hosts: ["*"] }]`) +
        virtualService(
          'tcp',
          '*',
          'edge',
          `tcp: [{ match: [{ port: ${port} }], route: [${route('a.test', 1)}, ${route('b.test', 1)}] }]`,
        ),
    );
    const answers = new Set<string>();
    for (let call = 0; call < 40; call++) {
      const socket = net.connect({ host: '127.0.0.1', port });
      socket.end('ahoy');
      let text = '';
      for await (const chunk of socket) text += chunk;
      answers.add(text);
    }
    expect([...answers].sort()).toEqual(['a ahoy', 'b ahoy']);
  });
});

describe('what is missing', () => {
  it('is told by the status', async () => {
    await save(
      folder,
      'mesh.yaml',
      gateway('lonely', '[{ port: { number: 9, name: http, protocol: HTTP }, hosts: [a.test] }]', 'edge: none') +
        gateway('bare', '[{ port: { number: 10, name: any, protocol: TCP }, hosts: ["*"] }]'),
    );
    const controlPlane = await bench.controlPlane(folder);
    await bench.proxy(controlPlane.xdsAddress.port, {
      node: { ...proxyNode('edge'), type: 'router', bind: 'loopback', labels: { edge: 'main' } },
    });
    const [lonely, bare] = ['lonely', 'bare'].map((name) =>
      controlPlane.status().resources.find((resource) => resource.name === name),
    );
    expect(lonely?.findings).toMatchObject([
      {
        level: 'warning',
        path: 'spec.selector',
        message: 'no connected proxy of type router has the labels edge=none',
      },
    ]);
    expect(bare?.remarks).toMatchObject([
      { proxy: 'edge', message: 'no VirtualService has a tcp route for port 10 and *: it is not served' },
    ]);
  });
});
