/** Local replies: every ProxyStatus as a response whose code and text the caller's library shows. */
import type { ProxyStatus, StatusName } from 'meltemi/codec';
import { bytesField, varintField } from './field-walker.ts';
import { BrpcResponse, type MessageContext } from './message.ts';
import { BODY_BYTES_AT, codes, HEAD_BYTES, MAGIC, META_BYTES_AT, MetaTag, ResponseTag } from './wire.ts';

/** Where the status carries no code of its own. The README shows it. */
export const CODE_OF_STATUS: Readonly<Record<StatusName, number>> = {
  no_error: codes.EINTERNAL,
  no_route: codes.ENOSERVICE,
  no_cluster: codes.EINTERNAL,
  no_healthy_endpoint: codes.EHOSTDOWN,
  connect_failure: codes.EFAILEDSOCKET,
  timeout: codes.ERPCTIMEDOUT,
  over_limit: codes.ELIMIT,
  overloaded: codes.EOVERCROWDED,
  denied: codes.ERPCAUTH,
  fault: codes.EINTERNAL,
  malformed: codes.EREQUEST,
  too_large: codes.EREQUEST,
  unsupported: codes.EREQUEST,
  refused: codes.EFAILEDSOCKET,
  upstream_reset: codes.EFAILEDSOCKET,
  upstream_malformed: codes.ERESPONSE,
  downstream_reset: codes.ECANCELED,
  slow_consumer: codes.EOVERCROWDED,
  draining: codes.ELOGOFF,
  internal_error: codes.EINTERNAL,
};

/** The id is stamped when it is encoded. */
export function errorReply(status: ProxyStatus, context: MessageContext): BrpcResponse {
  const code = status.code ?? CODE_OF_STATUS[status.name];
  const response = Buffer.concat([
    varintField(ResponseTag.ErrorCode, 0, code),
    bytesField(ResponseTag.ErrorText, Buffer.from(`${status.name}: ${status.detail}`)),
  ]);
  const meta = bytesField(MetaTag.Response, response);
  const frame = Buffer.alloc(HEAD_BYTES + meta.length);
  MAGIC.copy(frame);
  frame.writeUInt32BE(meta.length, BODY_BYTES_AT);
  frame.writeUInt32BE(meta.length, META_BYTES_AT);
  meta.copy(frame, HEAD_BYTES);
  return new BrpcResponse(context, frame, 0, frame.length, false, -1, -1, true);
}
