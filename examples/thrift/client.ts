/**
 * Calls the Wind service and prints who answered.
 *
 *   npx node examples/thrift/client.ts --port 9090 --method warning --count 10
 *   npx node examples/thrift/client.ts --wire theader --port 9091 --header tier=gold
 */
import { parseArgs } from 'node:util';
import { type WireName, wireNames } from './transports.ts';
import { connectWind } from './wind-client.ts';

const islands = ['Naxos', 'Paros', 'Mykonos', 'Tinos', 'Andros', 'Ios', 'Milos', 'Syros', 'Kea', 'Amorgos'];
const methods = ['forecast', 'warning', 'observe'] as const;

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.10.0.1' },
    port: { type: 'string' },
    wire: { type: 'string', default: 'framed' },
    method: { type: 'string', default: 'forecast' },
    island: { type: 'string' },
    header: { type: 'string', multiple: true, default: [] },
    count: { type: 'string', default: '10' },
  },
});

function oneOf<T extends string>(option: string, value: string, known: readonly T[]): T {
  const found = known.find((name) => name === value);
  if (found === undefined) throw new Error(`--${option} ${value}: expected ${known.join(', ')}`);
  return found;
}

const wire: WireName = oneOf('wire', values.wire, wireNames);
const method = oneOf('method', values.method, methods);
const port = Number(values.port ?? (wire === 'framed' ? 9090 : 9091));
const headers = Object.fromEntries(values.header.map((text) => text.split('=', 2) as [string, string]));

const { wind, connection } = await connectWind(values.host, port, wire, headers);
const answers = new Map<string, number>();
for (let call = 0; call < Number(values.count); call++) {
  const island = values.island ?? islands[call % islands.length]!;
  if (method === 'observe') {
    await wind.observe(island, 7);
    continue;
  }
  if (wire === 'theader') wind.output.setWriteHeader('island', island);
  const { servedBy, beaufort, headersSeen } = await wind[method](island);
  answers.set(servedBy, (answers.get(servedBy) ?? 0) + 1);
  const seen = Object.entries(headersSeen).map(([key, value]) => `${key}=${value}`);
  console.log([`${island}: ${beaufort} Bft, says ${servedBy}`, ...seen].join('  '));
}
console.log([...answers].map(([servedBy, count]) => `${servedBy}: ${count}`).join(', '));
connection.end();
