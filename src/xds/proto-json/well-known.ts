/** The well-known types whose JSON form is not an object of their fields: durations, timestamps, wrappers, structs. */
import protobuf from 'protobufjs/light.js';
import type { Message } from '../descriptor.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../json.ts';

interface Seconds {
  seconds: number;
  nanos: number;
}

/** Wrapper message name to the type of its one field. */
export const wrappers: ReadonlyMap<string, string> = new Map([
  ['google.protobuf.BoolValue', 'bool'],
  ['google.protobuf.BytesValue', 'bytes'],
  ['google.protobuf.DoubleValue', 'double'],
  ['google.protobuf.FloatValue', 'float'],
  ['google.protobuf.Int32Value', 'int32'],
  ['google.protobuf.Int64Value', 'int64'],
  ['google.protobuf.StringValue', 'string'],
  ['google.protobuf.UInt32Value', 'uint32'],
  ['google.protobuf.UInt64Value', 'uint64'],
]);

const durationSecondsMax = 315_576_000_000;

/** Null: not a duration such as "1.5s", or outside ±10,000 years. */
export function parseDuration(text: string): Seconds | null {
  const match = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/.exec(text);
  if (match === null) return null;
  const sign = match[1] === '-' ? -1 : 1;
  const seconds = Number(match[2]);
  const nanos = Number((match[3] ?? '').padEnd(9, '0'));
  if (seconds > durationSecondsMax) return null;
  // `|| 0` turns -0 into 0, which protobuf would write as a value of its own.
  return { seconds: sign * seconds || 0, nanos: sign * nanos || 0 };
}

export function formatDuration(message: Message): string {
  const seconds = toNumber(message.seconds);
  const nanos = toNumber(message.nanos);
  const sign = seconds < 0 || nanos < 0 ? '-' : '';
  return `${sign}${Math.abs(seconds)}${formatFraction(Math.abs(nanos))}s`;
}

/** Null: not an RFC 3339 time. */
export function parseTimestamp(text: string): Seconds | null {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (match === null) return null;
  const timeMs = Date.parse(`${match[1]}${match[3]}`);
  if (Number.isNaN(timeMs)) return null;
  return { seconds: timeMs / 1000, nanos: Number((match[2] ?? '').padEnd(9, '0')) };
}

export function formatTimestamp(message: Message): string {
  const whole = new Date(toNumber(message.seconds) * 1000).toISOString().slice(0, 19);
  return `${whole}${formatFraction(toNumber(message.nanos))}Z`;
}

function formatFraction(nanos: number): string {
  if (nanos === 0) return '';
  const digits = String(nanos).padStart(9, '0');
  return `.${digits.endsWith('000000') ? digits.slice(0, 3) : digits.endsWith('000') ? digits.slice(0, 6) : digits}`;
}

/** google.protobuf.Value of any JSON; keys sorted, so that equal objects have equal bytes. */
export function structValue(value: JsonValue): Message {
  if (value === null) return { nullValue: 0 };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'number') return { numberValue: value };
  if (typeof value === 'string') return { stringValue: value };
  if (Array.isArray(value)) return { listValue: { values: value.map(structValue) } };
  return { structValue: struct(value) };
}

export function struct(value: JsonObject): Message {
  const fields: Message = Object.create(null);
  for (const key of Object.keys(value).sort()) fields[key] = structValue(value[key]!);
  return { fields };
}

export function formatStructValue(message: Message): JsonValue {
  if (Object.hasOwn(message, 'boolValue')) return message.boolValue as boolean;
  if (Object.hasOwn(message, 'numberValue')) return message.numberValue as number;
  if (Object.hasOwn(message, 'stringValue')) return message.stringValue as string;
  if (Object.hasOwn(message, 'listValue')) {
    return ((message.listValue as Message).values as Message[]).map(formatStructValue);
  }
  return isJsonObject(message.structValue) ? formatStruct(message.structValue as Message) : null;
}

export function formatStruct(message: Message): JsonObject {
  const result: JsonObject = Object.create(null);
  const fields = message.fields as Record<string, Message>;
  for (const key of Object.keys(fields).sort()) result[key] = formatStructValue(fields[key]!);
  return result;
}

/** 64-bit integers are Long objects on the wire side and decimal strings in JSON. */
export function toLong(value: bigint, unsigned: boolean): unknown {
  return new protobuf.util.Long(Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)), unsigned);
}

export function toNumber(value: unknown): number {
  return typeof value === 'number' ? value : Number(String(value ?? 0));
}
