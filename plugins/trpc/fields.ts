/** trpcFields: a frame piece by piece, for people. */
import { isUtf8 } from 'node:buffer';
import type { FrameField } from 'meltemi/codec';
import { FieldWalker, WireType } from './protobuf.ts';
import { EntryReader } from './trans-info.ts';
import {
  FIXED_BYTES,
  FrameType,
  META_BYTES_AT,
  RequestField,
  ResponseField,
  readUint16,
  readUint32,
  STREAM_ID_AT,
  STREAM_TYPE_AT,
  TOTAL_AT,
  TYPE_AT,
  VERSION_AT,
} from './wire.ts';

const STREAM_TYPES = ['unary', 'init', 'data', 'feedback', 'close'];
const SHARED_NAMES: Readonly<Record<number, string>> = {
  1: 'version',
  2: 'call_type',
  3: 'request_id',
  12: 'attachment_size',
};

/** As far as they can be read. Requests and responses share no mark: a `caller` or a `func` is a request's. */
export function trpcFields(frame: Buffer): readonly FrameField[] {
  const fields: FrameField[] = [];
  const add = (name: string, at: number, bytes: number, value: string) => {
    if (at + bytes <= frame.length) fields.push({ name, at, bytes, value });
  };
  add('magic', 0, 2, frame.toString('hex', 0, 2));
  add('type', TYPE_AT, 1, frame[TYPE_AT] === FrameType.Stream ? 'stream' : 'unary');
  add('stream type', STREAM_TYPE_AT, 1, STREAM_TYPES[frame[STREAM_TYPE_AT]!] ?? String(frame[STREAM_TYPE_AT]));
  if (frame.length < FIXED_BYTES) return fields;
  const metaBytes = readUint16(frame, META_BYTES_AT);
  add('total', TOTAL_AT, 4, String(readUint32(frame, TOTAL_AT)));
  add('protobuf bytes', META_BYTES_AT, 2, String(metaBytes));
  add('stream id', STREAM_ID_AT, 4, String(readUint32(frame, STREAM_ID_AT)));
  add('protocol version', VERSION_AT, 1, String(frame[VERSION_AT]));
  add('reserved', VERSION_AT + 1, 1, String(frame[VERSION_AT + 1]));
  const metaEnd = Math.min(frame.length, FIXED_BYTES + metaBytes);
  if (frame[TYPE_AT] === FrameType.Unary) addMeta(frame, metaEnd, add);
  else if (metaEnd > FIXED_BYTES)
    add('protobuf', FIXED_BYTES, metaEnd - FIXED_BYTES, frame.toString('hex', FIXED_BYTES, metaEnd));
  if (metaEnd < frame.length) add('body', metaEnd, frame.length - metaEnd, frame.toString('hex', metaEnd));
  return fields;
}

function addMeta(
  frame: Buffer,
  metaEnd: number,
  add: (name: string, at: number, bytes: number, value: string) => void,
): void {
  const walker = new FieldWalker();
  const names = isRequest(frame, metaEnd) ? namesOf(RequestField) : namesOf(ResponseField);
  const entry = new EntryReader();
  walker.start(frame, FIXED_BYTES, metaEnd);
  while (walker.next()) {
    const name = names.get(walker.field) ?? `field ${walker.field}`;
    add(name, walker.at, walker.end - walker.at, shown(frame, walker, name, entry));
  }
  if (walker.fault !== '') add(walker.fault, walker.at, metaEnd - walker.at, frame.toString('hex', walker.at, metaEnd));
}

function shown(frame: Buffer, walker: FieldWalker, name: string, entry: EntryReader): string {
  if (walker.wireType === WireType.Varint) return String(walker.number);
  if (walker.wireType !== WireType.Bytes) return frame.toString('hex', walker.valueAt, walker.end);
  if (name !== 'trans_info' || !entry.read(frame, walker.valueAt, walker.end)) {
    return textOrHex(frame.subarray(walker.valueAt, walker.end));
  }
  const key = textOrHex(frame.subarray(entry.keyAt, entry.keyEnd));
  return `${key} = ${textOrHex(frame.subarray(entry.valueAt, entry.valueEnd))}`;
}

function textOrHex(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  return isUtf8(bytes) && !/\p{Cc}/u.test(text) ? text : `0x${bytes.toString('hex')}`;
}

/** Where a request has its caller and what is called, a response has numbers. */
function isRequest(frame: Buffer, metaEnd: number): boolean {
  const walker = new FieldWalker();
  walker.start(frame, FIXED_BYTES, metaEnd);
  while (walker.next()) {
    const { field, wireType } = walker;
    if (wireType === WireType.Bytes && (field === RequestField.Caller || field === RequestField.Func)) return true;
  }
  return false;
}

/** `TransInfo` is `trans_info` in the specification. */
function namesOf(fields: Readonly<Record<string, number>>): ReadonlyMap<number, string> {
  const names = new Map(Object.entries(SHARED_NAMES).map(([field, name]) => [Number(field), name]));
  for (const [name, field] of Object.entries(fields)) {
    names.set(field, name.replace(/(?<=.)[A-Z]/g, '_$&').toLowerCase());
  }
  return names;
}
