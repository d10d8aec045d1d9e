/** What Node users write by themselves: node:http in front, undici behind, two routes and an access log. */
import { createWriteStream } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';

const [upstreamPort, accessLog] = process.argv.slice(2);
const pool = new Pool(`http://127.0.0.1:${upstreamPort}`, { connections: 128 });
const routes = [
  { prefix: '/other', pool },
  { prefix: '/', pool },
];
const log = createWriteStream(accessLog!);

const server = http.createServer((request, response) => {
  const { method = 'GET', url = '/', headers } = request;
  const startMs = performance.now();
  const route = routes.find(({ prefix }) => url.startsWith(prefix))!;
  const { connection, ...forwarded } = headers;
  const body = method === 'GET' || method === 'HEAD' ? null : request;
  route.pool
    .stream({ method: method as 'GET', path: url, headers: forwarded, body }, (answer) => {
      const { connection: upstreams, ...kept } = answer.headers;
      response.writeHead(answer.statusCode, kept);
      return response;
    })
    .then(
      () => log.write(`${method} ${url} ${route.prefix} ${response.statusCode} ${performance.now() - startMs}\n`),
      () => response.destroy(),
    );
});

server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.on('disconnect', () => process.exit());
