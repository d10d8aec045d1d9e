/** The codec of resources, made once per process (it holds the descriptor) and passed to whoever reads or writes them. */
import { Descriptor, type FieldIssue, type Message } from './descriptor.ts';
import type { JsonObject, JsonValue } from './json.ts';
import { fromJson } from './proto-json/from-json.ts';
import { messageToJson, toJson } from './proto-json/to-json.ts';
import { type AnyMessage, type DecodeResult, type EncodeResult, versionOf, type XdsResource } from './resource.ts';
import { messageName, resourceTypeUrls } from './type-urls.ts';

export class Xds {
  readonly descriptor: Descriptor;

  constructor(descriptor: Descriptor) {
    this.descriptor = descriptor;
  }

  /** Takes some 30 ms. */
  static load(): Xds {
    return new Xds(Descriptor.load());
  }

  /** Equal JSON gives equal bytes. `issues` has every fault of the resource. */
  encodeResource(resource: XdsResource): EncodeResult {
    const issues: FieldIssue[] = [];
    const type = this.descriptor.find(resource.typeUrl);
    if (type === null)
      return { ok: false, issues: [{ path: '', message: `unknown resource type "${resource.typeUrl}"` }] };
    const message = fromJson(this.descriptor, type, resource.value, issues);
    const inner = nameOf(message);
    if (inner !== resource.name) {
      issues.push({ path: '', message: `the resource is called "${resource.name}" and its value "${inner}"` });
    }
    if (issues.length > 0) return { ok: false, issues };
    const any = { typeUrl: resource.typeUrl, value: asBuffer(type.encode(message).finish()) };
    return { ok: true, resource: { ...resource, version: versionOf(any), any } };
  }

  /** Never throws: bytes that are no such message are an issue. */
  decodeResource(any: AnyMessage): DecodeResult {
    const type = this.descriptor.find(any.typeUrl);
    if (type === null || !isResourceType(any.typeUrl)) {
      return { ok: false, name: '', issues: [{ path: '', message: `unknown resource type "${any.typeUrl}"` }] };
    }
    const unknown: FieldIssue[] = [];
    try {
      const value = toJson(this.descriptor, type, any.value, unknown) as JsonObject;
      const name = nameOf(value);
      if (name === '') return { ok: false, name, issues: [{ path: 'name', message: 'a resource must have a name' }] };
      return { ok: true, unknown, resource: { typeUrl: any.typeUrl, name, value, version: versionOf(any), any } };
    } catch (error) {
      const message = `${any.value.length} bytes are no ${messageName(any.typeUrl)}: ${(error as Error).message}`;
      return { ok: false, name: this.#nameFrom(any), issues: [{ path: '', message }] };
    }
  }

  /** Any other message, for what our own code says (never for a peer's text): throws with all faults. */
  encodeMessage(typeName: string, json: JsonValue): Buffer {
    const issues: FieldIssue[] = [];
    const type = this.descriptor.get(typeName);
    const message = fromJson(this.descriptor, type, json, issues);
    if (issues.length > 0) throw new Error(`${typeName}: ${JSON.stringify(issues)}`);
    return asBuffer(type.encode(message).finish());
  }

  /** Throws when the bytes are no such message. */
  decodeMessage(typeName: string, bytes: Uint8Array): JsonValue {
    return toJson(this.descriptor, this.descriptor.get(typeName), bytes, []);
  }

  /** The JSON of a decoded protobufjs message. */
  messageToJson(typeName: string, message: Message): JsonValue {
    return messageToJson(this.descriptor, this.descriptor.get(typeName), message);
  }

  /** A protobufjs message of JSON from our own code. Throws with all faults. */
  jsonToMessage(typeName: string, json: JsonValue): Message {
    const issues: FieldIssue[] = [];
    const message = fromJson(this.descriptor, this.descriptor.get(typeName), json, issues);
    if (issues.length > 0) throw new Error(`${typeName}: ${JSON.stringify(issues)}`);
    return message;
  }

  /** A resource with one bad field far inside still tells its name, so that the NACK can. */
  #nameFrom(any: AnyMessage): string {
    try {
      return nameOf(this.descriptor.get('meltemi.xds.v1.ResourceName').decode(any.value) as unknown as Message);
    } catch {
      return '';
    }
  }
}

function nameOf(value: JsonObject | Message): string {
  const name = value.name ?? value.clusterName;
  return typeof name === 'string' ? name : '';
}

function isResourceType(typeUrl: string): boolean {
  return (resourceTypeUrls as readonly string[]).includes(typeUrl);
}

/** protobufjs writes into Node Buffers and types them as Uint8Array. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
