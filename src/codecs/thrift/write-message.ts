/** writeMessage: puts a message on the wire under other sequence ids, everything else byte for byte (edited headers aside). */
import type { Output } from '../../metaprotocol/codec.ts';
import type { ThriftRequest, ThriftResponse } from './message.ts';
import {
  HEADER_BLOCK_AT,
  HEADER_SEQ_AT,
  HEADER_WORDS_AT,
  LENGTH_BYTES,
  varintBytes,
  writeInt32,
  writeVarint,
} from './wire.ts';

/** From here on the body of a message that owns its bytes goes out by reference: copying would cost more than a second part. */
const VIEW_BYTES = 65_536;

export function writeMessage(
  out: Output,
  message: ThriftRequest | ThriftResponse,
  seqid: number,
  headerSeqid: number,
): void {
  const { bytes, from, to, edits } = message;
  const viewed = !message.lent && to - from >= VIEW_BYTES;
  const copyTo = viewed ? from + message.bodyAt : to;
  const compact = message.protocol === 'compact';
  const seqGrowth = compact ? varintBytes(seqid) - message.seqWidth : 0;
  if (seqGrowth === 0 && edits === null) {
    const at = out.append(bytes, from, copyTo);
    const slab = out.slab;
    if (compact) writeVarint(slab, at + message.seqAt, seqid);
    else writeInt32(slab, at + message.seqAt, seqid);
    if (message.transport === 'theader') writeInt32(slab, at + HEADER_SEQ_AT, headerSeqid);
  } else {
    const headerGrowth = edits === null ? 0 : HEADER_BLOCK_AT + edits.blockBytes - message.innerAt;
    const at = out.reserve(copyTo - from + headerGrowth + seqGrowth);
    const slab = out.slab;
    let next = at;
    if (edits === null) {
      next += bytes.copy(slab, at, from, from + message.innerAt);
    } else {
      bytes.copy(slab, at, from, from + HEADER_WORDS_AT);
      const words = edits.blockBytes / 4;
      slab[at + HEADER_WORDS_AT] = words >>> 8;
      slab[at + HEADER_WORDS_AT + 1] = words;
      edits.write(slab, at + HEADER_BLOCK_AT, message.protocol);
      next += message.innerAt + headerGrowth;
    }
    if (message.transport !== 'unframed') writeInt32(slab, at, to - from - LENGTH_BYTES + headerGrowth + seqGrowth);
    if (message.transport === 'theader') writeInt32(slab, at + HEADER_SEQ_AT, headerSeqid);
    next += bytes.copy(slab, next, from + message.innerAt, from + message.seqAt);
    if (compact) {
      next = writeVarint(slab, next, seqid);
    } else {
      writeInt32(slab, next, seqid);
      next += 4;
    }
    bytes.copy(slab, next, from + message.seqAt + message.seqWidth, copyTo);
  }
  if (viewed) out.view(bytes.subarray(copyTo, to));
}
