/**
 * HeadReader: finds the parts of one message that the proxy needs (type, name, sequence ids, where the struct begins).
 * It reads no further than the head: arguments and results stay bytes.
 */
import { Status, statusOf } from '../../metaprotocol/status.ts';
import type { FrameFault } from '../framing.ts';
import { HeaderCursor } from './header-block.ts';
import type { ThriftOptions } from './options.ts';
import {
  BINARY_MAGIC,
  BINARY_VERSION,
  COMPACT_MAGIC,
  COMPACT_VERSION,
  ExceptionType,
  HEADER_BLOCK_AT,
  HEADER_SEQ_AT,
  HEADER_WORDS_AT,
  HeaderProtocol,
  isHeaderMagic,
  LENGTH_BYTES,
  type MessageHead,
  MessageType,
  readInt32,
  readUint16,
  type ThriftProtocol,
  type ThriftTransport,
  VarintReader,
} from './wire.ts';

const UNSUPPORTED_TRANSFORM = statusOf(Status.unsupported, Status.unsupported.detail, ExceptionType.INVALID_TRANSFORM);
const UNSUPPORTED_PROTOCOL = statusOf(Status.unsupported, Status.unsupported.detail, ExceptionType.INVALID_PROTOCOL);
const WRONG_TYPE = statusOf(Status.malformed, Status.malformed.detail, ExceptionType.INVALID_MESSAGE_TYPE);

/** One per connection; `read` overwrites what the last one found. */
export class HeadReader implements MessageHead {
  transport: ThriftTransport = 'framed';
  protocol: ThriftProtocol = 'binary';
  old = false;
  type = 0;
  seqid = 0;
  headerSeqid = 0;
  innerAt = 0;
  infosAt = 0;
  seqAt = 0;
  seqWidth = 0;
  nameAt = 0;
  nameBytes = 0;
  bodyAt = 0;
  /** Transport and protocol have been told on this connection, by this message or an earlier one, or by configuration. */
  known: boolean;
  /** Set when `read` returned false. */
  fault: FrameFault | null = null;
  readonly #options: ThriftOptions;
  readonly #varint = new VarintReader();
  readonly #cursor = new HeaderCursor();

  constructor(options: ThriftOptions) {
    this.#options = options;
    this.known = options.transport !== 'detect' && options.protocol !== 'detect';
    if (options.transport !== 'detect') this.transport = options.transport;
    if (options.protocol !== 'detect') this.protocol = options.protocol;
  }

  /** `bytes[from, to)` is one whole frame. False: `fault` says why; transport, protocol and sequence ids are as far as known. */
  read(bytes: Buffer, from: number, to: number, unframed: boolean): boolean {
    this.seqid = 0;
    this.headerSeqid = 0;
    this.innerAt = 0;
    if (unframed) {
      this.transport = 'unframed';
    } else if (!this.#readTransport(bytes, from, to)) {
      return false;
    }
    return this.#readMessage(bytes, from, to);
  }

  /** Sets transport and protocol by the first bytes of a frame that will not come whole, as far as they tell. */
  glance(bytes: Buffer, from: number, to: number, unframed: boolean): void {
    this.seqid = 0;
    this.headerSeqid = 0;
    const at = unframed ? from : from + LENGTH_BYTES;
    if (to < at + 2) return;
    if (!unframed && isHeaderMagic(bytes, at)) {
      this.transport = 'theader';
      this.known = true;
      if (to >= from + HEADER_WORDS_AT) this.headerSeqid = readInt32(bytes, from + HEADER_SEQ_AT);
    } else if (bytes[at] === BINARY_MAGIC || bytes[at] === COMPACT_MAGIC) {
      this.transport = unframed ? 'unframed' : 'framed';
      this.protocol = bytes[at] === BINARY_MAGIC ? 'binary' : 'compact';
      this.old = false;
      this.known = true;
    }
  }

  /** Leaves what an answer needs (transport, protocol, sequence ids) and forgets all that points into bytes. */
  forgetMessage(): void {
    this.type = 0;
    this.innerAt = 0;
    this.infosAt = 0;
    this.nameAt = 0;
    this.nameBytes = 0;
  }

