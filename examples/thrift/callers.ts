/**
 * Steady callers in three groups, each connection with one call at a time. Started by the demo, it tells every outcome to its parent; alone it prints
 * a line per second.
 *
 *   npx node examples/thrift/callers.ts --framed 127.10.0.1:9090 --theader 127.10.0.1:9091
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Forecast } from './generated/Wind.js';
import type { WireName } from './transports.ts';
import { connectWind } from './wind-client.ts';

interface Group {
  readonly name: string;
  readonly wire: WireName;
  readonly method: 'forecast' | 'warning';
  readonly headers: Readonly<Record<string, string>>;
}

/** What became of one call, or of a connection that nobody meant to close. */
interface Outcome {
  readonly group: string;
  readonly servedBy?: string;
  readonly failure?: string;
  readonly closed?: boolean;
}

const groups: readonly Group[] = [
  { name: 'forecast, framed', wire: 'framed', method: 'forecast', headers: {} },
  { name: 'warning, framed', wire: 'framed', method: 'warning', headers: {} },
  { name: 'forecast, THeader, tier=gold', wire: 'theader', method: 'forecast', headers: { tier: 'gold' } },
];
const callersPerGroup = 4;
const pauseMs = 50;
const islands = ['Naxos', 'Paros', 'Mykonos', 'Tinos', 'Andros', 'Ios', 'Milos', 'Syros', 'Kea', 'Amorgos'];

const { values } = parseArgs({
  options: {
    framed: { type: 'string', default: '127.10.0.1:9090' },
    theader: { type: 'string', default: '127.10.0.1:9091' },
  },
});

const counts = new Map<string, number>();

function tell(outcome: Outcome): void {
  if (process.send) {
    process.send(outcome);
    return;
  }
  const key = `${outcome.group}: ${outcome.servedBy ?? outcome.failure ?? 'connection closed'}`;
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** Calls over one connection until it is closed. */
async function callWhileOpen(group: Group): Promise<void> {
  const [host, port] = values[group.wire].split(':') as [string, string];
  const { wind, connection } = await connectWind(host, Number(port), group.wire, group.headers);
  let open = true;
  let abandon = (_: Error) => {};
  connection.on('error', (error: Error) => abandon(error));
  connection.on('close', () => {
    open = false;
    abandon(new Error('connection closed during the call'));
    tell({ group: group.name, closed: true });
  });
  for (let n = 0; open; n++) {
    const island = islands[n % islands.length]!;
    if (group.wire === 'theader') wind.output.setWriteHeader('island', island);
    try {
      const { servedBy } = await new Promise<Forecast>((resolve, reject) => {
        abandon = reject;
        wind[group.method](island).then(resolve, reject);
      });
      tell({ group: group.name, servedBy });
    } catch (error) {
      tell({ group: group.name, failure: (error as Error).message });
    }
    await sleep(pauseMs);
  }
}

async function call(group: Group): Promise<never> {
  for (;;) {
    await callWhileOpen(group).catch((error: Error) => tell({ group: group.name, failure: error.message }));
    await sleep(pauseMs);
  }
}

if (!process.send) {
  setInterval(() => {
    console.log([...counts].map(([key, count]) => `${key} ${count}`).join('   '));
    counts.clear();
  }, 1000);
}
process.on('disconnect', () => process.exit());
await Promise.all(groups.flatMap((group) => Array.from({ length: callersPerGroup }, () => call(group))));
