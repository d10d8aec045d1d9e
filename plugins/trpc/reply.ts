/** Local replies: every ProxyStatus as a response whose code and text the caller's library shows. */
import { type ProxyStatus, Status, type StatusName, statusOf } from 'meltemi/codec';
import { RESPONSE_SIDE } from './attributes.ts';
import { type TrpcRequest, TrpcResponse } from './message.ts';
import type { MetaReader } from './meta.ts';
import { bytesFieldBytes, tagOf, WireType, writeInt32, writeVarint } from './protobuf.ts';
import { type RefusedRequest, StreamRefusal } from './refused-request.ts';
import {
  FIXED_BYTES,
  FrameType,
  InitField,
  MAGIC_HIGH,
  MAGIC_LOW,
  META_BYTES_AT,
  ResponseField,
  RetCode,
  STREAM_ID_AT,
  STREAM_TYPE_AT,
  StreamType,
  TOTAL_AT,
  TYPE_AT,
  VERSION_AT,
  writeUint16,
  writeUint32,
} from './wire.ts';

/** ProxyStatus to `ret`, where the status carries no code of its own. README.md shows it. */
export const RET_OF_STATUS: Readonly<Record<StatusName, number>> = {
  no_error: RetCode.INVOKE_UNKNOWN_ERR,
  no_route: RetCode.SERVER_NOSERVICE_ERR,
  no_cluster: RetCode.CLIENT_ROUTER_ERR,
  no_healthy_endpoint: RetCode.CLIENT_ROUTER_ERR,
  connect_failure: RetCode.CLIENT_CONNECT_ERR,
  timeout: RetCode.SERVER_TIMEOUT_ERR,
  over_limit: RetCode.SERVER_LIMITED_ERR,
  overloaded: RetCode.SERVER_OVERLOAD_ERR,
  denied: RetCode.SERVER_AUTH_ERR,
  fault: RetCode.SERVER_SYSTEM_ERR,
  malformed: RetCode.SERVER_DECODE_ERR,
  too_large: RetCode.SERVER_DECODE_ERR,
  unsupported: RetCode.SERVER_NOFUNC_ERR,
  refused: RetCode.CLIENT_NETWORK_ERR,
  upstream_reset: RetCode.CLIENT_NETWORK_ERR,
  upstream_malformed: RetCode.CLIENT_DECODE_ERR,
  downstream_reset: RetCode.CLIENT_CANCELED_ERR,
  slow_consumer: RetCode.CLIENT_NETWORK_ERR,
  draining: RetCode.CLIENT_NETWORK_ERR,
  internal_error: RetCode.SERVER_SYSTEM_ERR,
};

export const NO_STREAMS = statusOf(Status.unsupported, 'streaming calls are not supported; unary and oneway calls are');

const TEXT_LIMIT_BYTES = 4_096;
/** A tag and the widest number. */
const NUMBER_BYTES = 11;
const EMPTY = Buffer.alloc(0);

/** Its id is stamped when it is encoded. */
export function localReply(
  meta: MetaReader,
  status: ProxyStatus,
  request: TrpcRequest | RefusedRequest | null,
): TrpcResponse {
  const ret = status.code ?? RET_OF_STATUS[status.name];
  // A fault may ask for success, which has no text.
  const text = ret === RetCode.INVOKE_SUCCESS ? EMPTY : textOf(status);
  const frame = Buffer.alloc(FIXED_BYTES + NUMBER_BYTES + bytesFieldBytes(text.length));
  let at = FIXED_BYTES;
  // A protobuf must not be empty, so a 0 is written too.
  at = writeNumber(frame, at, ResponseField.Ret, ret);
  if (text.length > 0) at = writeBytes(frame, at, ResponseField.ErrorMsg, text);
  finish(frame, at, request?.version ?? 0);
  const reply = frame.subarray(0, at);
  meta.read(RESPONSE_SIDE, reply, 0);
  return new TrpcResponse(meta, reply, 0, at, false, true);
}

/** The first answer of a stream says that there will be none. `head`: the fixed head of the frame that asked. */
export function streamRefusal(head: Buffer): StreamRefusal {
  const text = textOf(NO_STREAMS);
  const code = RET_OF_STATUS.unsupported;
  const inner = Buffer.alloc(NUMBER_BYTES + bytesFieldBytes(text.length));
  const innerEnd = writeBytes(inner, writeNumber(inner, 0, InitField.Ret, code), InitField.ErrorMsg, text);
  const frame = Buffer.alloc(FIXED_BYTES + bytesFieldBytes(innerEnd));
  const end = writeBytes(frame, FIXED_BYTES, InitField.ResponseMeta, inner.subarray(0, innerEnd));
  finish(frame, end, head[VERSION_AT]!);
  frame[TYPE_AT] = FrameType.Stream;
  frame[STREAM_TYPE_AT] = StreamType.Init;
  head.copy(frame, STREAM_ID_AT, STREAM_ID_AT, STREAM_ID_AT + 4);
  return new StreamRefusal(frame, code);
}

function textOf(status: ProxyStatus): Buffer {
  return Buffer.from(`${status.name}: ${status.detail}`).subarray(0, TEXT_LIMIT_BYTES);
}

/** `end`: where its protobuf and it end. */
function finish(frame: Buffer, end: number, version: number): void {
  frame[0] = MAGIC_HIGH;
  frame[1] = MAGIC_LOW;
  frame[VERSION_AT] = version;
  writeUint32(frame, TOTAL_AT, end);
  writeUint16(frame, META_BYTES_AT, end - FIXED_BYTES);
}

function writeNumber(target: Buffer, at: number, field: number, value: number): number {
  target[at] = tagOf(field, WireType.Varint);
  return writeInt32(target, at + 1, value);
}

function writeBytes(target: Buffer, at: number, field: number, value: Buffer): number {
  target[at] = tagOf(field, WireType.Bytes);
  const from = writeVarint(target, at + 1, value.length);
  return from + value.copy(target, from);
}
