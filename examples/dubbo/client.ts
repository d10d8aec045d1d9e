/**
 * Calls the Wind service and prints who answered.
 *
 *   npx node examples/dubbo/client.ts --count 10
 *   npx node examples/dubbo/client.ts --interface meltemi.Sea --method echo --argument hello --group north --attachment tier=gold
 */
import { parseArgs } from 'node:util';
import { connectWind } from './wind-client.ts';

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.10.0.2' },
    port: { type: 'string', default: '20880' },
    interface: { type: 'string', default: 'meltemi.Wind' },
    method: { type: 'string', default: 'whoAreYou' },
    argument: { type: 'string' },
    group: { type: 'string' },
    version: { type: 'string', default: '0.0.0' },
    attachment: { type: 'string', multiple: true, default: [] },
    count: { type: 'string', default: '10' },
  },
});

const { interface: path, method, version, group } = values;
const args = values.argument === undefined ? [] : [values.argument];
const attachments = {
  path,
  interface: path,
  version,
  ...(group === undefined ? {} : { group }),
  ...Object.fromEntries(values.attachment.map((text) => text.split('=', 2))),
};

const wind = await connectWind(Number(values.port), values.host);
const answers = new Map<string, number>();
for (let call = 0; call < Number(values.count); call++) {
  const answer = await wind.call({ path, method, version, args, attachments });
  const { 'answered-by': name, saw, ...others } = answer.attachments ?? {};
  const from = name === undefined ? `status ${answer.status}` : String(name);
  answers.set(from, (answers.get(from) ?? 0) + 1);
  if (call === 0)
    console.log(`the server saw ${saw ?? 'nothing'}; the answer's attachments: ${JSON.stringify(others)}`);
  console.log(`${JSON.stringify(answer.value)} (${from})`);
}
console.log([...answers].map(([from, count]) => `${from}: ${count}`).join(', '));
wind.close();
