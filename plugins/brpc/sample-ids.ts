/** How the conformance kit reads and writes the ids of frames: they are varints, so lengths change with them. */
import type { IdValue } from 'meltemi/conformance';
import { FieldWalker, varintField } from './field-walker.ts';
import { BODY_BYTES_AT, HEAD_BYTES, META_BYTES_AT, MetaTag } from './wire.ts';

export const idValue: IdValue = {
  bytes: 8,
  read(frame) {
    const { high, low } = idIn(frame);
    return (BigInt(high) << 32n) | BigInt(low);
  },
  write(frame, id) {
    const { at, end } = idIn(frame);
    const field = varintField(MetaTag.CorrelationId, Number(id >> 32n), Number(id & 0xffff_ffffn));
    const written = Buffer.concat([frame.subarray(0, at), field, frame.subarray(end)]);
    for (const lengthAt of [BODY_BYTES_AT, META_BYTES_AT]) {
      written.writeUInt32BE(frame.readUInt32BE(lengthAt) + field.length - (end - at), lengthAt);
    }
    return written;
  },
};

export function bodyOf(frame: Buffer): Buffer {
  return frame.subarray(metaEndOf(frame));
}

function metaEndOf(frame: Buffer): number {
  return HEAD_BYTES + frame.readUInt32BE(META_BYTES_AT);
}

/** Goes to the correlation id, which every sample has. */
function idIn(frame: Buffer): FieldWalker {
  const walker = new FieldWalker();
  walker.start(frame, HEAD_BYTES, metaEndOf(frame));
  while (walker.next()) if (walker.tag === MetaTag.CorrelationId) return walker;
  throw new Error('no correlation id');
}
