/** frameId: the correlation id of a whole frame, told and changed. It is a varint, so lengths change with it. */
import type { FrameId } from 'meltemi/codec';
import { FieldWalker, varintField } from './field-walker.ts';
import { BODY_BYTES_AT, HEAD_BYTES, META_BYTES_AT, MetaTag } from './wire.ts';

export const frameId: FrameId = {
  bytes: 8,
  read(frame) {
    const { high, low } = fieldIn(frame);
    return (BigInt(high) << 32n) | BigInt(low);
  },
  write(frame, id) {
    const { at, end } = fieldIn(frame);
    const field = varintField(MetaTag.CorrelationId, Number(id >> 32n), Number(id & 0xffff_ffffn));
    const written = Buffer.concat([frame.subarray(0, at), field, frame.subarray(end)]);
    for (const lengthAt of [BODY_BYTES_AT, META_BYTES_AT]) {
      written.writeUInt32BE(frame.readUInt32BE(lengthAt) + field.length - (end - at), lengthAt);
    }
    return written;
  },
};

/** Where there is none it belongs to the end of the meta. */
function fieldIn(frame: Buffer): {
  readonly at: number;
  readonly end: number;
  readonly high: number;
  readonly low: number;
} {
  const walker = new FieldWalker();
  const metaEnd = HEAD_BYTES + frame.readUInt32BE(META_BYTES_AT);
  walker.start(frame, HEAD_BYTES, metaEnd);
  while (walker.next()) if (walker.tag === MetaTag.CorrelationId) return walker;
  return { at: metaEnd, end: metaEnd, high: 0, low: 0 };
}
