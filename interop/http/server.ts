/** The server process of the HTTP runs, `server.ts`: tells its port over IPC. What it answers to each path stands in `answers`. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { echoWebSocket } from './web-socket-echo.ts';

type Answer = (request: http.IncomingMessage, response: http.ServerResponse, url: URL) => unknown;

const page = readFileSync(new URL('page.html', import.meta.url));
const BLOCK_BYTES = 65_536;
let aborted = 0;

/** A body in which each block tells its place. */
function* pattern(bytes: number): Generator<Buffer> {
  for (let from = 0, index = 0; from < bytes; from += BLOCK_BYTES, index++) {
    const block = Buffer.alloc(Math.min(BLOCK_BYTES, bytes - from), index & 0xff);
    if (block.length >= 4) block.writeUInt32BE(index);
    yield block;
  }
}

const answers: Readonly<Record<string, Answer>> = {
  '/text': (_request, response) => response.setHeader('content-type', 'text/plain').end('hello'),
  '/page': (_request, response) => response.setHeader('content-type', 'text/html').end(page),
  '/favicon.ico': (_request, response) => response.writeHead(204).end(),
  '/nothing': (_request, response) => response.writeHead(204).end(),
  '/unchanged': (_request, response) => response.writeHead(304, { etag: '"1"' }).end(),
  '/hints': (_request, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload' });
    response.end('hinted');
  },
  '/trailers': (_request, response) => {
    response.writeHead(200, { trailer: 'x-sum' });
    response.write('body');
    response.addTrailers({ 'x-sum': '4' });
    response.end();
  },
  '/refuse': (_request, response) => response.writeHead(413, { connection: 'close' }).end('too big'),
  /** What came: its length and a digest. */
  '/sum': async (request, response) => {
    const hash = createHash('sha1');
    let bytes = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
    }
    response.end(`${request.method} ${bytes} ${hash.digest('hex')}`);
  },
  '/echo': (request, response) => request.pipe(response),
  '/bytes': (_request, response, url) => {
    const bytes = Number(url.searchParams.get('count'));
    if (url.searchParams.get('framing') !== 'chunked') response.setHeader('content-length', bytes);
    return pipeline(Readable.from(pattern(bytes), { objectMode: false, highWaterMark: BLOCK_BYTES }), response).catch(
      () => {},
    );
  },
  '/never': (request) => request.on('close', () => aborted++),
  '/aborted': (_request, response) => response.end(String(aborted)),
};

const server = http.createServer((request, response) => {
  const url = new URL(request.url!, 'http://server');
  const answer = answers[url.pathname];
  if (answer === undefined) response.writeHead(404).end(`no ${url.pathname}`);
  else void answer(request, response, url);
});
server.on('upgrade', echoWebSocket);
server.listen(0, '127.0.0.1');
await once(server, 'listening');
process.send?.({ port: (server.address() as AddressInfo).port });
