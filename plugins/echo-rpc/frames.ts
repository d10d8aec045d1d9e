/** Frames of echo-rpc as its own servers and clients write and read them; see codec.ts for the diagram. */
import type { Socket } from 'node:net';

export const Kind = { Request: 0, Response: 1, Oneway: 2, Heartbeat: 3, HeartbeatAnswer: 4 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

export interface Frame {
  readonly kind: Kind;
  readonly code: number;
  readonly id: bigint;
  /** Of requests. */
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const HEAD_BYTES = 16;

export function writeFrame({ kind, code, id, method, headers, body }: Frame): Buffer {
  const entries = Object.entries(headers).flatMap(([key, value]) => [prefixed(key, 1), prefixed(value, 2)]);
  const map = Buffer.concat(entries);
  const mapLength = Buffer.alloc(2);
  mapLength.writeUInt16BE(map.length);
  const isRequest = kind === Kind.Request || kind === Kind.Oneway;
  const parts: Buffer[] = isRequest || kind === Kind.Response ? [mapLength, map] : [];
  if (isRequest) parts.unshift(prefixed(method, 2));
  const behind = Buffer.concat([...parts, body]);
  const head = Buffer.alloc(HEAD_BYTES);
  head.set([0xec, 0x01, kind, code]);
  head.writeBigUInt64BE(id, 4);
  head.writeUInt32BE(behind.length, 12);
  return Buffer.concat([head, behind]);
}

/** Calls `onFrame` for each frame that comes. */
export function readFrames(socket: Socket, onFrame: (frame: Frame) => void): void {
  let waiting: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    waiting = Buffer.concat([waiting, chunk]);
    while (waiting.length >= HEAD_BYTES) {
      const length = HEAD_BYTES + waiting.readUInt32BE(12);
      if (waiting.length < length) return;
      onFrame(readFrame(waiting.subarray(0, length)));
      waiting = waiting.subarray(length);
    }
  });
}

function readFrame(bytes: Buffer): Frame {
  const kind = bytes[2] as Kind;
  const headers: Record<string, string> = {};
  let method = '';
  let at = HEAD_BYTES;
  const take = (lengthBytes: number) => {
    const start = at + lengthBytes;
    at = start + bytes.readUIntBE(at, lengthBytes);
    return bytes.toString('utf8', start, at);
  };
  if (kind === Kind.Request || kind === Kind.Oneway) method = take(2);
  if (kind <= Kind.Oneway) {
    const end = at + 2 + bytes.readUInt16BE(at);
    at += 2;
    while (at < end) {
      const key = take(1);
      headers[key] = take(2);
    }
  }
  return { kind, code: bytes[3]!, id: bytes.readBigUInt64BE(4), method, headers, body: bytes.subarray(at) };
}

function prefixed(text: string, lengthBytes: number): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(bytes.length, 0, lengthBytes);
  return Buffer.concat([length, bytes]);
}
