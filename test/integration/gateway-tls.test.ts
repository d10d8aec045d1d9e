/** TLS at Gateways and towards servers, from YAML: a router with certificates, servers behind it, stock clients. */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import https from 'node:https';
import type net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../../scripts/certificates.ts';
import { type Answer, answerOf, EdgeBench, gateway, httpService, virtualService } from './gateway-fixture.ts';
import { freePort, HOST, routerYaml, serviceYaml, until } from './mesh-fixture.ts';

let bench: EdgeBench;
let authority: CertificateAuthority;

beforeEach(async () => {
  bench = await EdgeBench.create();
  authority = new CertificateAuthority();
});

afterEach(() => bench.close());

/** Files with a certificate for these names; gives the tls block that names them. */
async function simple(name: string, ...names: string[]): Promise<string> {
  const { certificate, key } = authority.issue({ names });
  const [certificateFile, keyFile] = ['crt', 'key'].map((end) => join(bench.directory, `${name}.${end}`));
  await Promise.all([writeFile(certificateFile!, certificate), writeFile(keyFile!, key)]);
  return `tls: { mode: SIMPLE, serverCertificate: ${certificateFile}, privateKey: ${keyFile} }`;
}

/** `subject`: whom the certificate is for. Rejects when the handshake fails. */
async function ask(port: number, servername: string, host = servername): Promise<Answer & { subject: string }> {
  const options = { host: '127.0.0.1', port, servername, ca: authority.certificate, agent: false, headers: { host } };
  const request = https.get(options);
  let subject = '';
  request.on('response', ({ socket }) => {
    subject = (socket as tls.TLSSocket).getPeerCertificate().subjectaltname ?? '';
  });
  return { ...(await answerOf(request)), subject };
}

function connect(port: number, servername: string): tls.TLSSocket {
  const socket = tls.connect({ host: '127.0.0.1', port, servername, ca: authority.certificate });
  socket.on('error', () => {});
  bench.onClose(() => socket.destroy());
  return socket;
}

/** A TLS server that says its name and echoes. */
async function tlsServer(name: string, ...names: string[]): Promise<number> {
  const { certificate: cert, key } = authority.issue({ names });
  return await bench.listening(
    tls.createServer({ cert, key }, (socket) => {
      socket.on('error', () => {});
      socket.write(`${name} `);
      socket.pipe(socket);
    }) as unknown as net.Server,
  );
}

async function textUntil(socket: tls.TLSSocket, wanted: string): Promise<void> {
  let text = '';
  for await (const chunk of socket) {
    text += chunk;
    if (text === wanted) return;
  }
  throw new Error(`got ${JSON.stringify(text)}`);
}

const to = (host: string): string => `route: [{ destination: { host: ${host} } }]`;

