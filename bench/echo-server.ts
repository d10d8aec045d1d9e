/** The backend process, `echo-server.ts PROTOCOL [reversed]`: answers echo calls, in the order of the calls or, told `reversed`, each read's calls backwards. */
import net from 'node:net';
import { echoProtocolNamed } from './echo-protocols.ts';
import { FrameSplitter } from './frame-splitter.ts';

const frameLimitBytes = 1 << 20;
const protocol = echoProtocolNamed(process.argv[2]);
const reversed = process.argv[3] === 'reversed';

const server = net.createServer({ noDelay: true }, (socket) => {
  const replies: Buffer[] = [];
  const splitter = new FrameSplitter(protocol.frame, frameLimitBytes, (bytes, from, to) => {
    replies.push(protocol.replyTo(bytes, from, to));
  });
  socket.on('data', (chunk: Buffer) => {
    splitter.push(chunk, chunk.length);
    if (replies.length === 0) return;
    if (reversed) replies.reverse();
    socket.write(replies.length === 1 ? replies[0]! : Buffer.concat(replies));
    replies.length = 0;
  });
  socket.on('error', () => socket.destroy());
});

server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as net.AddressInfo).port }));
process.on('disconnect', () => process.exit());
