/** frameFields: one frame as named fields with their offsets, for `meltemi codec decode`, the conformance kit and error logs. */
import type { FrameField } from '../metaprotocol/codec.ts';
import { type FrameFormat, KIND_NAMES, Kind } from './frame-format.ts';
import { idBytes } from './place-faults.ts';

/** As far as the frame can be read; in the order of its bytes. */
export function frameFields(format: FrameFormat, frame: Buffer): FrameField[] {
  const fields: FrameField[] = [];
  const add = (name: string, at: number, bytes: number, value: string) => {
    if (at + bytes <= frame.length) fields.push({ name, at, bytes, value });
  };
  if (format.magic.length > 0) add('magic', 0, format.magic.length, frame.toString('hex', 0, format.magic.length));
  if (frame.length < format.headBytes) return fields;
  const { declaration } = format;
  const kind = format.kindOf(frame, 0);
  const side = kind === Kind.Response ? format.response : kind <= Kind.Oneway ? format.request : null;
  add('kind', format.kindAt, format.kind.bytes, KIND_NAMES[kind]!);
  const idWidth = idBytes(declaration.id.as);
  const high = format.idHighAt === -1 ? 0 : format.id.read(frame, format.idHighAt);
  const id = (BigInt(high) << 32n) | BigInt(format.id.read(frame, format.idLowAt));
  add('id', declaration.id.at, idWidth, String(id));
  add('length', format.lengthAt, format.length.bytes, String(format.length.read(frame, format.lengthAt)));
  const isShown = side?.headFields.some(({ field }) => field.at === format.outcomeAt) === true;
  if (kind === Kind.Response && !isShown) {
    const code = format.outcome.read(frame, format.outcomeAt);
    const name = Object.entries(declaration.codes).find(([, value]) => value === code)?.[0];
    add('code', format.outcomeAt, format.outcome.bytes, name === undefined ? String(code) : `${code} (${name})`);
  }
  for (const { key, field } of side?.headFields ?? []) add(key, field.at, field.bytes, field.read(frame, 0));
  fields.sort((a, b) => a.at - b.at);
  let at = format.headBytes;
  for (const { key, field } of side?.parts ?? []) {
    const end = field.end(frame, at, frame.length);
    if (end === -1) return fields;
    add(key, at, end - at, field.read(frame, at, format.texts));
    at = end;
  }
  if (side !== null && format.open !== null) {
    const end = format.open.end(frame, at, frame.length);
    if (end === -1) return fields;
    format.open.visit(frame, at, (key, value, from, to) => add(key, from, to - from, value));
    at = end;
  }
  if (at < frame.length) add('body', at, frame.length - at, preview(frame.subarray(at)));
  return fields;
}

function preview(body: Buffer): string {
  const text = body.toString('utf8', 0, 64);
  const isText = !/[\p{Cc}\u{fffd}]/u.test(text);
  const shown = isText ? JSON.stringify(text) : body.toString('hex', 0, 32);
  return body.length > (isText ? 64 : 32) ? `${shown}…` : shown;
}
