/** writeMessage: puts a message on the wire under another id, everything else byte for byte (changed user fields aside). */
import type { Output } from 'meltemi/codec';
import { varintBytes, writeVarint } from './field-walker.ts';
import type { BrpcRequest, BrpcResponse } from './message.ts';
import { BODY_BYTES_AT, HEAD_BYTES, MAGIC, META_BYTES_AT, MetaTag } from './wire.ts';

/** From here on the body of a message that owns its bytes goes out by reference: copying would cost more than a second part. */
const VIEW_BYTES = 65_536;

/** `more`: whole fields that the meta gets besides; null: none. */
export function writeMessage(
  out: Output,
  message: BrpcRequest | BrpcResponse,
  idHigh: number,
  idLow: number,
  more: Buffer | null,
): void {
  const { meta, metaFrom, metaTo, bytes, bodyFrom, to, idAt, idEnd } = message;
  const hasId = idAt !== -1;
  const idFrom = hasId ? metaFrom + idAt : metaTo;
  const idTo = hasId ? metaFrom + idEnd : metaTo;
  const idBytes = varintBytes(idHigh, idLow) + (hasId ? 0 : 1);
  const metaBytes = metaTo - metaFrom - (idTo - idFrom) + idBytes + (more?.length ?? 0);

  const at = out.reserve(HEAD_BYTES + metaBytes);
  const { slab } = out;
  MAGIC.copy(slab, at);
  slab.writeUInt32BE(metaBytes + to - bodyFrom, at + BODY_BYTES_AT);
  slab.writeUInt32BE(metaBytes, at + META_BYTES_AT);
  let next = at + HEAD_BYTES + meta.copy(slab, at + HEAD_BYTES, metaFrom, idFrom);
  if (!hasId) slab[next++] = MetaTag.CorrelationId;
  next = writeVarint(slab, next, idHigh, idLow);
  next += meta.copy(slab, next, idTo, metaTo);
  more?.copy(slab, next);

  if (!message.lent && to - bodyFrom >= VIEW_BYTES) out.view(bytes.subarray(bodyFrom, to));
  else if (bodyFrom < to) out.append(bytes, bodyFrom, to);
}
