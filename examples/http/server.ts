/** `node server.ts --name v1 --port 8081`: one version of the service, until Ctrl-C. */
import { parseArgs } from 'node:util';
import { startHarbour } from './harbour-server.ts';

const { values } = parseArgs({
  options: { name: { type: 'string', default: 'v1' }, port: { type: 'string', default: '8081' } },
});
const { port } = await startHarbour(values.name, Number(values.port));
console.log(`${values.name} listens at 127.0.0.1:${port}`);
