/** proto3 JSON to protobuf messages: both key cases in, every fault collected with its path, never only the first. */
import protobuf from 'protobufjs/light.js';
import type { Descriptor, FieldIssue, Message, MessageType } from '../descriptor.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../json.ts';
import { readScalar } from './scalar.ts';
import { parseDuration, parseTimestamp, struct, structValue, wrappers } from './well-known.ts';

/** Deeper JSON is refused; protobufjs itself stops at 100. */
const nestingLimit = 64;

/**
 * A message ready for `type.encode`, equal for equal JSON (maps are sorted). Faulty parts are left out of it and told in
 * `issues`; with any issue it must not be sent.
 */
export function fromJson(descriptor: Descriptor, type: MessageType, json: JsonValue, issues: FieldIssue[]): Message {
  return new JsonReader(descriptor, issues).message(type, json, '', 0) ?? {};
}

class JsonReader {
  readonly #descriptor: Descriptor;
  readonly #issues: FieldIssue[];

  constructor(descriptor: Descriptor, issues: FieldIssue[]) {
    this.#descriptor = descriptor;
    this.#issues = issues;
  }

  /** Undefined: told as an issue. */
  message(type: MessageType, json: JsonValue, path: string, depth: number): Message | undefined {
    if (depth > nestingLimit) return this.#fail(path, `nested deeper than ${nestingLimit} messages`);
    const name = type.fullName.slice(1);
    const wrapped = wrappers.get(name);
    if (wrapped !== undefined) {
      const value = this.#scalar(wrapped, json, path);
      return value === undefined ? undefined : { value };
    }
    switch (name) {
      case 'google.protobuf.Duration':
        return this.#text(json, path, parseDuration, 'a duration such as "1.5s"');
      case 'google.protobuf.Timestamp':
        return this.#text(json, path, parseTimestamp, 'an RFC 3339 time such as "2026-01-31T12:00:00Z"');
      case 'google.protobuf.Value':
        return structValue(json);
      case 'google.protobuf.Struct':
        return isJsonObject(json) ? struct(json) : this.#expected(path, json, 'an object');
      case 'google.protobuf.ListValue':
        return Array.isArray(json) ? { values: json.map(structValue) } : this.#expected(path, json, 'a list');
    }
    if (!isJsonObject(json)) return this.#expected(path, json, `an object (${name})`);
    return name === 'google.protobuf.Any' ? this.#any(json, path, depth) : this.#fields(type, json, path, depth);
  }

