/** fieldsOf: the fields of a frame for people, as far as they can be read. Never throws. */
import type { FrameField } from 'meltemi/codec';
import { FieldWalker, WireType } from './field-walker.ts';
import { readUint32 } from './frame-meter.ts';
import { BODY_BYTES_AT, HEAD_BYTES, MAGIC, META_BYTES_AT, MetaTag } from './wire.ts';

const META_NAMES: Readonly<Record<number, string>> = {
  3: 'compress_type',
  4: 'correlation_id',
  5: 'attachment_size',
  6: 'chunk_info',
  7: 'authentication_data',
  8: 'stream_settings',
};
const REQUEST_NAMES: Readonly<Record<number, string>> = {
  1: 'service_name',
  2: 'method_name',
  3: 'log_id',
  4: 'trace_id',
  5: 'span_id',
  6: 'parent_span_id',
  7: 'request_id',
  8: 'timeout_ms',
};
const RESPONSE_NAMES: Readonly<Record<number, string>> = { 1: 'error_code', 2: 'error_text' };
const ENTRY_NAMES: Readonly<Record<number, string>> = { 1: 'key', 2: 'value' };

const INSIDE: ReadonlyMap<number, readonly [prefix: string, names: Readonly<Record<number, string>>]> = new Map([
  [MetaTag.Request, ['request.', REQUEST_NAMES]],
  [MetaTag.Response, ['response.', RESPONSE_NAMES]],
  [MetaTag.UserField, ['user_fields.', ENTRY_NAMES]],
]);

export function fieldsOf(frame: Buffer): readonly FrameField[] {
  const fields: FrameField[] = [];
  const text = frame.toString('latin1', 0, MAGIC.length);
  fields.push({ name: 'magic', at: 0, bytes: text.length, value: text });
  if (frame.length < HEAD_BYTES) return fields;
  const metaBytes = readUint32(frame, META_BYTES_AT);
  const sizes = { 'body size': BODY_BYTES_AT, 'meta size': META_BYTES_AT };
  for (const [name, at] of Object.entries(sizes)) {
    fields.push({ name, at, bytes: 4, value: String(readUint32(frame, at)) });
  }
  const metaEnd = Math.min(frame.length, HEAD_BYTES + metaBytes);
  addFields(fields, frame, HEAD_BYTES, metaEnd, '', META_NAMES);
  if (metaEnd < frame.length) {
    const bytes = frame.length - metaEnd;
    fields.push({ name: 'body', at: metaEnd, bytes, value: frame.toString('hex', metaEnd, metaEnd + 64) });
  }
  return fields;
}

/** At most one level deep: what lies inside is named by `INSIDE`, whose messages hold none of those tags. */
function addFields(
  fields: FrameField[],
  frame: Buffer,
  from: number,
  to: number,
  prefix: string,
  names: Readonly<Record<number, string>>,
): void {
  const walker = new FieldWalker();
  walker.start(frame, from, to);
  while (walker.next()) {
    const { tag, at, valueAt, end } = walker;
    const inside = prefix === '' ? INSIDE.get(tag) : undefined;
    if (inside !== undefined) {
      addFields(fields, frame, valueAt, end, ...inside);
      continue;
    }
    const name = `${prefix}${names[tag >>> 3] ?? `field ${tag >>> 3}`}`;
    fields.push({ name, at, bytes: end - at, value: shown(frame, walker) });
  }
}

function shown(frame: Buffer, { tag, valueAt, end, high, low }: FieldWalker): string {
  switch (tag & 7) {
    case WireType.Varint:
      return String((BigInt(high) << 32n) | BigInt(low));
    case WireType.Bytes:
      return JSON.stringify(frame.toString('utf8', valueAt, end));
    default:
      return frame.toString('hex', valueAt, end);
  }
}
