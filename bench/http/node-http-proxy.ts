/** What Node offers by itself: node:http on both sides, with keep-alive. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';

const upstreamPort = Number(process.argv[2]);
const agent = new http.Agent({ keepAlive: true, maxSockets: 128 });

const server = http.createServer((request, response) => {
  const { method = 'GET', url = '/', headers } = request;
  const upstream = http.request(
    { host: '127.0.0.1', port: upstreamPort, agent, method, path: url, headers },
    (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    },
  );
  upstream.on('error', () => response.destroy());
  request.pipe(upstream);
});

server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.on('disconnect', () => process.exit());