  #fields(type: MessageType, json: JsonObject, path: string, depth: number): Message {
    const result: Message = {};
    for (const key of Object.keys(json)) {
      const at = path === '' ? key : `${path}.${key}`;
      const field = fieldOf(type, key);
      if (field === null) {
        this.#fail(at, `unknown field, ${type.fullName.slice(1)} has no "${key}"`);
        continue;
      }
      const value = json[key]!;
      if (value === null && !takesNull(field)) continue;
      if (Object.hasOwn(result, field.name)) {
        this.#fail(at, `given twice, in both spellings of ${field.name}`);
        continue;
      }
      const read = this.#field(field, value, at, depth);
      if (read !== undefined) result[field.name] = read;
    }
    for (const oneof of type.oneofsArray) {
      const given = oneof.fieldsArray.filter((field) => Object.hasOwn(result, field.name)).map((field) => field.name);
      if (given.length > 1)
        this.#fail(path, `only one of ${oneof.oneof.join(', ')} may be given, not ${given.join(' and ')}`);
    }
    return result;
  }

  #field(field: protobuf.Field, json: JsonValue, path: string, depth: number): unknown {
    if (field instanceof protobuf.MapField) {
      if (!isJsonObject(json)) return this.#expected(path, json, 'an object');
      const result: Message = Object.create(null);
      for (const key of Object.keys(json).sort()) {
        if (field.keyType !== 'string' && this.#scalar(field.keyType, key, `${path}["${key}"]`) === undefined) continue;
        const value = this.#single(field, json[key]!, `${path}["${key}"]`, depth);
        if (value !== undefined) result[key] = value;
      }
      return result;
    }
    if (!field.repeated) return this.#single(field, json, path, depth);
    if (!Array.isArray(json)) return this.#expected(path, json, 'a list');
    return json
      .map((item, index) => this.#single(field, item, `${path}[${index}]`, depth))
      .filter((item) => item !== undefined);
  }

  #single(field: protobuf.Field, json: JsonValue, path: string, depth: number): unknown {
    const { resolvedType } = field;
    if (resolvedType instanceof protobuf.Type) return this.message(resolvedType, json, path, depth + 1);
    if (resolvedType instanceof protobuf.Enum) return this.#enum(resolvedType, json, path);
    return this.#scalar(field.type, json, path);
  }

  #scalar(type: string, json: JsonValue, path: string): unknown {
    const value = readScalar(type, json);
    return value === undefined ? this.#expected(path, json, article(type)) : value;
  }

  #enum(type: protobuf.Enum, json: JsonValue, path: string): number | undefined {
    if (typeof json === 'number' && Number.isInteger(json)) return json;
    if (json === null && type.fullName === '.google.protobuf.NullValue') return 0;
    if (typeof json === 'string' && Object.hasOwn(type.values, json)) return type.values[json];
    return this.#expected(path, json, `one of ${Object.keys(type.values).join(', ')}`);
  }

  #any(json: JsonObject, path: string, depth: number): Message | undefined {
    const { '@type': typeUrl, ...rest } = json;
    if (typeof typeUrl !== 'string') return this.#fail(path, 'an "@type" with the message\'s type URL is missing');
    const type = this.#descriptor.find(typeUrl);
    if (type === null) {
      // The form in which toJson shows messages it does not know: the bytes themselves.
      const bytes = Object.keys(rest).join() === 'value' ? readScalar('bytes', rest.value!) : undefined;
      return bytes === undefined ? this.#fail(path, `unknown message type "${typeUrl}"`) : { typeUrl, value: bytes };
    }
    const content = hasOwnJsonForm(type) ? (rest.value ?? null) : rest;
    const message = this.message(type, content, path, depth + 1);
    return message === undefined ? undefined : { typeUrl, value: type.encode(message).finish() };
  }

  #text(json: JsonValue, path: string, parse: (text: string) => object | null, expected: string): Message | undefined {
    const value = typeof json === 'string' ? parse(json) : null;
    return value === null ? this.#expected(path, json, expected) : { ...value };
  }

  #expected(path: string, actual: JsonValue, expected: string): undefined {
    const shown = JSON.stringify(actual);
    return this.#fail(path, `${shown.length > 60 ? `${shown.slice(0, 57)}...` : shown} is not ${expected}`);
  }

  #fail(path: string, message: string): undefined {
    this.#issues.push({ path, message });
  }
}

function fieldOf(type: MessageType, key: string): protobuf.Field | null {
  if (Object.hasOwn(type.fields, key)) return type.fields[key]!;
  const name = protobuf.util.jsonName(key);
  return Object.hasOwn(type.fields, name) ? type.fields[name]! : null;
}

function takesNull(field: protobuf.Field): boolean {
  const name = field.resolvedType?.fullName;
  return !field.repeated && (name === '.google.protobuf.Value' || name === '.google.protobuf.NullValue');
}

/** Inside an Any such a message stands under "value" instead of among its fields. */
export function hasOwnJsonForm(type: MessageType): boolean {
  const name = type.fullName.slice(1);
  return wrappers.has(name) || /^google\.protobuf\.(Any|Duration|Timestamp|Struct|Value|ListValue)$/.test(name);
}

function article(type: string): string {
  if (type === 'bytes') return 'base64 text';
  return /^[aei]/.test(type) ? `an ${type}` : `a ${type}`;
}
