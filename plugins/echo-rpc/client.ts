/**
 * An echo-rpc client: calls one after the other and says who answered.
 *
 *   node client.ts --to 127.0.0.1:9300 --calls 100 --method say --header tenant=blue
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { parseArgs } from 'node:util';
import { type Frame, Kind, readFrames, writeFrame } from './frames.ts';

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

const socket = connect(Number(port), host);
await once(socket, 'connect');
let onAnswer: (frame: Frame) => void = () => {};
readFrames(socket, (frame) => onAnswer(frame));
socket.on('close', () => {
  console.error('the connection was closed');
  process.exit(1);
});

const answers = new Map<string, number>();
for (let id = 1n; id <= BigInt(values.calls); id++) {
  const { promise, resolve } = Promise.withResolvers<Frame>();
  onAnswer = resolve;
  const body = Buffer.from(`call ${id}`);
  socket.write(writeFrame({ kind: Kind.Request, code: 0, id, method: values.method, headers, body }));
  const answer = await promise;
  if (answer.id !== id) throw new Error(`answer ${answer.id} to call ${id}`);
  const who = answer.code === 0 ? `${answer.headers.server}` : `code ${answer.code}: ${answer.body}`;
  answers.set(who, (answers.get(who) ?? 0) + 1);
}
for (const [who, count] of answers) console.log(`${count} calls: ${who}`);
socket.removeAllListeners('close').end();
