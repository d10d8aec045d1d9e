/** Races with servers that close: under an upload they have answered, and as the next request goes out. Bare sockets, so that the close is exact. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../../scripts/certificates.ts';
import { createProxy } from '../../src/index.ts';

const run = promisify(execFile);
/** Far more than all buffers on the way. */
const UPLOAD = Buffer.alloc(20_000_000, 'x');
const TOO_LARGE = 'HTTP/1.1 413 Content Too Large\r\nContent-Length: 7\r\nConnection: close\r\n\r\ntoo big';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** `onConnection` plays the server, over TLS by `authority` or in the clear; gives the address of a proxy in front of it. */
async function behindProxy(
  onConnection: (socket: Socket) => void,
  authority: CertificateAuthority | null = null,
): Promise<{ host: string; port: number }> {
  const sockets = new Set<Socket>();
  const listener = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    onConnection(socket);
  };
  const { certificate, key } = authority?.issue({ names: ['127.0.0.1'] }) ?? {};
  const server =
    authority === null ? net.createServer(listener) : tls.createServer({ cert: certificate, key }, listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const scheme = authority === null ? 'http' : 'https';
  const proxy = await createProxy({
    listen: { host: '127.0.0.1', port: 0 },
    upstreams: { main: [`${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`] },
    ...(authority && { upstreamTls: { main: { ca: authority.certificate } } }),
    routes: [{ to: 'main' }],
  });
  closers.push(() => proxy.close(0));
  return proxy.address;
}

describe('an answer whose end is that of its connection', () => {
  it.each([
    ['FIN in its chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n', 'end'],
    ['reset', 'HTTP/1.1 200 OK\r\n\r\nhalf', 'resetAndDestroy'],
  ] as const)('is reset for the caller after a %s', async (_how, answer, leave) => {
    const { host, port } = await behindProxy((socket) => {
      socket.on('data', () => socket.write(answer, () => setTimeout(() => socket[leave](), 50)));
    });
    const caller = net.connect(port, host);
    caller.write('GET / HTTP/1.0\r\n\r\n');
    let text = '';
    caller.on('data', (chunk) => {
      text += String(chunk);
    });
    const [error] = (await once(caller, 'close').catch((error) => [error])) as [NodeJS.ErrnoException];
    expect([text.split('\r\n\r\n')[1], error.code]).toEqual(['half', 'ECONNRESET']);
  });
});

describe('an early 413', () => {
  const ways: [string, (socket: Socket) => void][] = [
    ['closes at once, so that the rest of the upload resets the connection', (socket) => socket.destroy()],
    ['ends its sending and reads nothing', (socket) => socket.pause().end()],
    ['ends its sending and reads the rest', (socket) => socket.resume().end()],
  ];
  const authority = new CertificateAuthority();

  it.each([
    ...ways.map(([how, leave]) => [how, leave, null] as const),
    ...ways.map(([how, leave]) => [`speaks TLS and ${how}`, leave, authority] as const),
  ])('of a server that %s reaches fetch and curl', async (_how, leave, security) => {
    const { host, port } = await behindProxy((socket) => {
      let head = '';
      socket.on('data', (chunk) => {
        if (head.includes('\r\n\r\n')) return;
        head += chunk.toString('latin1');
        if (head.includes('\r\n\r\n')) socket.write(TOO_LARGE, () => leave(socket));
      });
    }, security);
    const url = `http://${host}:${port}/`;
    const seen = new Set<string>();
    for (let upload = 0; upload < 10; upload++) {
      const response = await fetch(url, { method: 'POST', body: UPLOAD });
      seen.add(`fetch ${response.status} ${await response.text()}`);
    }
    const folder = await mkdtemp(join(tmpdir(), 'meltemi-upload-'));
    closers.push(() => rm(folder, { recursive: true }));
    const file = join(folder, 'upload');
    await writeFile(file, UPLOAD);
    for (const header of ['Expect:', 'Expect: 100-continue', 'Transfer-Encoding: chunked']) {
      const { stdout } = await run('curl', [
        '-sS',
        '-w',
        ' %{http_code}',
        '-H',
        header,
        '--data-binary',
        `@${file}`,
        url,
      ]);
      seen.add(`curl ${stdout}`);
    }
    expect([...seen]).toEqual(['fetch 413 too big', 'curl too big 413']);
  });
});

describe('a keep-alive connection that its server closes as the next request goes out', () => {
  /** Answers the first request of a connection; `leave` decides what becomes of the next. */
  async function callThrough(
    leave: (socket: Socket, answered: number) => void,
    method: string,
  ): Promise<{ statuses: Record<string, number>; most: number }> {
    /** How often each request arrived in whole. */
    const arrivals = new Map<string, number>();
    const { host, port } = await behindProxy((socket) => {
      let text = '';
      let answered = 0;
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1');
        const head = /x-id: (\d+)\r\n.*?\r\n\r\n/is.exec(text);
        if (head === null || (method === 'POST' && text.length < head.index + head[0].length + 2)) return;
        text = '';
        arrivals.set(head[1]!, (arrivals.get(head[1]!) ?? 0) + 1);
        if (answered === 0) socket.write(OK);
        leave(socket, answered++);
      });
    });
    const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
    closers.push(() => agent.destroy());
    const statuses: Record<string, number> = {};
    let last = 0;
    const call = async (): Promise<void> => {
      const length = method === 'POST' ? { 'content-length': 2 } : {};
      const request = http.request({ host, port, agent, method, headers: { 'x-id': `${++last}`, ...length } });
      request.end(method === 'POST' ? 'ab' : undefined);
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      statuses[response.statusCode!] = (statuses[response.statusCode!] ?? 0) + 1;
      await once(response.resume(), 'end');
    };
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        for (let round = 0; round < 50; round++) await call();
      }),
    );
    return { statuses, most: Math.max(...arrivals.values()) };
  }

  const ways: [string, (socket: Socket, answered: number) => void][] = [
    ['behind its answer', (socket, answered) => answered === 0 && socket.end()],
    ['by FIN, the request read', (socket, answered) => answered > 0 && socket.destroy()],
    ['by RST, the request read', (socket, answered) => answered > 0 && socket.resetAndDestroy()],
    ['some time', (socket, answered) => answered === 0 && setTimeout(() => socket.destroy(), Math.random() * 3)],
  ];

  it.each(ways)('%s: costs no GET', async (_how, leave) => {
    const { statuses } = await callThrough(leave, 'GET');
    expect(statuses).toEqual({ 200: 400 });
  });

  it.each(ways)('%s: no POST arrives twice', async (_how, leave) => {
    const { statuses, most } = await callThrough(leave, 'POST');
    expect(most).toBe(1);
    expect((statuses[200] ?? 0) + (statuses[503] ?? 0)).toBe(400);
  });
});