describe('a port of TLS', () => {
  it('shows each host its certificate, passes others through, and serves plaintext beside them', async () => {
    const port = await freePort();
    const [a, b, far] = await Promise.all([bench.site('a'), bench.site('b'), tlsServer('far', 'x.far.test')]);
    const at = (name: string, protocol: string) => `port: { number: ${port}, name: ${name}, protocol: ${protocol} }`;
    await bench.startRouter(
      httpService('a.test', a) +
        httpService('b.test', b) +
        httpService('far.test', far, 'tls') +
        gateway(
          'edge',
          `[{ ${at('a', 'HTTPS')}, hosts: [a.site.test], ${await simple('a', 'a.site.test')} },
            { ${at('b', 'HTTPS')}, hosts: ["*.b.test"], ${await simple('b', '*.b.test')} },
            { ${at('far', 'TLS')}, hosts: ["*.far.test"], tls: { mode: PASSTHROUGH } },
            { ${at('plain', 'HTTP')}, hosts: [a.site.test], tls: { httpsRedirect: true } }]`,
        ) +
        virtualService('a', 'a.site.test', 'edge', `http: [{ ${to('a.test')} }]`) +
        virtualService('b', '*.b.test', 'edge', `http: [{ ${to('b.test')} }]`) +
        virtualService(
          'far',
          '*.far.test',
          'edge',
          `tls: [{ match: [{ sniHosts: [x.far.test] }], ${to('far.test')} }]`,
        ),
    );
    expect(await ask(port, 'a.site.test')).toMatchObject({ status: 200, subject: 'DNS:a.site.test' });
    expect((await ask(port, 'a.site.test')).body).toBe('a a.site.test / 127.0.0.1 https');
    expect(await ask(port, 'y.b.test')).toMatchObject({ status: 200, subject: 'DNS:*.b.test' });
    // Each server has hosts of its own, whatever a request says.
    expect((await ask(port, 'a.site.test', 'y.b.test')).status).toBe(404);
    const passed = connect(port, 'x.far.test');
    await once(passed, 'secureConnect');
    expect(passed.getPeerCertificate().subjectaltname).toBe('DNS:x.far.test');
    passed.write('ahoy');
    await textUntil(passed, 'far ahoy');
    await expect(ask(port, 'nobody.test')).rejects.toThrow();
    expect((await bench.ask(port, 'a.site.test')).headers.location).toBe(`https://a.site.test/`);
  });

  it('serves any protocol: Thrift by the routes of a MetaRouter', async () => {
    const [port, service, ended] = await Promise.all([freePort(), freePort(), simple('t', HOST)]);
    const backends = [await bench.backend('v1'), await bench.backend('v2')];
    await bench.startRouter(
      `${serviceYaml(service, backends)}---
${routerYaml({ v2: 100 }).replace('spec:', 'spec:\n  gateways: [edge]')}---
${gateway('edge', `[{ port: { number: ${port}, name: thrift, protocol: thrift }, hosts: ["${HOST}"], ${ended} }]`)}`,
    );
    const plain = await bench.wrapped(port, { servername: HOST, ca: authority.certificate });
    const { wind } = await bench.caller(plain);
    expect((await wind.forecast('Naxos')).servedBy).toBe('v2');
  });

  it('takes its certificate from a Secret of the router’s namespace, and a new one at once', async () => {
    const [port, a] = await Promise.all([freePort(), bench.site('a')]);
    const secret = (...names: string[]): string => {
      const { certificate, key } = authority.issue({ names });
      const indented = (text: string) => text.trimEnd().replaceAll('\n', '\n    ');
      return `apiVersion: v1
kind: Secret
metadata: { name: cred, namespace: default }
type: kubernetes.io/tls
stringData:
  tls.crt: |
    ${indented(certificate)}
  tls.key: |
    ${indented(key)}
`;
    };
    await bench.save('secret.yaml', secret('a.site.test'));
    await bench.startRouter(
      httpService('a.test', a) +
        gateway(
          'edge',
          `[{ port: { number: ${port}, name: a, protocol: HTTPS }, hosts: [a.site.test], tls: { mode: SIMPLE, credentialName: cred } }]`,
        ) +
        virtualService('a', 'a.site.test', 'edge', `http: [{ ${to('a.test')} }]`),
    );
    expect((await ask(port, 'a.site.test')).subject).toBe('DNS:a.site.test');
    await bench.save('secret.yaml', secret('a.site.test', 'more.site.test'));
    await until(async () => (await ask(port, 'a.site.test')).subject.includes('more.site.test'));
  });
});

