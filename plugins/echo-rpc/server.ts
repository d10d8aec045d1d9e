/**
 * An echo-rpc server that says who it is.
 *
 *   node server.ts --name v1 --port 9301
 */
import { createServer } from 'node:net';
import { parseArgs } from 'node:util';
import { type Frame, Kind, readFrames, writeFrame } from './frames.ts';

const { values } = parseArgs({
  options: { name: { type: 'string', default: 'v1' }, port: { type: 'string', default: '0' } },
});

const server = createServer((socket) => {
  socket.on('error', () => {});
  readFrames(socket, (frame) => {
    const answer = answerTo(frame);
    if (answer !== null) socket.write(writeFrame(answer));
  });
});

function answerTo(frame: Frame): Frame | null {
  switch (frame.kind) {
    case Kind.Request:
      return { ...frame, kind: Kind.Response, headers: { server: values.name } };
    case Kind.Heartbeat:
      return { ...frame, kind: Kind.HeartbeatAnswer };
    case Kind.Oneway:
      console.log(`${values.name}: ${frame.method} ${frame.body.toString()}`);
      return null;
    default:
      return null;
  }
}

server.listen(Number(values.port), '127.0.0.1', () => {
  const address = server.address() as { port: number };
  console.log(`${values.name} listens on 127.0.0.1:${address.port}`);
  // Whoever started it as a child wants to know the port, and ends it.
  process.send?.(address);
});
process.on('disconnect', () => process.exit());
