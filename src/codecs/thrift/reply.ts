/** Local replies: every ProxyStatus as a TApplicationException in the caller's own transport and protocol. */
import type { ProxyStatus, StatusName } from '../../metaprotocol/status.ts';
import { ThriftResponse } from './message.ts';
import type { MethodNames } from './method-names.ts';
import {
  BINARY_MAGIC,
  BINARY_VERSION,
  COMPACT_MAGIC,
  COMPACT_VERSION,
  ExceptionType,
  HEADER_BLOCK_AT,
  HEADER_MAGIC_HIGH,
  HEADER_MAGIC_LOW,
  HEADER_WORDS_AT,
  HeaderProtocol,
  LENGTH_BYTES,
  type MessageHead,
  MessageType,
  type ThriftWire,
  varintBytes,
  writeInt32,
  writeVarint,
} from './wire.ts';

/** ProxyStatus to TApplicationException type, where the status carries no code of its own. docs/codecs/thrift.md shows it. */
export const EXCEPTION_OF_STATUS: Readonly<Record<StatusName, number>> = {
  no_error: ExceptionType.UNKNOWN,
  no_route: ExceptionType.UNKNOWN_METHOD,
  no_cluster: ExceptionType.INTERNAL_ERROR,
  no_healthy_endpoint: ExceptionType.INTERNAL_ERROR,
  connect_failure: ExceptionType.INTERNAL_ERROR,
  timeout: ExceptionType.INTERNAL_ERROR,
  over_limit: ExceptionType.INTERNAL_ERROR,
  overloaded: ExceptionType.INTERNAL_ERROR,
  denied: ExceptionType.INTERNAL_ERROR,
  fault: ExceptionType.INTERNAL_ERROR,
  malformed: ExceptionType.PROTOCOL_ERROR,
  too_large: ExceptionType.PROTOCOL_ERROR,
  unsupported: ExceptionType.UNSUPPORTED_CLIENT_TYPE,
  refused: ExceptionType.INTERNAL_ERROR,
  upstream_reset: ExceptionType.INTERNAL_ERROR,
  upstream_malformed: ExceptionType.INTERNAL_ERROR,
  downstream_reset: ExceptionType.INTERNAL_ERROR,
  slow_consumer: ExceptionType.INTERNAL_ERROR,
  draining: ExceptionType.INTERNAL_ERROR,
  internal_error: ExceptionType.INTERNAL_ERROR,
};

/** `name`: the method without its service, as generated clients check it. */
export function exceptionReply(
  status: ProxyStatus,
  wire: ThriftWire,
  name: Buffer,
  names: MethodNames,
): ThriftResponse {
  const text = Buffer.from(`${status.name}: ${status.detail}`);
  const type = status.code ?? EXCEPTION_OF_STATUS[status.name];
  const compact = wire.protocol === 'compact';
  const innerAt = wire.transport === 'unframed' ? 0 : wire.transport === 'framed' ? LENGTH_BYTES : HEADER_BLOCK_AT + 4;
  const seqAt = innerAt + (compact ? 2 : name.length + (wire.old ? 5 : 8));
  const nameAt = innerAt + (compact ? 3 + varintBytes(name.length) : wire.old ? 4 : 8);
  const bodyAt = compact ? nameAt + name.length : seqAt + 4;
  const zigzag = (type << 1) ^ (type >> 31);
  const bodyBytes = compact ? 3 + varintBytes(text.length) + text.length + varintBytes(zigzag) : 15 + text.length;
  const bytes = Buffer.alloc(bodyAt + bodyBytes);

  if (wire.transport !== 'unframed') writeInt32(bytes, 0, bytes.length - LENGTH_BYTES);
  if (wire.transport === 'theader') {
    bytes[4] = HEADER_MAGIC_HIGH;
    bytes[5] = HEADER_MAGIC_LOW;
    bytes[HEADER_WORDS_AT + 1] = 1;
    bytes[HEADER_BLOCK_AT] = compact ? HeaderProtocol.Compact : HeaderProtocol.Binary;
  }
  name.copy(bytes, nameAt);
  if (compact) {
    bytes[innerAt] = COMPACT_MAGIC;
    bytes[innerAt + 1] = (MessageType.Exception << 5) | COMPACT_VERSION;
    writeVarint(bytes, innerAt + 3, name.length);
    writeCompactException(bytes, bodyAt, text, zigzag);
  } else {
    if (wire.old) {
      bytes[nameAt + name.length] = MessageType.Exception;
    } else {
      bytes[innerAt] = BINARY_MAGIC;
      bytes[innerAt + 1] = BINARY_VERSION;
      bytes[innerAt + 3] = MessageType.Exception;
    }
    writeInt32(bytes, nameAt - 4, name.length);
    writeBinaryException(bytes, bodyAt, text, type);
  }
  const head: MessageHead = {
    transport: wire.transport,
    protocol: wire.protocol,
    old: wire.old,
    type: MessageType.Exception,
    seqid: 0,
    headerSeqid: 0,
    innerAt,
    infosAt: HEADER_BLOCK_AT + 2,
    seqAt,
    seqWidth: compact ? 1 : 4,
    nameAt,
    nameBytes: name.length,
    bodyAt,
  };
  return new ThriftResponse(head, names, bytes, 0, bytes.length, false, true);
}

/** TApplicationException: field 1 string message, field 2 i32 type, stop. The buffer is zeroed. */
function writeBinaryException(bytes: Buffer, from: number, text: Buffer, type: number): void {
  bytes[from] = 11;
  bytes[from + 2] = 1;
  writeInt32(bytes, from + 3, text.length);
  const at = from + 7 + text.copy(bytes, from + 7);
  bytes[at] = 8;
  bytes[at + 2] = 2;
  writeInt32(bytes, at + 3, type);
}

function writeCompactException(bytes: Buffer, from: number, text: Buffer, zigzag: number): void {
  bytes[from] = 0x18;
  let at = writeVarint(bytes, from + 1, text.length);
  at += text.copy(bytes, at);
  bytes[at] = 0x15;
  writeVarint(bytes, at + 1, zigzag);
}
