/** writeMessage: puts a message on the wire under another id, everything else byte for byte (edited attachments aside). */
import type { Output } from '../../metaprotocol/codec.ts';
import { type DubboRequest, DubboResponse } from './message.ts';
import { HEADER_BYTES, ID_AT, LENGTH_AT, Tag, WITH_ATTACHMENTS, writeInt32 } from './wire.ts';

/** From here on the body of a message that owns its bytes goes out by reference: copying would cost more than a second part. */
const VIEW_BYTES = 65_536;

export function writeMessage(out: Output, message: DubboRequest | DubboResponse, idHigh: number, idLow: number): void {
  const { bytes, from, to, edits } = message;
  const viewed = !message.lent && to - from >= VIEW_BYTES;
  if (edits === null) {
    const at = out.append(bytes, from, viewed ? from + HEADER_BYTES : to);
    stampId(out.slab, at, idHigh, idLow);
    if (viewed) out.view(bytes.subarray(from + HEADER_BYTES, to));
    return;
  }
  // A response's tag, which may change, stands right behind the header.
  const tagEnd = from + HEADER_BYTES + 1;
  const at = out.append(bytes, from, tagEnd);
  const { slab } = out;
  stampId(slab, at, idHigh, idLow);
  writeInt32(slab, at + LENGTH_AT, to - from - HEADER_BYTES + edits.growthBytes);
  if (message instanceof DubboResponse && message.tag < Tag.ExceptionWithAttachments) {
    slab[at + HEADER_BYTES] = slab[at + HEADER_BYTES]! + WITH_ATTACHMENTS;
  }
  if (viewed) out.view(bytes.subarray(tagEnd, from + edits.mapAt));
  else out.append(bytes, tagEnd, from + edits.mapAt);
  const mapAt = out.reserve(edits.mapBytes);
  edits.write(out.slab, mapAt);
  out.append(bytes, from + edits.mapEnd, to);
}

function stampId(slab: Buffer, at: number, high: number, low: number): void {
  writeInt32(slab, at + ID_AT, high);
  writeInt32(slab, at + ID_AT + 4, low);
}
