/**
 * baidu_std on the wire: constants and layout.
 * Specifications: brpc.apache.org "baidu_std", protobuf.dev "Encoding"; brpc-java's `ext_fields` by its published class files.
 *
 *     frame     0 "PRPC" | 4 u32be body bytes | 8 u32be meta bytes | 12 meta (RpcMeta) | payload | attachment
 *               the body is meta, payload and attachment
 *
 *     RpcMeta   1 request {1 service_name 2 method_name 3 log_id 4 trace_id 5 span_id 6 parent_span_id 7 request_id 8 timeout_ms}
 *               2 response {1 error_code 2 error_text} | 3 compress_type | 4 correlation_id | 5 attachment_size
 *               7 authentication_data | 8 stream_settings | 9 user_fields: map<string, string>
 */

export const MAGIC = Buffer.from('PRPC');
export const HEAD_BYTES = 12;
export const BODY_BYTES_AT = 4;
export const META_BYTES_AT = 8;

/** Tags: field number × 8 + wire type. A known number with another wire type is an unknown field, as protobuf says. */
export const MetaTag = {
  Request: 0x0a,
  Response: 0x12,
  CompressType: 0x18,
  CorrelationId: 0x20,
  AttachmentSize: 0x28,
  AuthenticationData: 0x3a,
  StreamSettings: 0x42,
  UserField: 0x4a,
} as const;

export const RequestTag = {
  ServiceName: 0x0a,
  MethodName: 0x12,
  LogId: 0x18,
  TraceId: 0x20,
  SpanId: 0x28,
  ParentSpanId: 0x30,
  /** Apache brpc: a text. brpc-java: an entry of `ext_fields`. */
  RequestId: 0x3a,
  TimeoutMs: 0x40,
} as const;

export const ResponseTag = { ErrorCode: 0x08, ErrorText: 0x12 } as const;

/** Of a map's entry. */
export const EntryTag = { Key: 0x0a, Value: 0x12 } as const;

/** `brpc/errno.proto`, and those of the system's that brpc answers with. */
export const codes = {
  OK: 0,
  EHOSTDOWN: 112,
  ECANCELED: 125,
  ENOSERVICE: 1001,
  ENOMETHOD: 1002,
  EREQUEST: 1003,
  ERPCAUTH: 1004,
  ERPCTIMEDOUT: 1008,
  EFAILEDSOCKET: 1009,
  EOVERCROWDED: 1011,
  EINTERNAL: 2001,
  ERESPONSE: 2002,
  ELOGOFF: 2003,
  ELIMIT: 2004,
} as const;

export const COMPRESS_NAMES: readonly string[] = ['none', 'snappy', 'gzip', 'zlib', 'lz4'];
