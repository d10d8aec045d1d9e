/**
 * A provider of the Wind service.
 *
 *   npx node examples/dubbo/server.ts --name v1 --port 20881
 */
import { parseArgs } from 'node:util';
import { startWindServer } from './wind-server.ts';

const { values } = parseArgs({
  options: {
    name: { type: 'string', default: 'v1' },
    port: { type: 'string', default: '20881' },
    host: { type: 'string', default: '127.0.0.1' },
  },
});

const server = await startWindServer(values.name, Number(values.port), values.host);
console.log(`${values.name} listens on ${values.host}:${server.port}`);

process.once('SIGTERM', () => {
  server.sayReadOnly();
  setTimeout(() => server.close(), 500);
});
