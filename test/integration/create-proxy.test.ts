/** The proxy as a library: routes, weights, hooks, updates, WebSocket-like tunnels, close. */
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
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

  it('names every fault', async () => {
    const bad = createProxy({
      listen: { host: '127.0.0.1', port: 0 },
      upstreams: { a: ['https://example.com', 'nonsense'] },
      routes: [{ to: 'b', path: /x/i }],
    });
    await expect(bad).rejects.toThrow(ConfigError);
    await expect(bad).rejects.toMatchObject({
      issues: [{ path: 'routes[0].to' }, { path: 'routes[0]' }, { path: 'upstreams.a[0]' }, { path: 'upstreams.a[1]' }],
    });
    const regex = start({ upstreams: { a: [await server('a')] }, routes: [{ path: /(?=x)/, to: 'a' }] });
    await expect(regex).rejects.toThrow(/match\[:pathname\]/);
  });
});
