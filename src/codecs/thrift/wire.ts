/**
 * Thrift on the wire: constants and layout.
 * Specifications: apache/thrift doc/specs/thrift-rpc.md, thrift-binary-protocol.md, thrift-compact-protocol.md, HeaderFormat.md.
 *
 *     framed     0 i32 length | 4 message
 *     unframed   0 message
 *     THeader    0 i32 length | 4 u16 0x0FFF | 6 u16 flags | 8 u32 sequence id | 12 u16 header words (of 4 bytes)
 *                14 varint protocol, varint transform count, transforms…, infos…, zeros | 14 + 4 × words  message
 *
 *     binary     0 u16 0x8001 | 2 u8 0 | 3 u8 type | 4 i32 name length | 8 name | i32 sequence id | struct
 *     old binary 0 i32 name length (≥ 0) | 4 name | u8 type | i32 sequence id | struct
 *     compact    0 u8 0x82 | 1 u8 type << 5 + version 1 | 2 varint sequence id | varint name length | name | struct
 */

export type ThriftTransport = 'framed' | 'unframed' | 'theader';
export type ThriftProtocol = 'binary' | 'compact';

/** How a message was written, and how its answer has to be. */
export interface ThriftWire {
  readonly transport: ThriftTransport;
  readonly protocol: ThriftProtocol;
  /** Binary without the version word. */
  readonly old: boolean;
}

/** What is known of one message. All offsets count from the start of its frame. */
export interface MessageHead extends ThriftWire {
  /** One of MessageType; 0 if it could not be read. */
  readonly type: number;
  /** The sender's own, to be restored on the answer. */
  readonly seqid: number;
  /** THeader's sequence id, which not every client keeps equal; 0 elsewhere. */
  readonly headerSeqid: number;
  /** Where the message begins, behind length and headers. */
  readonly innerAt: number;
  /** THeader: where the infos begin. */
  readonly infosAt: number;
  readonly seqAt: number;
  readonly seqWidth: number;
  readonly nameAt: number;
  readonly nameBytes: number;
  /** Where the struct begins. */
  readonly bodyAt: number;
}

export const MessageType = { Call: 1, Reply: 2, Exception: 3, Oneway: 4 } as const;
export const MESSAGE_TYPE_NAMES = ['', 'call', 'reply', 'exception', 'oneway'] as const;

export const LENGTH_BYTES = 4;
/** The largest frame that THeader allows; framed lengths beyond it are refused too. */
export const MAX_FRAME_BYTES = 0x3fff_ffff;
export const BINARY_MAGIC = 0x80;
export const BINARY_VERSION = 0x01;
export const COMPACT_MAGIC = 0x82;
export const COMPACT_VERSION = 1;

export const HEADER_MAGIC_HIGH = 0x0f;
export const HEADER_MAGIC_LOW = 0xff;
export const HEADER_SEQ_AT = 8;
export const HEADER_WORDS_AT = 12;
export const HEADER_BLOCK_AT = 14;
export const MAX_HEADER_BYTES = 0xffff * 4;
export const INFO_KEY_VALUE = 1;
/** Protocol ids inside a THeader. 1 (JSON) is not supported. */
export const HeaderProtocol = { Binary: 0, Compact: 2 } as const;

/** TApplicationException types, by their names in the specification. */
export const ExceptionType = {
  UNKNOWN: 0,
  UNKNOWN_METHOD: 1,
  INVALID_MESSAGE_TYPE: 2,
  WRONG_METHOD_NAME: 3,
  BAD_SEQUENCE_ID: 4,
  MISSING_RESULT: 5,
  INTERNAL_ERROR: 6,
  PROTOCOL_ERROR: 7,
  INVALID_TRANSFORM: 8,
  INVALID_PROTOCOL: 9,
  UNSUPPORTED_CLIENT_TYPE: 10,
} as const;

/** Bytes that a 32-bit varint takes (the sign is not folded: negative numbers take five). */
export function varintBytes(value: number): number {
  const bits = value >>> 0;
  if (bits < 0x80) return 1;
  if (bits < 0x4000) return 2;
  if (bits < 0x20_0000) return 3;
  return bits < 0x1000_0000 ? 4 : 5;
}

/** Returns the offset behind it. */
export function writeVarint(slab: Buffer, at: number, value: number): number {
  let bits = value >>> 0;
  let to = at;
  while (bits >= 0x80) {
    slab[to++] = (bits & 0x7f) | 0x80;
    bits >>>= 7;
  }
  slab[to++] = bits;
  return to;
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

export function readUint16(bytes: Buffer, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** Whether a THeader's mark stands at `at`, just behind the frame's length. */
export function isHeaderMagic(bytes: Buffer, at: number): boolean {
  return bytes[at] === HEADER_MAGIC_HIGH && bytes[at + 1] === HEADER_MAGIC_LOW;
}

/** Reads varints; holds what the last one was, so that reading needs no object. */
export class VarintReader {
  /** Signed 32-bit value of the last `read`. */
  value = 0;

  /** Width in bytes (1…5); 0: the bytes end inside it; -1: it is no 32-bit varint. */
  read(bytes: Buffer, from: number, to: number): number {
    const first = bytes[from]!;
    if (from < to && first < 0x80) {
      this.value = first;
      return 1;
    }
    let value = 0;
    for (let width = 0; width < 5; width++) {
      if (from + width >= to) return 0;
      const byte = bytes[from + width]!;
      value |= (byte & 0x7f) << (7 * width);
      if (byte < 0x80) {
        this.value = value;
        return width === 4 && byte > 0x0f ? -1 : width + 1;
      }
    }
    return -1;
  }
}
