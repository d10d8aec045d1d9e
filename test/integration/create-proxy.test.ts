/** The proxy as a library: routes, weights, hooks, updates, WebSocket-like tunnels, close. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../../scripts/certificates.ts';
import { ConfigError, createProxy, FilterStatus, type HttpProxy, Status, statusOf } from '../../src/index.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function server(name: string): Promise<string> {
  const backend = http.createServer((request, response) => {
    response.end(JSON.stringify({ name, url: request.url, headers: request.headers }));
  });
  backend.on('upgrade', (_request, socket: Socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    socket.pipe(socket);
  });
  backend.listen(0, '127.0.0.1');
  await once(backend, 'listening');
  closers.push(() => {
    backend.closeAllConnections();
    backend.close();
  });
  return `http://127.0.0.1:${(backend.address() as AddressInfo).port}`;
}

async function start(
  options: Omit<Parameters<typeof createProxy>[0], 'listen'>,
): Promise<{ proxy: HttpProxy; url: string }> {
  const proxy = await createProxy({ listen: { host: '127.0.0.1', port: 0 }, ...options });
  closers.push(() => proxy.close(0));
  return { proxy, url: `http://127.0.0.1:${proxy.address.port}` };
}

async function get(url: string, headers: Record<string, string> = {}) {
  const response = await fetch(url, { headers });
  const text = await response.text();
  return { status: response.status, text, ...(text.startsWith('{') ? JSON.parse(text) : {}) };
}

describe('createProxy', () => {
  it('routes by path, header and weight, and takes other routes while it runs', async () => {
    const [v1, v2] = [await server('v1'), await server('v2')];
    const { proxy, url } = await start({
      upstreams: { v1: [v1], v2: [v2] },
      routes: [
        { path: '/api/', rewrite: '/', to: 'v2', setHeaders: { 'x-from': 'proxy' } },
        { headers: { 'x-canary': true }, to: 'v2' },
        { path: /\/r\d+/, query: { q: 'a' }, to: 'v2' },
        { to: { v1: 1, v2: 0 } },
      ],
    });
    expect(await get(`${url}/`)).toMatchObject({
      name: 'v1',
      headers: { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http' },
    });
    expect(await get(`${url}/api/users?a`)).toMatchObject({
      name: 'v2',
      url: '/users?a',
      headers: { 'x-from': 'proxy' },
    });
    expect(await get(`${url}/`, { 'x-canary': '' })).toMatchObject({ name: 'v2' });
    expect([await get(`${url}/r1?q=a`), await get(`${url}/r1`)]).toMatchObject([{ name: 'v2' }, { name: 'v1' }]);
    await proxy.update({ upstreams: { v2: [v2] }, routes: [{ path: { exact: '/only' }, to: 'v2' }] });
    expect(await get(`${url}/only`)).toMatchObject({ name: 'v2' });
    expect((await get(`${url}/`)).status).toBe(404);
  });

  it('lets the program see and answer requests', async () => {
    const seen: string[] = [];
    const { url } = await start({
      upstreams: { main: [await server('main')] },
      routes: [{ to: 'main' }],
      filters: [
        {
          onRequest(stream, request) {
            if (request.get('authorization') === undefined) {
              stream.reply(statusOf(Status.denied, 'who are you?', 401));
              return FilterStatus.Stop;
            }
            request.remove('authorization');
            return FilterStatus.Continue;
          },
          onResponse(_stream, response) {
            response.set('x-proxy', 'meltemi');
            return FilterStatus.Continue;
          },
          onEnd(stream) {
            seen.push(`${stream.request.get(':method')} ${stream.response?.get(':status')}`);
          },
        },
      ],
    });
    expect(await get(url)).toMatchObject({ status: 401, text: 'denied: who are you?\n' });
    const response = await fetch(url, { headers: { authorization: 'me' } });
    expect(response.headers.get('x-proxy')).toBe('meltemi');
    expect(await response.text()).not.toContain('authorization');
    expect(seen).toEqual(['GET 401', 'GET 200']);
  });

  it('lets the program choose the route', async () => {
    const { url } = await start({
      upstreams: { a: [await server('a')], b: [await server('b')] },
      routes: [{ headers: { 'x-target': 'b' }, to: 'b', removeHeaders: ['x-target'] }, { to: 'a' }],
      filters: [
        {
          onRequest(stream, request) {
            if (request.get('?user') === 'ann') {
              request.set('x-target', 'b');
              stream.rematch();
            }
            return FilterStatus.Continue;
          },
        },
      ],
    });
    expect([await get(url), await get(`${url}/?user=ann`)]).toMatchObject([{ name: 'a' }, { name: 'b' }]);
    expect((await get(`${url}/?user=ann`)).headers).not.toHaveProperty('x-target');
  });

  it('tunnels a WebSocket', async () => {
    const { proxy } = await start({ upstreams: { main: [await server('main')] }, routes: [{ to: 'main' }] });
    const request = http.get({ port: proxy.address.port, headers: { connection: 'Upgrade', upgrade: 'websocket' } });
    const [, socket] = (await once(request, 'upgrade')) as [unknown, Socket];
    socket.write('ping');
    expect(String((await once(socket, 'data'))[0])).toBe('ping');
    socket.destroy();
  });

  it('bounds slow callers as it is told', async () => {
    const { proxy } = await start({
      upstreams: { main: [await server('main')] },
      routes: [{ to: 'main' }],
      timeouts: { headMs: 100 },
    });
    const socket = net.connect(proxy.address.port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost:');
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    expect(text).toMatch(/^HTTP\/1.1 408 .*a head was not whole within 100 ms/s);
    const timeouts = { headMs: -1, bodyMs: 1 } as { headMs: number };
    await expect(start({ upstreams: {}, routes: [], timeouts })).rejects.toMatchObject({
      issues: [{ path: 'timeouts.headMs' }, { path: 'timeouts.bodyMs' }],
    });
  });

  it('answers whom the kernel has accepted as it closes', async () => {
    const { proxy } = await start({ upstreams: { main: [await server('main')] }, routes: [{ to: 'main' }] });
    const answers = Array.from({ length: 40 }, () => {
      const socket = net.connect(proxy.address.port, '127.0.0.1', () =>
        socket.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n'),
      );
      const answer = once(socket, 'data').then(
        ([data]) => String(data).slice(0, 15),
        (error) => error.code,
      );
      return { answer, connected: once(socket, 'connect') };
    });
    await Promise.race(answers.map(({ connected }) => connected));
    const closed = proxy.close();
    expect(new Set(await Promise.all(answers.map(({ answer }) => answer)))).toEqual(new Set(['HTTP/1.1 200 OK']));
    await closed;
  });

  it('names every fault', async () => {
    const bad = createProxy({
      listen: { host: '127.0.0.1', port: 0 },
      upstreams: { a: ['https://example.com', 'nonsense'] },
      routes: [{ to: 'b', path: /x/i }],
    });
    await expect(bad).rejects.toThrow(ConfigError);
    await expect(bad).rejects.toMatchObject({
      issues: [
        { path: 'routes[0].to' },
        { path: 'routes[0].path' },
        { path: 'upstreams.a[0]' },
        { path: 'upstreams.a[1]' },
      ],
    });
    const regex = start({ upstreams: { a: [await server('a')] }, routes: [{ path: /(?=x)/, to: 'a' }] });
    await expect(regex).rejects.toThrow(/^routes\[0\]\.path: regex/);
    const a = { to: 'a', host: 'a b', path: '/x?y', rewrite: '/a b', removeHeaders: ['TE'] };
    const values = { to: 'a', path: 'api', setHeaders: { 'X-A': 'ü', Expect: '100-continue' } };
    await expect(start({ upstreams: { a: [] }, routes: [a, values] })).rejects.toMatchObject({
      issues: [
        { path: 'routes[0].host', message: '"a b" is no name, *.suffix or *' },
        { path: 'routes[0].path', message: expect.stringContaining('"/x?y" is no path as requests have it') },
        { path: 'routes[0].rewrite', message: '"/a b" is no path of visible ASCII' },
        { path: 'routes[0].removeHeaders', message: '"TE" is written by the codec alone' },
        { path: 'routes[1].path', message: expect.stringContaining('"api"') },
        { path: 'routes[1].setHeaders', message: '"X-A": "ü" is not a header of one line in ASCII' },
        { path: 'routes[1].setHeaders', message: '"Expect" is written by the codec alone' },
      ],
    });
    const untyped = { upstreams: { a: ['http://127.0.0.1:1'] }, routes: [{ pth: '/', to: 'a' }] };
    await expect(start(untyped)).rejects.toThrow(/^routes\[0\]\.pth: unknown field/);
  });
});

it('a program that waits for the end of its proxy goes on behind it', async () => {
  const library = JSON.stringify(new URL('../../src/index.ts', import.meta.url).href);
  const program = `
    import { createProxy } from ${library};
    const listen = { host: '127.0.0.1', port: 0 };
    const proxy = await createProxy({ listen, upstreams: { a: [] }, routes: [{ to: 'a' }] });
    // Its connection stays open.
    await (await fetch('http://127.0.0.1:' + proxy.address.port)).text();
    await proxy.close(500);
    console.log('closed');
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
  expect(stdout).toBe('closed\n');
});

describe('createProxy with TLS', () => {
  const authority = new CertificateAuthority();

  async function secure(names: readonly string[]): Promise<string> {
    const { certificate, key } = authority.issue({ names });
    const backend = https.createServer({ cert: certificate, key }, (request, response) => {
      response.end(JSON.stringify({ name: 'secure', headers: request.headers }));
    });
    backend.listen(0, '127.0.0.1');
    await once(backend, 'listening');
    closers.push(() => {
      backend.closeAllConnections();
      backend.close();
    });
    return `https://127.0.0.1:${(backend.address() as AddressInfo).port}`;
  }

  async function ask(port: number, servername: string): Promise<Record<string, unknown> & { status: number }> {
    const options = { host: '127.0.0.1', port, servername, ca: authority.certificate, headers: { host: servername } };
    const request = https.get({ ...options, agent: false });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    let text = '';
    for await (const chunk of response) text += chunk;
    return {
      status: response.statusCode,
      shown: (response.socket as TLSSocket).getPeerCertificate().subjectaltname,
      ...(text.startsWith('{') ? JSON.parse(text) : { text }),
    };
  }

  it('ends it, by files that may change, and speaks it to upstreams', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'meltemi-library-'));
    closers.push(() => rm(folder, { recursive: true }));
    const [cert, key] = [join(folder, 'c.pem'), join(folder, 'c.key')];
    const renew = async (...names: string[]) => {
      const issued = authority.issue({ names });
      await writeFile(key, issued.key);
      await writeFile(cert, issued.certificate);
    };
    await renew('a.example');
    const other = authority.issue({ names: ['b.example'] });
    const { proxy } = await start({
      tls: {
        certificates: [
          { cert: { file: cert }, key: { file: key } },
          { cert: other.certificate, key: Buffer.from(other.key) },
        ],
      },
      upstreams: { byName: [await secure(['s.example'])], byAddress: [await secure(['127.0.0.1'])] },
      upstreamTls: {
        byName: { serverName: 's.example', ca: authority.certificate },
        byAddress: { ca: authority.certificate },
      },
      routes: [{ host: 'a.example', to: 'byName' }, { to: 'byAddress' }],
    });
    const { port } = proxy.address;
    expect(await ask(port, 'a.example')).toMatchObject({
      shown: 'DNS:a.example',
      headers: { 'x-forwarded-proto': 'https' },
    });
    expect(await ask(port, 'b.example')).toMatchObject({ shown: 'DNS:b.example', status: 200 });
    await renew('a.example', 'c.example');
    while ((await ask(port, 'a.example')).shown !== 'DNS:a.example, DNS:c.example')
      await new Promise((resolve) => setTimeout(resolve, 50));
  });

  it('verifies servers unless told otherwise', async () => {
    const upstreams = { s: [await secure(['s.example'])] };
    const routes = [{ to: 's' }];
    const answers: unknown[] = [];
    for (const tls of [
      undefined,
      { ca: authority.certificate },
      { ca: authority.certificate, serverName: 't.example' },
      { verify: false as const },
    ]) {
      const { url } = await start({ upstreams, routes, ...(tls && { upstreamTls: { s: tls } }) });
      answers.push((await get(url)).text);
    }
    expect(answers).toEqual([
      expect.stringContaining('certificate is not accepted'),
      expect.stringContaining('expected ip exact 127.0.0.1'),
      expect.stringContaining('expected dns exact t.example'),
      expect.stringContaining('"name":"secure"'),
    ]);
  });

  it('tells its upstreams by what came, not by what a request claims', async () => {
    const { proxy } = await start({ upstreams: { a: [await server('a')] }, routes: [{ to: 'a' }] });
    const asked = http.get({
      port: proxy.address.port,
      path: 'https://h/x',
      headers: { host: 'h', 'x-forwarded-proto': 'https' },
    });
    const [response] = await once(asked, 'response');
    expect(JSON.parse(Buffer.concat(await response.toArray()).toString())).toMatchObject({
      url: '/x',
      headers: { 'x-forwarded-proto': 'http' },
    });
  });

  it('knows hosts with any port, its own among them', async () => {
    const upstreams = { a: [await server('a')], b: [await server('b')] };
    const routes = [
      { host: '127.0.0.1', to: 'a' },
      { host: '[::1]', to: 'b' },
    ];
    const { url, proxy } = await start({ upstreams, routes });
    expect(await get(url)).toMatchObject({ name: 'a' });
    const asked = http.get({ port: proxy.address.port, headers: { host: '[::1]:9' } });
    const [response] = await once(asked, 'response');
    expect(JSON.parse(Buffer.concat(await response.toArray()).toString())).toMatchObject({ name: 'b' });
  });

  it('says every fault', async () => {
    const pair = authority.issue({ names: ['a.example'] });
    const good = { listen: { host: '127.0.0.1', port: 0 }, routes: [], upstreams: {} };
    const faults = async (change: object) => {
      const error = await createProxy({ ...good, ...change }).catch((thrown: unknown) => thrown);
      return error instanceof ConfigError ? error.message : 'no error';
    };
    expect(
      await faults({
        tls: { certificates: [] },
        upstreams: { mixed: ['http://127.0.0.1:1', 'https://127.0.0.1:2'], plain: ['http://127.0.0.1:1'] },
        upstreamTls: { plain: {}, none: {} },
      }),
    ).toBe(
      [
        'upstreams.mixed: has both http:// and https://, expected one of them',
        'upstreamTls.plain: its endpoints are not https://',
        'upstreamTls.none: no such upstream',
        'tls.certificates: expected at least one',
      ].join('; '),
    );
    const routed = (route: object) =>
      faults({ upstreams: { a: ['http://127.0.0.1:1'] }, routes: [{ to: 'a', ...route }] });
    expect(await routed({ host: 'a.*.b', method: 'get', path: /(?=a)/, headers: { 'x y': /a/i } })).toBe(
      [
        'routes[0].host: "a.*.b" is no name, *.suffix or *',
        'routes[0].method: get: the case of methods counts, expected GET',
        'routes[0].headers: "x y" is not a header\'s name',
        'routes[0].path: regex "(?=a)" is not RE2 syntax: error parsing regexp: invalid or unsupported Perl syntax: `(?=`',
        'routes[0].headers: /a/i has flags, which RE2 takes inside: (?i)',
      ].join('; '),
    );
    expect(await routed({ to: {} })).toBe('routes[0].to: expected a weight of more than 0');
    expect(await routed({ setHeaders: { Host: 'x y', ':path': 'x' } })).toContain('":path": "x" is not a header');
    const nothing = createProxy as unknown as () => Promise<unknown>;
    await expect(nothing()).rejects.toThrow('actual nothing, expected an object of listen');
    expect(await routed({ host: 'a:80', setHeaders: { 'x a': 'b', x: 'a\r\nb', 'content-length': '1' } })).toBe(
      [
        'routes[0].host: "a:80" has a port, expected a name',
        'routes[0].setHeaders: "x a": "b" is not a header of one line in ASCII',
        'routes[0].setHeaders: "x": "a\\r\\nb" is not a header of one line in ASCII',
        'routes[0].setHeaders: "content-length" is written by the codec alone',
      ].join('; '),
    );
    expect(await faults({ tls: { certificates: [{ cert: pair.certificate, key: { file: '/none' } }] } })).toBe(
      "TLS: /none: ENOENT: no such file or directory, stat '/none'",
    );
    expect(await faults({ tls: { certificates: [{ cert: 'x', key: pair.key }] } })).toBe(
      'TLS: tls.certificates[0].cert: has no PEM block CERTIFICATE',
    );
  });
});
