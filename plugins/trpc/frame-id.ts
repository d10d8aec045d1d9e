/** frameId: the `request_id` of a whole unary frame, told and changed. It is a varint, so lengths change with it. */
import type { FrameId } from 'meltemi/codec';
import { idBytes, writeId } from './meta.ts';
import { FieldWalker } from './protobuf.ts';
import {
  FIXED_BYTES,
  ID_FIELD,
  META_BYTES_AT,
  readUint16,
  STREAM_ID_AT,
  TOTAL_AT,
  VERSION_AT,
  writeUint16,
  writeUint32,
} from './wire.ts';

export const frameId: FrameId = {
  bytes: 4,
  read: (frame) => BigInt(fieldIn(frame).id),
  write(frame, id) {
    const { at, end } = fieldIn(frame);
    const number = Number(id);
    const field = Buffer.alloc(idBytes(number));
    writeId(field, 0, number);
    const written = Buffer.concat([frame.subarray(0, at), field, frame.subarray(end)]);
    writeUint32(written, TOTAL_AT, written.length);
    writeUint16(written, META_BYTES_AT, readUint16(frame, META_BYTES_AT) + field.length - (end - at));
    // The fixed head repeats it from version 1 on.
    if (written[VERSION_AT] !== 0) writeUint32(written, STREAM_ID_AT, number);
    return written;
  },
};

/** proto3 leaves out what is 0: where it is missing it belongs in front of the first field behind it. */
function fieldIn(frame: Buffer): { readonly at: number; readonly end: number; readonly id: number } {
  const walker = new FieldWalker();
  walker.start(frame, FIXED_BYTES, FIXED_BYTES + readUint16(frame, META_BYTES_AT));
  while (walker.next()) {
    if (walker.field === ID_FIELD) return { at: walker.at, end: walker.end, id: walker.number >>> 0 };
    if (walker.field > ID_FIELD) return { at: walker.at, end: walker.at, id: 0 };
  }
  return { at: walker.at, end: walker.at, id: 0 };
}
