/** writeFrame: puts a message on the wire under another id; without edits everything else goes byte for byte. */
import type { Output } from '../metaprotocol/codec.ts';
import type { FramedRequest, FramedResponse } from './framed-message.ts';

/** From here on a body that owns its bytes goes out by reference: copying would cost more than a second part. */
const VIEW_BYTES = 65_536;

export function writeFrame(out: Output, message: FramedRequest | FramedResponse, idHigh: number, idLow: number): void {
  const { format, bytes, from, to } = message;
  const viewed = !message.lent && to - from >= VIEW_BYTES;
  if (message.edits === null) {
    const copyTo = viewed ? message.bodyAt : to;
    const at = out.append(bytes, from, copyTo);
    format.writeId(out.slab, at, idHigh, idLow);
    if (viewed) out.view(bytes.subarray(copyTo, to));
    return;
  }
  const frameBytes = message.encodedBytes;
  const { bodyAt } = message;
  const at = out.reserve(viewed ? frameBytes - (to - bodyAt) : frameBytes);
  const { slab } = out;
  const behind = message.writeEdited(slab, at, frameBytes);
  format.writeId(slab, at, idHigh, idLow);
  if (viewed) out.view(bytes.subarray(bodyAt, to));
  else bytes.copy(slab, behind, bodyAt, to);
}
