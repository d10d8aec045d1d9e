/** fieldsOf: a command or an answer value by value, for people and tools. Never throws. */
import type { FrameField } from '../../metaprotocol/codec.ts';
import { Type } from './wire.ts';

/** More is no longer looked at by anybody. */
const MOST_FIELDS = 256;
const PREVIEW_BYTES = 64;

const NAMES = new Map<number, string>(
  Object.entries(Type).map(([name, type]) => [type, name.replace(/(?<=[a-z])[A-Z]/g, ' $&').toLowerCase()]),
);
const WITH_PAYLOAD: ReadonlySet<number> = new Set([Type.Bulk, Type.BulkError, Type.Verbatim, Type.Chunk]);

/** Aggregates are told by their head line; what is in them follows. */
export function redisFields(frame: Buffer): readonly FrameField[] {
  const fields: FrameField[] = [];
  let at = 0;
  while (at < frame.length && fields.length < MOST_FIELDS) {
    const lineEnd = frame.indexOf('\r\n', at);
    if (lineEnd === -1) break;
    const type = frame[at]!;
    const line = frame.toString('utf8', at + 1, Math.min(lineEnd, at + 1 + PREVIEW_BYTES));
    const name = NAMES.get(type);
    if (name === undefined) {
      fields.push({ name: 'line', at, bytes: lineEnd + 2 - at, value: preview(frame, at, lineEnd) });
      at = lineEnd + 2;
      continue;
    }
    const length = WITH_PAYLOAD.has(type) && /^\d{1,10}$/.test(line) ? Number(line) : -1;
    const start = lineEnd + 2;
    const end = length === -1 ? start : start + length + 2;
    if (end > frame.length) break;
    const value = length === -1 ? line : preview(frame, start, start + length);
    fields.push({ name, at, bytes: end - at, value });
    at = end;
  }
  return fields;
}

function preview(frame: Buffer, from: number, to: number): string {
  const text = frame.toString('utf8', from, Math.min(to, from + PREVIEW_BYTES));
  const isText = !text.includes('\u{fffd}');
  const shown = isText ? JSON.stringify(text) : frame.toString('hex', from, Math.min(to, from + PREVIEW_BYTES / 2));
  return to - from > (isText ? PREVIEW_BYTES : PREVIEW_BYTES / 2) ? `${shown}…` : shown;
}
