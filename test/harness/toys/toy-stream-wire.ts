/**
 * The wire of toy-stream, HTTP/2 in miniature.
 *
 *      0        4      5       6        10
 *     +--------+------+-------+--------+---------
 *     | length | type | flags | stream | payload
 *     +--------+------+-------+--------+---------
 *      u32be, of what follows it; stream u32be
 *
 * Both sides begin with a hello: u32be streams that it allows at once, its window for each stream, its window in all.
 */
import type { Output } from '../../../src/metaprotocol/codec.ts';
import { type ProxyStatus, Status, statusOf } from '../../../src/metaprotocol/status.ts';
import { AttributeBlock } from './attribute-block.ts';

export const Type = {
  Hello: 0,
  Head: 1,
  Data: 2,
  Trailers: 3,
  Reset: 4,
  Window: 5,
  GoAway: 6,
  Ping: 7,
  Pong: 8,
} as const;
export type Type = (typeof Type)[keyof typeof Type];

export const FrameFlag = { End: 1, Informational: 2, Tunnel: 4 } as const;

export const HEAD_BYTES = 10;
/** Longest payload of a data frame. */
export const DATA_FRAME_BYTES = 1_024;
export const EMPTY = Buffer.alloc(0);

/** Codes of a reset frame. */
export const ResetCode = { NoError: 0, Refused: 1, Other: 2 } as const;

export function resetCodeOf(status: ProxyStatus): number {
  if (status.name === 'no_error') return ResetCode.NoError;
  return status.name === 'refused' ? ResetCode.Refused : ResetCode.Other;
}

/** What a client learns from a reset frame. */
export function resetStatusOf(code: number): ProxyStatus {
  if (code === ResetCode.NoError) return Status.no_error;
  if (code === ResetCode.Refused) return Status.refused;
  return statusOf(Status.upstream_reset, `toy-stream: reset by the upstream with code ${code}`);
}

/** One frame as a peer writes it. */
export function toyStreamFrame(type: Type, stream: number, payload: Buffer = EMPTY, flags = 0): Buffer {
  const frame = Buffer.alloc(HEAD_BYTES + payload.length);
  frame.writeUInt32BE(frame.length - 4, 0);
  frame[4] = type;
  frame[5] = flags;
  frame.writeUInt32BE(stream, 6);
  payload.copy(frame, HEAD_BYTES);
  return frame;
}

export function numbersPayload(...numbers: number[]): Buffer {
  const payload = Buffer.alloc(numbers.length * 4);
  numbers.forEach((number, index) => {
    payload.writeUInt32BE(number, index * 4);
  });
  return payload;
}

export function attributesPayload(attributes: Readonly<Record<string, string>>): Buffer {
  return AttributeBlock.of(Object.entries(attributes)).encoded();
}

export function writeFrame(out: Output, type: Type, stream: number, payload: Buffer, flags = 0): void {
  const frame = toyStreamFrame(type, stream, payload, flags);
  out.append(frame, 0, frame.length);
}
