/** Local replies: every ProxyStatus as a response whose status and text the caller's library shows. */
import type { ProxyStatus, StatusName } from '../../metaprotocol/status.ts';
import { textBytes } from './hessian-text.ts';
import { DubboResponse, type MessageContext } from './message.ts';
import {
  FLAGS_AT,
  HEADER_BYTES,
  HESSIAN2,
  LENGTH_AT,
  MAGIC_HIGH,
  MAGIC_LOW,
  ResponseStatus,
  STATUS_AT,
  Tag,
  writeInt32,
  ZERO_INT,
} from './wire.ts';

/** ProxyStatus to response status, where the status carries no code of its own. docs/codecs/dubbo.md shows it. */
export const RESPONSE_OF_STATUS: Readonly<Record<StatusName, number>> = {
  no_error: ResponseStatus.SERVER_ERROR,
  no_route: ResponseStatus.SERVICE_NOT_FOUND,
  no_cluster: ResponseStatus.SERVER_ERROR,
  no_healthy_endpoint: ResponseStatus.CHANNEL_INACTIVE,
  connect_failure: ResponseStatus.CHANNEL_INACTIVE,
  timeout: ResponseStatus.SERVER_TIMEOUT,
  over_limit: ResponseStatus.SERVER_THREADPOOL_EXHAUSTED_ERROR,
  overloaded: ResponseStatus.SERVER_THREADPOOL_EXHAUSTED_ERROR,
  denied: ResponseStatus.SERVICE_ERROR,
  fault: ResponseStatus.SERVICE_ERROR,
  malformed: ResponseStatus.BAD_REQUEST,
  too_large: ResponseStatus.BAD_REQUEST,
  unsupported: ResponseStatus.BAD_REQUEST,
  refused: ResponseStatus.CHANNEL_INACTIVE,
  upstream_reset: ResponseStatus.CHANNEL_INACTIVE,
  upstream_malformed: ResponseStatus.BAD_RESPONSE,
  downstream_reset: ResponseStatus.CLIENT_ERROR,
  slow_consumer: ResponseStatus.CLIENT_ERROR,
  draining: ResponseStatus.CHANNEL_INACTIVE,
  internal_error: ResponseStatus.SERVER_ERROR,
};

/** In hessian2, which every caller reads whatever it writes; the id is stamped when it is encoded. */
export function errorReply(status: ProxyStatus, context: MessageContext): DubboResponse {
  const code = status.code ?? RESPONSE_OF_STATUS[status.name];
  // A fault may ask for success, which cannot be said with a text.
  const ok = code === ResponseStatus.OK;
  const body = ok ? Buffer.from([ZERO_INT + Tag.Null]) : textBytes(`${status.name}: ${status.detail}`);
  const bytes = Buffer.alloc(HEADER_BYTES + body.length);
  bytes[0] = MAGIC_HIGH;
  bytes[1] = MAGIC_LOW;
  bytes[FLAGS_AT] = HESSIAN2;
  bytes[STATUS_AT] = code;
  writeInt32(bytes, LENGTH_AT, body.length);
  body.copy(bytes, HEADER_BYTES);
  return new DubboResponse(context, bytes, 0, bytes.length, false, true, false);
}
