/** The proxy inside a Node process: `node examples/http/library.ts`, then `curl -H 'x-rank: captain' 127.0.0.1:8079/api/ships`. */
import { createProxy, FilterStatus } from '../../src/index.ts';
import { startHarbour } from './harbour-server.ts';

const [v1, v2] = await Promise.all(['v1', 'v2'].map((version) => startHarbour(version)));

const proxy = await createProxy({
  listen: { host: '127.0.0.1', port: 8079 },
  upstreams: { v1: [`http://127.0.0.1:${v1!.port}`], v2: [`http://127.0.0.1:${v2!.port}`] },
  routes: [
    { headers: { 'x-rank': 'captain' }, to: 'v2' },
    { path: '/api/', rewrite: '/', to: { v1: 80, v2: 20 } },
    { to: 'v1' },
  ],
  filters: [
    {
      onResponse(stream, response) {
        response.set('x-took-ms', stream.elapsedMs.toFixed(1));
        return FilterStatus.Continue;
      },
    },
  ],
});

console.log(`http://${proxy.address.host}:${proxy.address.port}, until Ctrl-C`);
process.once('SIGINT', async () => {
  await proxy.close();
  process.exit();
});
