/** A resource in its three forms: JSON in our code, an Any on the wire, and the version both sides compare. */
import { createHash } from 'node:crypto';
import type { FieldIssue } from './descriptor.ts';
import type { JsonObject } from './json.ts';

/** How our own code writes and reads a resource: proto3 JSON in camel case, Any as `{"@type": …}`. */
export interface XdsResource {
  readonly typeUrl: string;
  readonly name: string;
  readonly value: JsonObject;
}

/** google.protobuf.Any. `value` is shared: nobody writes to it. */
export interface AnyMessage {
  readonly typeUrl: string;
  readonly value: Buffer;
}

/** A resource with its bytes. Two of them are equal when their versions are; the bytes are never made again from `value`. */
export interface VersionedResource extends XdsResource {
  /** Hash of the bytes, so that a restarted control plane says the same versions (XDS rule 1). */
  readonly version: string;
  readonly any: AnyMessage;
}

export type EncodeResult =
  | { readonly ok: true; readonly resource: VersionedResource }
  | { readonly ok: false; readonly issues: readonly FieldIssue[] };

export type DecodeResult =
  | {
      readonly ok: true;
      readonly resource: VersionedResource;
      /** Fields and message types that this build does not know: present in `any`, absent or opaque in `value`. */
      readonly unknown: readonly FieldIssue[];
    }
  | {
      readonly ok: false;
      /** '' when not even the name could be read. */
      readonly name: string;
      readonly issues: readonly FieldIssue[];
    };

export function versionOf(any: AnyMessage): string {
  return hashText([any.typeUrl, any.value]);
}

/** The version of a whole set: of its names and versions, in whatever order they come. */
export function versionOfSet(resources: Iterable<{ readonly name: string; readonly version: string }>): string {
  return hashText(Array.from(resources, ({ name, version }) => `${name}\0${version}\0`).sort());
}

function hashText(parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('base64url').slice(0, 16);
}
