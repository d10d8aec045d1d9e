/** The id of a tRPC frame, found and replaced with protobufjs: what this package does by hand is compared with another's work. */
import type { FrameId } from 'meltemi/codec';
import protobuf from 'protobufjs';

const FIXED_BYTES = 16;
const ID_FIELD = 3;

interface Place {
  readonly from: number;
  readonly to: number;
  readonly id: number;
}

/** Where `request_id` is, or belongs in the order of fields. */
function placeOf(meta: Buffer): Place {
  const reader = protobuf.Reader.create(meta);
  while (reader.pos < reader.len) {
    const from = reader.pos;
    const tag = reader.uint32();
    if (tag >>> 3 === ID_FIELD) return { id: reader.uint32(), from, to: reader.pos };
    if (tag >>> 3 > ID_FIELD) return { id: 0, from, to: from };
    reader.skipType(tag & 7);
  }
  return { id: 0, from: meta.length, to: meta.length };
}

function metaOf(frame: Buffer): Buffer {
  return frame.subarray(FIXED_BYTES, FIXED_BYTES + frame.readUInt16BE(8));
}

export const protobufjsId: FrameId = {
  bytes: 4,
  read: (frame) => BigInt(placeOf(metaOf(frame)).id),
  write(frame, id) {
    const meta = metaOf(frame);
    const { from, to } = placeOf(meta);
    const field = id === 0n ? new Uint8Array(0) : protobuf.Writer.create().uint32(24).uint32(Number(id)).finish();
    const behind = frame.subarray(FIXED_BYTES + to);
    const written = Buffer.concat([frame.subarray(0, FIXED_BYTES + from), field, behind]);
    written.writeUInt32BE(written.length, 4);
    written.writeUInt16BE(meta.length - (to - from) + field.length, 8);
    // The fixed head repeats it from version 1 on.
    if (written[14] !== 0) written.writeUInt32BE(Number(id), 10);
    return written;
  },
};
