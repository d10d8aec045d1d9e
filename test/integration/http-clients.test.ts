/** A part of `npm run interop -- http` for every run of the tests: stock clients through createProxy say what they say directly. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Child, Core } from '../../bench/child.ts';
import { curlUses, type Uses } from '../../interop/http/programs.ts';
import { createProxy, type HttpProxy } from '../../src/index.ts';

const hasCurl = spawnSync('curl', ['--version']).error === undefined;

describe('through the proxy as directly', () => {
  let server: Child;
  let proxy: HttpProxy;
  let direct: string;
  let url: string;
  let directory: string;

  beforeAll(async () => {
    server = Child.script('server', Core.any, join(import.meta.dirname, '../../interop/http/server.ts'));
    const { port } = await server.message<{ port: number }>();
    direct = `http://127.0.0.1:${port}`;
    proxy = await createProxy({
      listen: { host: '127.0.0.1', port: 0 },
      upstreams: { server: [direct] },
      routes: [{ to: 'server' }],
    });
    url = `http://127.0.0.1:${proxy.address.port}`;
    directory = await mkdtemp(join(tmpdir(), 'meltemi-clients-'));
    await writeFile(join(directory, 'upload'), Buffer.alloc(3_000_000, 'upload '));
  });
  afterAll(async () => {
    await proxy.close(0);
    await server.end();
    await rm(directory, { recursive: true });
  });

  it('curl', async ({ skip }) => {
    if (!hasCurl) return skip('curl is not installed');
    const { 'a gigabyte up': _up, 'a gigabyte down': _down, ...uses } = curlUses(join(directory, 'upload'), direct);
    const told = async (way: string, all: Uses) => {
      const results: [string, string][] = [];
      for (const [name, use] of Object.entries(all)) results.push([name, (await use(way)).replaceAll(way, 'URL')]);
      return results;
    };
    expect(await told(url, uses)).toEqual(await told(direct, uses));
  });

  it('fetch: a stream up, a body down by chunks, trailers read over', async () => {
    const ask = async (way: string) => {
      const stream = new Blob([Buffer.alloc(5_000_000, 'x')]).stream();
      const up = await fetch(`${way}/sum`, { method: 'POST', body: stream, duplex: 'half' } as RequestInit);
      const down = await fetch(`${way}/bytes?count=5000000&framing=chunked`);
      const trailers = await fetch(`${way}/trailers`);
      return [await up.text(), (await down.arrayBuffer()).byteLength, await trailers.text()];
    };
    expect(await ask(url)).toEqual(await ask(direct));
  });

  it('WebSocket: text and bytes of all frame sizes, and a clean close', async () => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`);
    socket.binaryType = 'arraybuffer';
    const next = <T extends Event>(type: string): Promise<T> =>
      new Promise((resolve, reject) => {
        socket.addEventListener(type, (event) => resolve(event as T), { once: true });
        socket.addEventListener('error', () => reject(new Error('the WebSocket failed')), { once: true });
      });
    await next('open');
    for (const size of [0, 1, 125, 126, 65_535, 65_536, 300_000]) {
      for (const sent of ['x'.repeat(size), new Uint8Array(size).fill(size)]) {
        const heard = next<MessageEvent>('message');
        socket.send(sent);
        const { data } = await heard;
        expect(typeof data === 'string' ? data : new Uint8Array(data)).toEqual(sent);
      }
    }
    const closed = next<CloseEvent>('close');
    socket.close(1000, 'done');
    expect(await closed).toMatchObject({ code: 1000, reason: 'done', wasClean: true });
  });
});
