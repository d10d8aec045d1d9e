/**
 * tRPC on the wire: constants and layout.
 * Specification: the trpc-group/trpc project, "tRPC protocol design" and `trpc.proto`.
 *
 *      0       2      3        4          8          10          14        15         16            16+n
 *     +-------+------+--------+----------+----------+-----------+---------+----------+-------------+------------------
 *     | 09 30 | type | stream | u32be    | n: u16be | u32be     | version | reserved | protobuf, n | body, attachment
 *     +-------+------+--------+----------+----------+-----------+---------+----------+-------------+------------------
 *              0 unary         all of it              stream id; the request id in unary frames of version 1
 *              1 stream
 */

export const MAGIC_HIGH = 0x09;
export const MAGIC_LOW = 0x30;
export const FIXED_BYTES = 16;
export const TYPE_AT = 2;
export const STREAM_TYPE_AT = 3;
export const TOTAL_AT = 4;
export const META_BYTES_AT = 8;
export const STREAM_ID_AT = 10;
export const VERSION_AT = 14;

export const FrameType = { Unary: 0, Stream: 1 } as const;
export const StreamType = { Init: 1, Data: 2, Feedback: 3, Close: 4 } as const;
export const ONEWAY_CALL = 1;

/** Largest number of the field that tells the protobuf's length. */
export const META_LIMIT_BYTES = 0xffff;

/** `request_id`, of requests and responses. */
export const ID_FIELD = 3;

export const RequestField = {
  CallType: 2,
  Timeout: 4,
  Caller: 5,
  Callee: 6,
  Func: 7,
  MessageType: 8,
  TransInfo: 9,
  ContentType: 10,
  ContentEncoding: 11,
} as const;

export const ResponseField = {
  CallType: 2,
  Ret: 4,
  FuncRet: 5,
  ErrorMsg: 6,
  MessageType: 7,
  TransInfo: 8,
  ContentType: 9,
  ContentEncoding: 10,
} as const;

/** `response_meta` of a stream's first answer, and what it says. */
export const InitField = { ResponseMeta: 2, Ret: 1, ErrorMsg: 2 } as const;

/** `ret` by the names of `TrpcRetCode`. */
export const RetCode = {
  INVOKE_SUCCESS: 0,
  SERVER_DECODE_ERR: 1,
  SERVER_ENCODE_ERR: 2,
  SERVER_NOSERVICE_ERR: 11,
  SERVER_NOFUNC_ERR: 12,
  SERVER_TIMEOUT_ERR: 21,
  SERVER_OVERLOAD_ERR: 22,
  SERVER_LIMITED_ERR: 23,
  SERVER_FULL_LINK_TIMEOUT_ERR: 24,
  SERVER_SYSTEM_ERR: 31,
  SERVER_AUTH_ERR: 41,
  SERVER_VALIDATE_ERR: 51,
  CLIENT_INVOKE_TIMEOUT_ERR: 101,
  CLIENT_FULL_LINK_TIMEOUT_ERR: 102,
  CLIENT_CONNECT_ERR: 111,
  CLIENT_ENCODE_ERR: 121,
  CLIENT_DECODE_ERR: 122,
  CLIENT_LIMITED_ERR: 123,
  CLIENT_OVERLOAD_ERR: 124,
  CLIENT_ROUTER_ERR: 131,
  CLIENT_NETWORK_ERR: 141,
  CLIENT_VALIDATE_ERR: 151,
  CLIENT_CANCELED_ERR: 161,
  CLIENT_READ_FRAME_ERR: 171,
  INVOKE_UNKNOWN_ERR: 999,
} as const;

/** `content_type` by number. */
export const CONTENT_TYPES = [
  'protobuf',
  'jce',
  'json',
  'flatbuffer',
  'noop',
  'xml',
  'thrift',
  'thrift-compact',
  'text-xml',
] as const;

/** `content_encoding` by number. */
export const CONTENT_ENCODINGS = [
  'none',
  'gzip',
  'snappy',
  'zlib',
  'snappy-stream',
  'snappy-block',
  'lz4-frame',
  'lz4-block',
] as const;

/** Unsigned. The caller has checked that the bytes are there. */
export function readUint32(bytes: Buffer, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

export function writeUint32(bytes: Buffer, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function readUint16(bytes: Buffer, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function writeUint16(bytes: Buffer, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}
