/** Scalars between JSON and protobuf, with their ranges. */
import type { JsonValue } from '../json.ts';
import { toLong } from './well-known.ts';

interface IntegerRange {
  readonly minimum: bigint;
  readonly maximum: bigint;
}

const signed32: IntegerRange = { minimum: -(2n ** 31n), maximum: 2n ** 31n - 1n };
const unsigned32: IntegerRange = { minimum: 0n, maximum: 2n ** 32n - 1n };
const signed64: IntegerRange = { minimum: -(2n ** 63n), maximum: 2n ** 63n - 1n };
const unsigned64: IntegerRange = { minimum: 0n, maximum: 2n ** 64n - 1n };

/** The value for protobufjs; undefined: not of this type, or out of its range. */
export function readScalar(type: string, json: JsonValue): unknown {
  switch (type) {
    case 'string':
      return typeof json === 'string' ? json : undefined;
    case 'bool':
      return typeof json === 'boolean' ? json : undefined;
    case 'bytes':
      return typeof json === 'string' ? readBytes(json) : undefined;
    case 'float':
    case 'double':
      return readFloat(json);
    case 'int32':
    case 'sint32':
    case 'sfixed32':
      return narrow(readInteger(json, signed32));
    case 'uint32':
    case 'fixed32':
      return narrow(readInteger(json, unsigned32));
    case 'int64':
    case 'sint64':
    case 'sfixed64':
      return widen(readInteger(json, signed64), false);
    case 'uint64':
    case 'fixed64':
      return widen(readInteger(json, unsigned64), true);
    default:
      throw new Error(`scalar type ${type} is not a protobuf scalar`);
  }
}

/** The JSON of a decoded scalar: 64-bit integers as text, bytes as base64, NaN and infinities by name. */
export function writeScalar(type: string, value: unknown): JsonValue {
  if (type === 'bytes') return Buffer.from(value as Uint8Array).toString('base64');
  if (type.endsWith('64')) return String(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  return value as JsonValue;
}

function readInteger(json: JsonValue, range: IntegerRange): bigint | undefined {
  let value: bigint;
  if (typeof json === 'number') {
    if (!Number.isInteger(json)) return undefined;
    value = BigInt(json);
  } else {
    if (typeof json !== 'string' || !/^-?\d{1,20}$/.test(json)) return undefined;
    value = BigInt(json);
  }
  return value < range.minimum || value > range.maximum ? undefined : value;
}

function narrow(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

function widen(value: bigint | undefined, unsigned: boolean): unknown {
  return value === undefined ? undefined : toLong(value, unsigned);
}

function readFloat(json: JsonValue): number | undefined {
  if (typeof json === 'number') return json;
  if (typeof json !== 'string') return undefined;
  if (json === 'NaN') return Number.NaN;
  if (json === 'Infinity') return Number.POSITIVE_INFINITY;
  if (json === '-Infinity') return Number.NEGATIVE_INFINITY;
  return /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(json) ? Number(json) : undefined;
}

function readBytes(text: string): Buffer | undefined {
  return /^[A-Za-z0-9+/_-]*={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined;
}
