/** frameId: the sequence id of a whole message, in THeader's own head too, told and changed. Compact ones are varints. */
import type { FrameId } from '../../metaprotocol/codec.ts';
import {
  BINARY_MAGIC,
  COMPACT_MAGIC,
  HEADER_BLOCK_AT,
  HEADER_SEQ_AT,
  HEADER_WORDS_AT,
  isHeaderMagic,
  LENGTH_BYTES,
  readInt32,
  readUint16,
  VarintReader,
  varintBytes,
  writeInt32,
  writeVarint,
} from './wire.ts';

export const frameId: FrameId = {
  bytes: 4,
  read: (frame) => BigInt(placeIn(frame).value >>> 0),
  write(frame, id) {
    const { at, width, isCompact, isFramed } = placeIn(frame);
    const value = Number(id) | 0;
    const field = Buffer.alloc(isCompact ? varintBytes(value) : width);
    if (isCompact) writeVarint(field, 0, value);
    else writeInt32(field, 0, value);
    const written = Buffer.concat([frame.subarray(0, at), field, frame.subarray(at + width)]);
    if (isFramed) writeInt32(written, 0, readInt32(frame, 0) + field.length - width);
    if (isFramed && isHeaderMagic(frame, LENGTH_BYTES)) writeInt32(written, HEADER_SEQ_AT, value);
    return written;
  },
};

interface IdPlace {
  readonly at: number;
  readonly width: number;
  readonly value: number;
  readonly isCompact: boolean;
  /** A length stands in front. */
  readonly isFramed: boolean;
}

function placeIn(frame: Buffer): IdPlace {
  // Unframed binary of old begins with a name's length, and goes on with the name.
  const isFramed = frame[0]! < BINARY_MAGIC && !isText(frame[LENGTH_BYTES]!);
  const hasHeaders = isFramed && isHeaderMagic(frame, LENGTH_BYTES);
  const behindHeaders = HEADER_BLOCK_AT + readUint16(frame, HEADER_WORDS_AT) * 4;
  const innerAt = hasHeaders ? behindHeaders : isFramed ? LENGTH_BYTES : 0;
  if (frame[innerAt] === COMPACT_MAGIC) {
    const varint = new VarintReader();
    const width = varint.read(frame, innerAt + 2, frame.length);
    return { at: innerAt + 2, width, value: varint.value, isCompact: true, isFramed };
  }
  // Behind the name; binary of old has its type there too, and no version in front.
  const nameAt = frame[innerAt] === BINARY_MAGIC ? innerAt + 8 : innerAt + 4;
  const at = nameAt + readInt32(frame, nameAt - 4) + (frame[innerAt] === BINARY_MAGIC ? 0 : 1);
  return { at, width: 4, value: readInt32(frame, at), isCompact: false, isFramed };
}

function isText(byte: number): boolean {
  return byte >= 0x20 && byte < 0x7f;
}