it('changes of Gateways, routes and certificates cost no call and no connection', async () => {
  const [port, a, b] = await Promise.all([freePort(), bench.site('a'), bench.site('b')]);
  const [first, second] = [await simple('first', 'one.test'), await simple('second', 'two.test')];
  const at = (name: string, protocol: string) => `port: { number: ${port}, name: ${name}, protocol: ${protocol} }`;
  const yaml = (change: number): string =>
    httpService('a.test', a) +
    httpService('b.test', b) +
    gateway(
      'edge',
      `[{ ${at('first', 'HTTPS')}, hosts: [one.test], ${first} }
        ${change % 2 === 0 ? '' : `, { ${at('second', 'HTTPS')}, hosts: [two.test], ${second} }`}
        ${change % 3 === 0 ? '' : `, { ${at('plain', 'HTTP')}, hosts: ["*"] }`}]`,
    ) +
    virtualService('vs', '*', 'edge', `http: [{ ${to(change % 2 === 0 ? 'a.test' : 'b.test')} }]`);
  await bench.startRouter(yaml(0));
  const counts = { answered: 0, failed: 0, closed: 0 };
  let isOver = false;
  const callers = Array.from({ length: 8 }, async () => {
    const agent = new https.Agent({
      keepAlive: true,
      maxSockets: 1,
      ca: authority.certificate,
      servername: 'one.test',
    });
    const known = new Set<unknown>();
    while (!isOver) {
      const request = https.get({ host: '127.0.0.1', port, agent, headers: { host: 'one.test' } });
      request.once('socket', (socket) => {
        if (known.has(socket)) return;
        known.add(socket);
        socket.once('close', () => {
          if (!isOver) counts.closed++;
        });
      });
      const { status } = await answerOf(request).catch(() => ({ status: 0 }));
      counts[status === 200 ? 'answered' : 'failed']++;
    }
    agent.destroy();
  });
  for (let change = 1; change <= 12; change++) {
    await bench.save('mesh.yaml', yaml(change));
    if (change % 4 === 0) await simple('first', 'one.test', `renewed-${change}.test`);
    const now = change % 2 === 0 ? /^a / : /^b /;
    await until(async () => now.test((await ask(port, 'one.test')).body));
  }
  await until(async () => (await ask(port, 'one.test')).subject.includes('renewed-12.test'));
  isOver = true;
  await Promise.all(callers);
  expect(counts).toEqual({ answered: expect.any(Number), failed: 0, closed: 0 });
  expect(counts.answered).toBeGreaterThan(100);
});

it('a sidecar tells services of TLS at one address apart by SNI', async () => {
  const port = await freePort();
  const service = async (name: string): Promise<string> => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name}, namespace: default }
spec:
  hosts: [${name}.test]
  addresses: [127.0.0.1]
  resolution: STATIC
  ports: [{ name: tls, number: ${port} }]
  endpoints: [{ address: 127.0.0.1, ports: { tls: ${await tlsServer(name, `${name}.test`, 'any.test')} } }]
---`;
  await bench.save('mesh.yaml', (await service('one')) + (await service('two')));
  const controlPlane = await bench.controlPlane(bench.directory);
  await bench.proxy(controlPlane.xdsAddress.port);
  await textUntil(connect(port, 'one.test'), 'one ');
  await textUntil(connect(port, 'two.test'), 'two ');
  await textUntil(connect(port, 'any.test'), 'one ');
});

describe('servers behind TLS', () => {
  const rule = (tlsBlock: string): string => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: far, namespace: default }
spec: { host: far.test, trafficPolicy: { tls: ${tlsBlock} } }
---`;

  /** A gateway in plaintext in front of an HTTPS server for far.test. */
  async function start(tlsBlock: string): Promise<number> {
    const { certificate: cert, key } = authority.issue({ names: ['far.test'] });
    const server = https.createServer({ cert, key }, (request, response) => {
      response.end(`far ${(request.socket as tls.TLSSocket & { servername: string }).servername}`);
    });
    const [port, far] = await Promise.all([freePort(), bench.listening(server)]);
    await writeFile(join(bench.directory, 'ca.pem'), authority.certificate);
    await bench.startRouter(
      httpService('far.test', far) +
        rule(tlsBlock.replace('CA', join(bench.directory, 'ca.pem'))) +
        gateway('edge', `[{ port: { number: ${port}, name: http, protocol: HTTP }, hosts: [far.test] }]`) +
        virtualService('far', 'far.test', 'edge', `http: [{ ${to('far.test')} }]`),
    );
    return port;
  }

  it('are reached by their host’s name and verified by a CA', async () => {
    const port = await start('{ mode: SIMPLE, caCertificates: CA }');
    expect(await bench.ask(port, 'far.test')).toMatchObject({ status: 200, body: 'far far.test' });
  });

  it.each([
    ['another name is asked for', '{ mode: SIMPLE, caCertificates: CA, subjectAltNames: [near.test] }'],
    ['nobody of the system vouches for them', '{ mode: SIMPLE }'],
  ])('are refused where %s', async (_why, tlsBlock) => {
    const port = await start(tlsBlock);
    expect((await bench.ask(port, 'far.test')).status).toBe(503);
  });

  it('are taken as they are where the rule says so', async () => {
    const port = await start('{ mode: SIMPLE, sni: other.test, insecureSkipVerify: true }');
    expect(await bench.ask(port, 'far.test')).toMatchObject({ status: 200, body: 'far other.test' });
  });
});
