/** withUserField: a RpcMeta with one of its user fields changed. All other fields keep their bytes and their order. */
import { readEntry } from './attributes.ts';
import { bytesField, FieldWalker } from './field-walker.ts';
import { EntryTag, MetaTag } from './wire.ts';

/** `value` null: removed. A key that is there keeps its place, a new one comes last. */
export function withUserField(bytes: Buffer, from: number, to: number, key: string, value: string | null): Buffer {
  const parts: Buffer[] = [];
  let pending = value === null ? null : userField(key, value);
  const walker = new FieldWalker();
  walker.start(bytes, from, to);
  while (walker.next()) {
    if (walker.tag === MetaTag.UserField && readEntry(bytes, walker.valueAt, walker.end)[0] === key) {
      if (pending !== null) parts.push(pending);
      pending = null;
    } else {
      parts.push(bytes.subarray(walker.at, walker.end));
    }
  }
  if (pending !== null) parts.push(pending);
  return Buffer.concat(parts);
}

function userField(key: string, value: string): Buffer {
  const entry = [bytesField(EntryTag.Key, Buffer.from(key)), bytesField(EntryTag.Value, Buffer.from(value))];
  return bytesField(MetaTag.UserField, Buffer.concat(entry));
}
