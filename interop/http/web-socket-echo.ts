/** A WebSocket server (RFC 6455) that sends back each message as it came: handshake, masked frames, fragments, ping and close. */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const Opcode = { Close: 8, Ping: 9, Pong: 10 } as const;

/** For the `upgrade` event of a server. */
export function echoWebSocket(request: IncomingMessage, socket: Duplex): void {
  const key = request.headers['sec-websocket-key'];
  const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64');
  socket.on('error', () => {});
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  let waiting = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    waiting = Buffer.concat([waiting, chunk]);
    for (let frame = readFrame(waiting); frame !== null; frame = readFrame(waiting)) {
      waiting = waiting.subarray(frame.length);
      const opcode = frame.first & 0x0f;
      if (opcode === Opcode.Ping) socket.write(writeFrame(0x80 | Opcode.Pong, frame.payload));
      else socket.write(writeFrame(frame.first, frame.payload));
      if (opcode === Opcode.Close) socket.end();
    }
  });
}

interface Frame {
  /** FIN and opcode. */
  readonly first: number;
  readonly payload: Buffer;
  readonly length: number;
}

function readFrame(bytes: Buffer): Frame | null {
  if (bytes.length < 2) return null;
  const short = bytes[1]! & 0x7f;
  const maskAt = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < maskAt + 4) return null;
  const size = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  const from = maskAt + 4;
  if (bytes.length < from + size) return null;
  const payload = Buffer.from(bytes.subarray(from, from + size));
  for (let at = 0; at < size; at++) payload[at]! ^= bytes[maskAt + (at & 3)]!;
  return { first: bytes[0]!, payload, length: from + size };
}

function writeFrame(first: number, payload: Buffer): Buffer {
  const size = payload.length;
  const head = Buffer.alloc(size < 126 ? 2 : size < 65_536 ? 4 : 10);
  head[0] = first;
  head[1] = size < 126 ? size : size < 65_536 ? 126 : 127;
  if (head.length === 4) head.writeUInt16BE(size, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(size), 2);
  return Buffer.concat([head, payload]);
}
