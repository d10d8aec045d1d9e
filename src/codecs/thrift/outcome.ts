/** What an answer says of itself, from the first fields of its struct. */
import type { Outcome } from '../../metaprotocol/message.ts';
import { ExceptionType, MessageType, readInt32, readUint16, type ThriftProtocol, VarintReader } from './wire.ts';

const SUCCESS: Outcome = Object.freeze({ code: 0, ok: true });
const BINARY_STRING = 11;
const BINARY_I32 = 8;
const COMPACT_STRING = 8;
const COMPACT_I32 = 5;

/** `bytes[from, to)` is the struct, at least one byte. */
export function outcomeOf(type: number, protocol: ThriftProtocol, bytes: Buffer, from: number, to: number): Outcome {
  if (type === MessageType.Exception) {
    const code = protocol === 'binary' ? binaryExceptionType(bytes, from, to) : compactExceptionType(bytes, from, to);
    return { code, ok: false };
  }
  // A result struct has one field: 0 is the return value, none is void, any other is a declared exception.
  const first = bytes[from]!;
  if (first === 0) return SUCCESS;
  const id = protocol === 'binary' ? binaryFieldId(bytes, from, to) : compactFieldId(first, bytes, from, to);
  return id === 0 ? SUCCESS : { code: id, ok: false };
}

function binaryFieldId(bytes: Buffer, from: number, to: number): number {
  return from + 3 <= to ? readUint16(bytes, from + 1) : -1;
}

function compactFieldId(first: number, bytes: Buffer, from: number, to: number): number {
  if (first >> 4 !== 0) return first >> 4;
  const varint = new VarintReader();
  return varint.read(bytes, from + 1, to) > 0 ? unzigzag(varint.value) : -1;
}

/** TApplicationException: field 1 string message, field 2 i32 type. */
function binaryExceptionType(bytes: Buffer, from: number, to: number): number {
  let at = from;
  while (at + 7 <= to) {
    const value = readInt32(bytes, at + 3);
    if (bytes[at] === BINARY_I32 && readUint16(bytes, at + 1) === 2) return value;
    if (bytes[at] !== BINARY_STRING || value < 0) break;
    at += 7 + value;
  }
  return ExceptionType.UNKNOWN;
}

function compactExceptionType(bytes: Buffer, from: number, to: number): number {
  const varint = new VarintReader();
  let at = from;
  let id = 0;
  while (at < to) {
    const head = bytes[at++]!;
    if (head >> 4 !== 0) {
      id += head >> 4;
    } else {
      const width = varint.read(bytes, at, to);
      if (width <= 0) break;
      id = unzigzag(varint.value);
      at += width;
    }
    const width = varint.read(bytes, at, to);
    if (width <= 0) break;
    if ((head & 0x0f) === COMPACT_I32 && id === 2) return unzigzag(varint.value);
    if ((head & 0x0f) !== COMPACT_STRING || varint.value < 0) break;
    at += width + varint.value;
  }
  return ExceptionType.UNKNOWN;
}

function unzigzag(value: number): number {
  return (value >>> 1) ^ -(value & 1);
}
