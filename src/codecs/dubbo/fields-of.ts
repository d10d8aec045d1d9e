/** fieldsOf: a frame piece by piece, for people and tools. Never throws. */
import type { FrameField } from '../../metaprotocol/codec.ts';
import {
  FLAGS_AT,
  FrameFlag,
  HEADER_BYTES,
  ID_AT,
  LENGTH_AT,
  ResponseStatus,
  readInt32,
  SERIALIZATION_MASK,
  STATUS_AT,
  serializationName,
} from './wire.ts';

const FLAG_NAMES = Object.entries(FrameFlag).map(([name, bit]) => ({ name: name.toLowerCase(), bit }));

/** Arguments and attachments are one field: what lies in them only hessian's walker tells. */
export function dubboFields(frame: Buffer): readonly FrameField[] {
  const fields: FrameField[] = [];
  const add = (name: string, at: number, bytes: number, value: string) => {
    if (at + bytes <= frame.length) fields.push({ name, at, bytes, value });
  };
  add('magic', 0, FLAGS_AT, frame.toString('hex', 0, FLAGS_AT));
  if (frame.length < HEADER_BYTES) return fields;
  const flags = frame[FLAGS_AT]!;
  const names = FLAG_NAMES.filter(({ bit }) => (flags & bit) !== 0).map(({ name }) => name);
  add('flags', FLAGS_AT, 1, [...names, serializationName(flags & SERIALIZATION_MASK)].join(' '));
  add('status', STATUS_AT, 1, statusName(frame[STATUS_AT]!));
  add('id', ID_AT, LENGTH_AT - ID_AT, String(frame.readBigInt64BE(ID_AT)));
  add('length', LENGTH_AT, HEADER_BYTES - LENGTH_AT, String(readInt32(frame, LENGTH_AT)));
  if (frame.length > HEADER_BYTES) {
    const bytes = frame.length - HEADER_BYTES;
    add('payload', HEADER_BYTES, bytes, frame.toString('hex', HEADER_BYTES, HEADER_BYTES + 32));
  }
  return fields;
}

function statusName(status: number): string {
  const name = Object.entries(ResponseStatus).find(([, code]) => code === status)?.[0];
  return name === undefined ? String(status) : `${status} (${name})`;
}
