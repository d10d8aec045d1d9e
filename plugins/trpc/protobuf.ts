/**
 * FieldWalker: the fields of a protobuf message, one after the other, in place and without building anything.
 * Specification: protobuf.dev, "Encoding". Groups, which proto3 does not write, are refused.
 */

export const WireType = { Varint: 0, Fixed64: 1, Bytes: 2, Fixed32: 5 } as const;

const VARINT_LIMIT_BYTES = 10;
const EMPTY = Buffer.alloc(0);

/** Reused: `start`, then `next` until it is false, then look at `fault`. */
export class FieldWalker {
  /** Number of the field. */
  field = 0;
  wireType = 0;
  /** Where the field starts, its tag included. */
  at = 0;
  /** The value: a varint's or a fixed number's bytes, or the bytes behind a length. */
  valueAt = 0;
  end = 0;
  /** Of a varint: its low 32 bits, signed. */
  number = 0;
  /** Actual and expected, in words; '' while all is well. Its place is `at`. */
  fault = '';
  #bytes: Buffer = EMPTY;
  #to = 0;
  /** The varint read last has more than 32 bits. */
  #wide = false;

  start(bytes: Buffer, from: number, to: number): void {
    this.#bytes = bytes;
    this.#to = to;
    this.end = from;
    this.fault = '';
  }

  next(): boolean {
    const at = this.end;
    this.at = at;
    if (at >= this.#to) return false;
    const tagEnd = this.#varint(at);
    if (tagEnd === -1) return false;
    const tag = this.number >>> 0;
    this.field = tag >>> 3;
    this.wireType = tag & 7;
    if (this.field === 0 || this.#wide) return this.#bad('a field number that is 0 or has more than 29 bits');
    this.valueAt = tagEnd;
    switch (this.wireType) {
      case WireType.Varint: {
        const end = this.#varint(tagEnd);
        if (end === -1) return false;
        this.end = end;
        return true;
      }
      case WireType.Fixed64:
        return this.#take(8);
      case WireType.Fixed32:
        return this.#take(4);
      case WireType.Bytes: {
        const valueAt = this.#varint(tagEnd);
        if (valueAt === -1) return false;
        this.valueAt = valueAt;
        return this.#take(this.#wide ? Number.POSITIVE_INFINITY : this.number >>> 0);
      }
      default:
        return this.#bad(`wire type ${this.wireType}, one of 0, 1, 2, 5 expected`);
    }
  }

  /** Lets go of the bytes. */
  stop(): void {
    this.#bytes = EMPTY;
    this.#to = 0;
    this.end = 0;
  }

  #take(length: number): boolean {
    if (length > this.#to - this.valueAt) {
      return this.#bad(`field ${this.field} of ${length} bytes, ${this.#to - this.valueAt} are left`);
    }
    this.end = this.valueAt + length;
    return true;
  }

  /** The offset behind it, its low 32 bits in `number`; -1: bad. */
  #varint(from: number): number {
    const bytes = this.#bytes;
    const to = Math.min(this.#to, from + VARINT_LIMIT_BYTES);
    let value = 0;
    this.#wide = false;
    for (let at = from, shift = 0; at < to; at++, shift += 7) {
      const byte = bytes[at]!;
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (shift >= 28 && (byte & 0x7f) >> (shift === 28 ? 4 : 0) !== 0) this.#wide = true;
      if (byte < 0x80) {
        this.number = value;
        return at + 1;
      }
    }
    this.#bad(
      to === this.#to ? 'a varint that goes beyond its message' : `a varint of more than ${VARINT_LIMIT_BYTES} bytes`,
    );
    return -1;
  }

  #bad(fault: string): false {
    this.fault = fault;
    return false;
  }
}

/** Bytes of an unsigned 32-bit number as a varint. */
export function varintBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;
}

/** Gives the offset behind it. */
export function writeVarint(target: Buffer, at: number, value: number): number {
  let rest = value >>> 0;
  let next = at;
  while (rest > 0x7f) {
    target[next++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[next++] = rest;
  return next;
}

/** Negative ones have ten bytes. */
export function writeInt32(target: Buffer, at: number, value: number): number {
  if (value >= 0) return writeVarint(target, at, value);
  writeVarint(target, at, value);
  target[at + 4] = target[at + 4]! | 0xf0;
  target.fill(0xff, at + 5, at + 9);
  target[at + 9] = 0x01;
  return at + 10;
}

export function tagOf(field: number, wireType: number): number {
  return (field << 3) | wireType;
}

/** A field of bytes with its tag and length; fields up to 15 have tags of one byte. */
export function bytesFieldBytes(length: number): number {
  return 1 + varintBytes(length) + length;
}
