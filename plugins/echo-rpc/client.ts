/**
 * Calls one after the other, and says who answered.
 *
 *   node client.ts --to 127.0.0.1:9300 --calls 100 --method say --header tenant=blue
 */
import { parseArgs } from 'node:util';
import { EchoClient } from './echo-client.ts';

const { values } = parseArgs({
  options: {
    to: { type: 'string', default: '127.0.0.1:9300' },
    calls: { type: 'string', default: '100' },
    method: { type: 'string', default: 'say' },
    header: { type: 'string', multiple: true, default: [] },
  },
});
const [host, port] = values.to.split(':');
const headers = Object.fromEntries(values.header.map((header) => header.split('=', 2) as [string, string]));

const client = await EchoClient.connect(Number(port), host);
const answers = new Map<string, number>();
for (let call = 1; call <= Number(values.calls); call++) {
  const answer = await client.call(values.method, headers, `call ${call}`);
  const who = answer.code === 0 ? `${answer.headers.server}` : `code ${answer.code}: ${answer.body}`;
  answers.set(who, (answers.get(who) ?? 0) + 1);
}
for (const [who, count] of answers) console.log(`${count} calls: ${who}`);
client.close();