  #readTransport(bytes: Buffer, from: number, to: number): boolean {
    const wanted = this.#options.transport;
    const header = to - from >= LENGTH_BYTES + 2 && isHeaderMagic(bytes, from + LENGTH_BYTES);
    this.transport = header ? 'theader' : 'framed';
    if (header) this.known = true;
    if (wanted !== 'detect' && wanted !== this.transport) {
      return this.#bad(
        Status.malformed,
        `a ${this.transport} frame where the transport is configured ${wanted}`,
        LENGTH_BYTES,
      );
    }
    this.innerAt = LENGTH_BYTES;
    return !header || this.#readHeaderBlock(bytes, from, to);
  }

  #readHeaderBlock(bytes: Buffer, from: number, to: number): boolean {
    if (to - from < HEADER_BLOCK_AT) {
      return this.#bad(
        Status.malformed,
        `a THeader frame of ${to - from} bytes, at least ${HEADER_BLOCK_AT} expected`,
        0,
      );
    }
    this.headerSeqid = readInt32(bytes, from + HEADER_SEQ_AT);
    this.seqid = this.headerSeqid;
    const blockBytes = readUint16(bytes, from + HEADER_WORDS_AT) * 4;
    const limit = this.#options.headerLimitBytes;
    if (blockBytes > limit) {
      return this.#bad(Status.too_large, `header block ${blockBytes} > headerLimitBytes ${limit}`, HEADER_WORDS_AT);
    }
    this.innerAt = HEADER_BLOCK_AT + blockBytes;
    if (from + this.innerAt > to) {
      const left = to - from - HEADER_BLOCK_AT;
      return this.#bad(
        Status.malformed,
        `header block of ${blockBytes} bytes where the frame has ${left}`,
        HEADER_WORDS_AT,
      );
    }
    const end = from + this.innerAt;
    const varint = this.#varint;
    let at = from + HEADER_BLOCK_AT;
    let width = varint.read(bytes, at, end);
    if (width <= 0) return this.#bad(Status.malformed, 'the header block has no protocol id', at - from);
    const protocol = varint.value;
    if (protocol !== HeaderProtocol.Binary && protocol !== HeaderProtocol.Compact) {
      return this.#bad(
        UNSUPPORTED_PROTOCOL,
        `THeader protocol ${protocol}, 0 (binary) or 2 (compact) expected`,
        at - from,
      );
    }
    this.protocol = protocol === HeaderProtocol.Compact ? 'compact' : 'binary';
    this.old = false;
    at += width;
    width = varint.read(bytes, at, end);
    if (width <= 0) return this.#bad(Status.malformed, 'the header block has no transform count', at - from);
    if (varint.value !== 0)
      return this.#bad(UNSUPPORTED_TRANSFORM, `${varint.value} transforms, none expected`, at - from);
    at += width;
    this.infosAt = at - from;
    const cursor = this.#cursor.start(bytes, at, end);
    while (cursor.next());
    if (cursor.badAt < 0) return true;
    return this.#bad(Status.malformed, 'a header that runs past the header block', cursor.badAt - from);
  }

  #readMessage(bytes: Buffer, from: number, to: number): boolean {
    const wanted = this.#options.protocol;
    const at = from + this.innerAt;
    const first = at < to ? bytes[at]! : -1;
    let read: boolean;
    if (first === BINARY_MAGIC && wanted !== 'compact') {
      if (!this.#isProtocol('binary')) return false;
      read = this.#readBinary(bytes, from, to, at);
    } else if (first === COMPACT_MAGIC && wanted !== 'binary') {
      if (!this.#isProtocol('compact')) return false;
      read = this.#readCompact(bytes, from, to, at);
    } else if (this.#options.oldBinary && first >= 0 && first < BINARY_MAGIC) {
      if (!this.#isProtocol('binary')) return false;
      read = this.#readOldBinary(bytes, from, to, at);
    } else {
      const found = first < 0 ? 'no message' : `first byte 0x${first.toString(16).padStart(2, '0')}`;
      return this.#bad(
        Status.malformed,
        `${found} where ${wanted === 'detect' ? 'binary or compact' : wanted} is expected`,
        this.innerAt,
      );
    }
    if (!read) return false;
    if (this.type < MessageType.Call || this.type > MessageType.Oneway) {
      return this.#bad(WRONG_TYPE, `message type ${this.type}, 1 to 4 expected`, this.innerAt);
    }
    if (from + this.bodyAt >= to) return this.#bad(Status.malformed, 'a message without its struct', this.bodyAt);
    return true;
  }

  /** A THeader has already said which protocol is inside. */
  #isProtocol(found: ThriftProtocol): boolean {
    if (this.transport === 'theader' && this.protocol !== found) {
      return this.#bad(
        Status.malformed,
        `a ${found} message in a THeader frame that says ${this.protocol}`,
        this.innerAt,
      );
    }
    this.protocol = found;
    this.old = false;
    this.known = true;
    return true;
  }

  #readBinary(bytes: Buffer, from: number, to: number, at: number): boolean {
    if (to - at < 8)
      return this.#bad(Status.malformed, `a binary head of ${to - at} bytes, at least 8 expected`, at - from);
    if (bytes[at + 1] !== BINARY_VERSION) {
      return this.#bad(Status.malformed, `binary version ${bytes[at + 1]}, ${BINARY_VERSION} expected`, at + 1 - from);
    }
    this.type = bytes[at + 3]!;
    return this.#readName(bytes, from, to, at + 4) && this.#readSeqid(bytes, from, to, this.nameAt + this.nameBytes);
  }

  #readOldBinary(bytes: Buffer, from: number, to: number, at: number): boolean {
    this.old = true;
    if (to - at < 4)
      return this.#bad(Status.malformed, `a binary head of ${to - at} bytes, at least 4 expected`, at - from);
    if (!this.#readName(bytes, from, to, at)) return false;
    const typeAt = this.nameAt + this.nameBytes;
    if (from + typeAt >= to) return this.#bad(Status.malformed, 'a binary head without its type', typeAt);
    this.type = bytes[from + typeAt]!;
    return this.#readSeqid(bytes, from, to, typeAt + 1);
  }

  #readName(bytes: Buffer, from: number, to: number, at: number): boolean {
    const length = readInt32(bytes, at);
    if (length < 0 || length > to - at - 4) {
      return this.#bad(Status.malformed, `name length ${length} where ${to - at - 4} bytes are left`, at - from);
    }
    this.nameAt = at + 4 - from;
    this.nameBytes = length;
    return true;
  }

  #readSeqid(bytes: Buffer, from: number, to: number, seqAt: number): boolean {
    if (from + seqAt + 4 > to) return this.#bad(Status.malformed, 'a binary head without its sequence id', seqAt);
    this.seqid = readInt32(bytes, from + seqAt);
    this.seqAt = seqAt;
    this.seqWidth = 4;
    this.bodyAt = seqAt + 4;
    return true;
  }

  #readCompact(bytes: Buffer, from: number, to: number, at: number): boolean {
    if (to - at < 2)
      return this.#bad(Status.malformed, `a compact head of ${to - at} bytes, at least 4 expected`, at - from);
    const second = bytes[at + 1]!;
    if ((second & 0x1f) !== COMPACT_VERSION) {
      return this.#bad(
        Status.malformed,
        `compact version ${second & 0x1f}, ${COMPACT_VERSION} expected`,
        at + 1 - from,
      );
    }
    this.type = second >>> 5;
    const varint = this.#varint;
    let width = varint.read(bytes, at + 2, to);
    if (width <= 0) return this.#bad(Status.malformed, 'a compact head without its sequence id', at + 2 - from);
    this.seqid = varint.value;
    this.seqAt = at + 2 - from;
    this.seqWidth = width;
    const lengthAt = at + 2 + width;
    width = varint.read(bytes, lengthAt, to);
    if (width <= 0) return this.#bad(Status.malformed, 'a compact head without its name length', lengthAt - from);
    const left = to - lengthAt - width;
    if (varint.value < 0 || varint.value > left) {
      return this.#bad(
        Status.malformed,
        `name length ${varint.value >>> 0} where ${left} bytes are left`,
        lengthAt - from,
      );
    }
    this.nameAt = lengthAt + width - from;
    this.nameBytes = varint.value;
    this.bodyAt = this.nameAt + this.nameBytes;
    return true;
  }

  #bad(status: typeof Status.malformed, text: string, at: number): false {
    this.fault = { status, text, at };
    return false;
  }
}
