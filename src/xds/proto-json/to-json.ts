/** Protobuf messages to proto3 JSON in camel case. What the descriptor does not know is reported, never dropped in silence. */
import protobuf from 'protobufjs/light.js';
import type { Descriptor, FieldIssue, Message, MessageType } from '../descriptor.ts';
import type { JsonObject, JsonValue } from '../json.ts';
import { hasOwnJsonForm } from './from-json.ts';
import { writeScalar } from './scalar.ts';
import { formatDuration, formatStruct, formatStructValue, formatTimestamp, wrappers } from './well-known.ts';

/** An Any inside an Any inside an Any …: each level is a decoder of its own, so protobufjs cannot count them. */
const nestingLimit = 64;

/**
 * Decodes `bytes` and writes them as JSON. Fields and message types that the descriptor lacks go to `unknown`; an Any of an
 * unknown type keeps its bytes as base64 under "value". Throws when the bytes are not such a message.
 */
export function toJson(descriptor: Descriptor, type: MessageType, bytes: Uint8Array, unknown: FieldIssue[]): JsonValue {
  return new JsonWriter(descriptor, unknown).decode(type, bytes, '', 0);
}

/** The same for a message that is decoded already. */
export function messageToJson(descriptor: Descriptor, type: MessageType, message: Message): JsonValue {
  return new JsonWriter(descriptor, []).message(type, message, '', 0);
}

class JsonWriter {
  readonly #descriptor: Descriptor;
  readonly #unknown: FieldIssue[];

  constructor(descriptor: Descriptor, unknown: FieldIssue[]) {
    this.#descriptor = descriptor;
    this.#unknown = unknown;
  }

  decode(type: MessageType, bytes: Uint8Array, path: string, depth: number): JsonValue {
    const reader = protobuf.Reader.create(bytes);
    reader.discardUnknown = false;
    return this.message(type, type.decode(reader) as unknown as Message, path, depth);
  }

  message(type: MessageType, message: Message, path: string, depth: number): JsonValue {
    if (depth > nestingLimit) throw new Error(`${path}: nested deeper than ${nestingLimit} messages`);
    this.#reportUnknown(type, message, path);
    const name = type.fullName.slice(1);
    const wrapped = wrappers.get(name);
    if (wrapped !== undefined) return writeScalar(wrapped, message.value);
    switch (name) {
      case 'google.protobuf.Any':
        return this.#any(message, path, depth);
      case 'google.protobuf.Duration':
        return formatDuration(message);
      case 'google.protobuf.Timestamp':
        return formatTimestamp(message);
      case 'google.protobuf.Struct':
        return formatStruct(message);
      case 'google.protobuf.Value':
        return formatStructValue(message);
      case 'google.protobuf.ListValue':
        return (message.values as Message[]).map(formatStructValue);
    }
    const result: JsonObject = {};
    for (const field of type.fieldsArray) {
      if (!Object.hasOwn(message, field.name)) continue;
      const at = path === '' ? field.name : `${path}.${field.name}`;
      const value = this.#field(field, message[field.name], at, depth);
      if (value !== undefined) result[field.name] = value;
    }
    return result;
  }

  #field(field: protobuf.Field, value: unknown, path: string, depth: number): JsonValue | undefined {
    if (field instanceof protobuf.MapField) {
      const map = value as Record<string, unknown>;
      const keys = Object.keys(map).sort();
      if (keys.length === 0) return undefined;
      const result: JsonObject = Object.create(null);
      for (const key of keys) result[key] = this.#single(field, map[key], `${path}["${key}"]`, depth);
      return result;
    }
    if (field.repeated) {
      const list = value as unknown[];
      return list.length === 0
        ? undefined
        : list.map((item, index) => this.#single(field, item, `${path}[${index}]`, depth));
    }
    return this.#single(field, value, path, depth);
  }

  #single(field: protobuf.Field, value: unknown, path: string, depth: number): JsonValue {
    const { resolvedType } = field;
    if (resolvedType instanceof protobuf.Type) return this.message(resolvedType, value as Message, path, depth + 1);
    if (resolvedType instanceof protobuf.Enum) {
      if (resolvedType.fullName === '.google.protobuf.NullValue') return null;
      return resolvedType.valuesById[value as number] ?? (value as number);
    }
    return writeScalar(field.type, value);
  }

  #any(message: Message, path: string, depth: number): JsonObject {
    const typeUrl = message.typeUrl as string;
    const bytes = message.value as Uint8Array;
    // An Any nobody filled in.
    if (typeUrl === '' && bytes.length === 0) return {};
    const type = this.#descriptor.find(typeUrl);
    if (type === null) {
      this.#unknown.push({ path, message: `unknown message type "${typeUrl}"` });
      return { '@type': typeUrl, value: Buffer.from(bytes).toString('base64') };
    }
    const content = this.decode(type, bytes, path, depth + 1);
    return hasOwnJsonForm(type)
      ? { '@type': typeUrl, value: content }
      : { '@type': typeUrl, ...(content as JsonObject) };
  }

  #reportUnknown(type: MessageType, message: Message, path: string): void {
    const raw = message.$unknowns as Uint8Array[] | undefined;
    for (const bytes of raw ?? []) {
      const number = protobuf.Reader.create(bytes).uint32() >>> 3;
      this.#unknown.push({ path, message: `unknown field number ${number} of ${type.fullName.slice(1)}` });
    }
  }
}
