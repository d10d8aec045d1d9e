/** undici as a program uses it: its pool, pipelining, streams, upgrades, WebSocket and aborts. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Uses } from './programs.ts';

interface Answer {
  readonly statusCode: number;
  readonly trailers: Record<string, string>;
  readonly body: { text(): Promise<string> };
}

interface Dispatcher {
  request(options: {
    path: string;
    method: string;
    body?: string | Readable;
    signal?: AbortSignal;
    headers?: Record<string, string>;
  }): Promise<Answer>;
  close(): Promise<void>;
}

/** As much of undici as is used here. */
export interface Undici {
  readonly Pool: new (url: string, options: { connections: number; pipelining: number }) => Dispatcher;
  readonly WebSocket: typeof WebSocket;
  readonly fetch: typeof fetch;
}

const REQUESTS = 2_000;

export function undiciUses({ Pool, WebSocket, fetch }: Undici): Uses {
  const inPool = async (
    url: string,
    connections: number,
    pipelining: number,
    use: (pool: Dispatcher) => Promise<string>,
  ) => {
    const pool = new Pool(url, { connections, pipelining });
    try {
      return await use(pool);
    } finally {
      await pool.close();
    }
  };
  const many = async (pool: Dispatcher): Promise<string> => {
    let wrong = 0;
    await Promise.all(
      Array.from({ length: REQUESTS }, async (_, index) => {
        const count = index % 300;
        const { statusCode, body } = await pool.request({ path: `/bytes?count=${count}`, method: 'GET' });
        if (statusCode !== 200 || (await body.text()).length !== count) wrong++;
      }),
    );
    return `${REQUESTS} requests, ${wrong} wrong`;
  };
  return {
    'a pool of 16': (url) => inPool(url, 16, 1, many),
    'pipelining, 10 deep': (url) => inPool(url, 4, 10, many),
    'a stream up': (url) =>
      inPool(url, 1, 1, async (pool) => {
        const body = Readable.from(Array.from({ length: 800 }, (_, index) => Buffer.alloc(50_000, index)));
        const answer = await pool.request({ path: '/sum', method: 'PUT', body });
        return `${answer.statusCode} ${await answer.body.text()}`;
      }),
    trailers: (url) =>
      inPool(url, 1, 1, async (pool) => {
        const answer = await pool.request({ path: '/trailers', method: 'GET' });
        const text = await answer.body.text();
        return `${text} ${JSON.stringify(answer.trailers)}`;
      }),
    'a fetch of 50 MB': async (url) => {
      const response = await fetch(`${url}/bytes?count=50000000&framing=chunked`);
      return createHash('sha1')
        .update(Buffer.from(await response.arrayBuffer()))
        .digest('hex');
    },
    'an abort that the server hears of': (url) =>
      inPool(url, 1, 1, async (pool) => {
        const aborted = async () => Number(await (await fetch(`${url}/aborted`)).text());
        const before = await aborted();
        const abort = new AbortController();
        const pending = pool.request({ path: '/never', method: 'GET', signal: abort.signal }).catch(() => null);
        await sleep(200);
        abort.abort();
        await pending;
        await sleep(100);
        return `${(await aborted()) - before}`;
      }),
    'a WebSocket': async (url) => {
      const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`);
      socket.binaryType = 'arraybuffer';
      await once(socket, 'open');
      let right = 0;
      for (let index = 0; index < 300; index++) {
        const sent = index % 2 === 0 ? `text ${index}` : new Uint8Array(index * 500).fill(index);
        const heard = once(socket, 'message') as Promise<[MessageEvent]>;
        socket.send(sent);
        const [{ data }] = await heard;
        if (typeof sent === 'string' ? data === sent : Buffer.from(data).equals(Buffer.from(sent))) right++;
      }
      const closed = once(socket, 'close') as Promise<[CloseEvent]>;
      socket.close(1000, 'done');
      const [{ code, reason, wasClean }] = await closed;
      return `${right} messages, ${code} ${reason} ${wasClean}`;
    },
  };
}
