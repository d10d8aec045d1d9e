/** A provider of the Wind service in Node, over frames.ts: its methods are those of java/…/Wind.java that need no Java classes. */
import net, { type AddressInfo, type Socket } from 'node:net';
import { eachFrame } from './each-frame.ts';
import { frame, type ReadCall, readCall, stockAnswer } from './frames.ts';

const ONE_ARGUMENT = new Set(['echo', 'attachment', 'observe']);

export interface WindServer {
  readonly port: number;
  /** Connections open now. */
  readonly connections: number;
  /** Oneway calls that came. */
  readonly observed: readonly string[];
  /** Tells every caller that it takes no new requests, as Java providers do when they are asked to end. */
  sayReadOnly(): void;
  close(): void;
}

export async function startWindServer(name: string, port = 0, host = '127.0.0.1'): Promise<WindServer> {
  const sockets = new Set<Socket>();
  const observed: string[] = [];
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    eachFrame(socket, (bytes) => {
      const flags = bytes[2]!;
      if (flags === 0xe2) socket.write(frame(0x22, 20, bytes.readBigInt64BE(4), bytes.subarray(16)));
      if ((flags & 0xa0) !== 0x80) return;
      const answer = answerTo(bytes);
      if ((flags & 0x40) !== 0) socket.write(answer);
    });
  });

  function answerTo(bytes: Buffer): Buffer {
    const call = readCall(bytes, (method) => (ONE_ARGUMENT.has(method) ? 1 : 0));
    const { id, attachments } = call;
    const value = invoke(call);
    if (value === undefined) return stockAnswer({ id, status: 40, value: `no method ${call.strings[3]}` });
    const tag = value === null ? 5 : 4;
    return stockAnswer({
      id,
      tag,
      value,
      attachments: { dubbo: '2.0.2', 'answered-by': name, saw: JSON.stringify(attachments) },
    });
  }

  /** null is an answer, undefined an unknown method. */
  function invoke({ strings, args, attachments }: ReadCall): unknown {
    switch (strings[3]) {
      case 'whoAreYou':
        return name;
      case 'echo':
        return args[0];
      case 'attachment':
        return attachments[String(args[0])] ?? null;
      case 'observe':
        observed.push(String(args[0]));
        return null;
      default:
        return undefined;
    }
  }

  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    observed,
    get connections() {
      return sockets.size;
    },
    sayReadOnly() {
      for (const socket of sockets) socket.write(frame(0xa2, 0, 1n, Buffer.from([0x01, 0x52])));
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
