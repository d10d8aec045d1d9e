/** Gateways from YAML to real servers: control plane, a proxy of type router, stock clients. */
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EdgeBench, gateway, httpService, virtualService } from './gateway-fixture.ts';
import { type Backend, freePort, HOST, routerYaml, serviceYaml, until } from './mesh-fixture.ts';

const SITE = 'harbour.test';

let bench: EdgeBench;

beforeEach(async () => {
  bench = await EdgeBench.create();
});

afterEach(() => bench.close());

describe('a server of HTTP', () => {
  it('serves the virtual hosts of its VirtualServices, by Host with any port', async () => {
    const [port, a, b] = await Promise.all([freePort(), bench.site('a'), bench.site('b')]);
    await bench.startRouter(
      httpService('a.test', a) +
        httpService('b.test', b) +
        gateway('edge', `[{ port: { number: ${port}, name: http, protocol: HTTP }, hosts: ["*.site.test"] }]`) +
        virtualService('one', 'one.site.test', 'edge', 'http: [{ route: [{ destination: { host: a.test } }] }]') +
        virtualService('rest', '*', 'edge', 'http: [{ route: [{ destination: { host: b.test } }] }]'),
    );
    expect(await bench.ask(port, 'one.site.test')).toMatchObject({
      status: 200,
      body: 'a one.site.test / 127.0.0.1 http',
    });
    expect((await bench.ask(port, `one.site.test:${port}`)).body).toMatch(/^a /);
    expect((await bench.ask(port, 'one.site.test:8443')).body).toMatch(/^a /);
    expect((await bench.ask(port, 'one.site.test.')).body).toMatch(/^a /);
    expect((await bench.ask(port, 'two.site.test:9')).body).toMatch(/^b /);
    expect((await bench.ask(port, 'elsewhere.test')).status).toBe(404);
  });

  it('sends all to https where it shall, and takes changes at once', async () => {
    const [port, a] = await Promise.all([freePort(), bench.site('a')]);
    const server = `port: { number: ${port}, name: http, protocol: HTTP }, hosts: [${SITE}]`;
    const rest =
      httpService('a.test', a) +
      virtualService('one', SITE, 'edge', 'http: [{ route: [{ destination: { host: a.test } }] }]');
    await bench.startRouter(rest + gateway('edge', `[{ ${server}, tls: { httpsRedirect: true } }]`));
    const answer = await bench.ask(port, `${SITE}:80`, '/x?y');
    expect(answer).toMatchObject({ status: 301, headers: { location: `https://${SITE}/x?y` } });
    await bench.save('mesh.yaml', rest + gateway('edge', `[{ ${server} }]`));
    await until(async () => (await bench.ask(port, SITE)).status === 200);
  });
});

describe('a server of another protocol', () => {
  it('serves the routes of a MetaRouter that names the Gateway', async () => {
    const [port, service] = await Promise.all([freePort(), freePort()]);
    const backends: Backend[] = [await bench.backend('v1'), await bench.backend('v2')];
    await bench.startRouter(
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
      bench.listening(
        net.createServer({ allowHalfOpen: true }, (socket) => {
          // Speaks first.
          socket.write(`${name} `);
          socket.pipe(socket);
        }),
      );
    const [a, b] = await Promise.all([echo('a'), echo('b')]);
    const route = (host: string, weight: number) => `{ destination: { host: ${host} }, weight: ${weight} }`;
    await bench.startRouter(
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
    const controlPlane = await bench.startRouter(
      gateway('lonely', '[{ port: { number: 9, name: http, protocol: HTTP }, hosts: [a.test] }]', 'edge: none') +
        gateway('bare', '[{ port: { number: 10, name: any, protocol: TCP }, hosts: ["*"] }]'),
    );
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
