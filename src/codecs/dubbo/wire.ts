/**
 * Dubbo on the wire: constants and layout.
 * Specifications: dubbo.apache.org "Dubbo2 protocol", hessian.caucho.com "Hessian 2.0 Serialization Protocol".
 *
 *     frame     0 u16 0xDABB | 2 u8 flags | 3 u8 status | 4 i64 id | 12 i32 body length | 16 body
 *     flags     0x80 request | 0x40 two-way | 0x20 event | 0x1F serialization
 *
 *     request   string protocol version | string path | string service version | string method | string parameter types
 *               arguments… | map attachments
 *     response  status 20: int tag | value (tags 0, 1, 3, 4) | map attachments (tags 3, 4, 5); other status: string message
 *     event     null (heartbeat) or a string ("R": the sender takes no new requests)
 */

export const MAGIC_HIGH = 0xda;
export const MAGIC_LOW = 0xbb;
export const HEADER_BYTES = 16;
export const FLAGS_AT = 2;
export const STATUS_AT = 3;
export const ID_AT = 4;
export const LENGTH_AT = 12;

export const FrameFlag = { Request: 0x80, TwoWay: 0x40, Event: 0x20 } as const;
export const SERIALIZATION_MASK = 0x1f;
export const HESSIAN2 = 2;
/** Hessian's null, also the body of a heartbeat. */
export const NULL = 0x4e;

/** Names of `org.apache.dubbo.common.serialize.Constants`, as providers write them in `serialization=`. */
const SERIALIZATIONS: Readonly<Record<number, string>> = {
  2: 'hessian2',
  3: 'java',
  4: 'compactedjava',
  6: 'fastjson',
  7: 'nativejava',
  8: 'kryo',
  9: 'fst',
  10: 'native-hessian',
  11: 'avro',
  12: 'protostuff',
  16: 'gson',
  18: 'jackson',
  21: 'protobuf-json',
  22: 'protobuf',
  23: 'fastjson2',
  25: 'kryo2',
  27: 'msgpack',
  28: 'fury',
};

/** The number itself where it has no name. */
export function serializationName(id: number): string {
  return SERIALIZATIONS[id] ?? String(id);
}

/** Response status by the names of `org.apache.dubbo.remoting.exchange.Response`. */
export const ResponseStatus = {
  OK: 20,
  SERIALIZATION_ERROR: 25,
  CLIENT_TIMEOUT: 30,
  SERVER_TIMEOUT: 31,
  CHANNEL_INACTIVE: 35,
  BAD_REQUEST: 40,
  BAD_RESPONSE: 50,
  SERVICE_NOT_FOUND: 60,
  SERVICE_ERROR: 70,
  SERVER_ERROR: 80,
  CLIENT_ERROR: 90,
  SERVER_THREADPOOL_EXHAUSTED_ERROR: 100,
} as const;

/** What a response of status 20 holds; from 3 on attachments follow. */
export const Tag = {
  Exception: 0,
  Value: 1,
  Null: 2,
  ExceptionWithAttachments: 3,
  ValueWithAttachments: 4,
  NullWithAttachments: 5,
} as const;
/** Added to a tag 0–2 it says that attachments follow. */
export const WITH_ATTACHMENTS = 3;
/** Hessian's one-byte form of the int 0. */
export const ZERO_INT = 0x90;

/** Whether a caller that says this protocol version reads attachments of responses: 2.0.2 to 2.0.99, as Java's own check. */
export function readsResponseAttachments(protocolVersion: string | undefined): boolean {
  const parts = /^2\.0\.(\d{1,2})$/.exec(protocolVersion ?? '');
  return parts !== null && Number(parts[1]) >= 2;
}

export function writeInt32(slab: Buffer, at: number, value: number): void {
  slab[at] = value >>> 24;
  slab[at + 1] = value >>> 16;
  slab[at + 2] = value >>> 8;
  slab[at + 3] = value;
}

/** Signed. The caller has checked that four bytes are there. */
export function readInt32(bytes: Buffer, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}
