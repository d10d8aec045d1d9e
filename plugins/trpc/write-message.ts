/** writeMessage: puts a message on the wire under another id; without edits everything else goes byte for byte. */
import type { Output } from 'meltemi/codec';
import type { TrpcRequest, TrpcResponse } from './message.ts';
import { idBytes, writeId } from './meta.ts';
import { FIXED_BYTES, META_BYTES_AT, STREAM_ID_AT, TOTAL_AT, writeUint16, writeUint32 } from './wire.ts';

/** From here on a body that owns its bytes goes out by reference: copying would cost more than a second part. */
const VIEW_BYTES = 65_536;

/** `streamId` goes into the fixed head. */
export function writeMessage(out: Output, message: TrpcRequest | TrpcResponse, id: number, streamId: number): void {
  const { bytes, from, to, edits } = message;
  const bodyAt = from + message.metaEnd;
  const metaBytes = message.otherMetaBytes + idBytes(id);
  const viewed = !message.lent && to - bodyAt >= VIEW_BYTES;
  const at = out.reserve(FIXED_BYTES + metaBytes + (viewed ? 0 : to - bodyAt));
  const { slab } = out;
  bytes.copy(slab, at, from, from + FIXED_BYTES);
  writeUint32(slab, at + TOTAL_AT, FIXED_BYTES + metaBytes + to - bodyAt);
  writeUint16(slab, at + META_BYTES_AT, metaBytes);
  writeUint32(slab, at + STREAM_ID_AT, streamId);
  let next = at + FIXED_BYTES;
  if (edits === null) {
    next += bytes.copy(slab, next, from + FIXED_BYTES, from + message.idAt);
    next = writeId(slab, next, id);
    bytes.copy(slab, next, from + message.idEnd, viewed ? bodyAt : to);
  } else {
    next = message.writeEdited(slab, next, id);
    if (!viewed) bytes.copy(slab, next, bodyAt, to);
  }
  if (viewed) out.view(bytes.subarray(bodyAt, to));
}
