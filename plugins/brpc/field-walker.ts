/** FieldWalker: the fields of a protobuf message, one after the other, in place. Makes nothing; knows no message type. */

export const WireType = { Varint: 0, Fixed64: 1, Bytes: 2, Fixed32: 5 } as const;

const LONGEST_VARINT_BYTES = 10;

export class FieldWalker {
  /** Of the field that `next` went to: number × 8 + wire type. */
  tag = 0;
  /** Where it starts, where its value starts (behind a length, if it has one), and where it ends. */
  at = 0;
  valueAt = 0;
  end = 0;
  /** Of a varint: its value's upper and lower 32 bits, both unsigned. */
  high = 0;
  low = 0;
  /** Why the last `next` was false; null: the message ended where it should. */
  fault: string | null = null;
  #bytes: Buffer;
  #to = 0;

  constructor() {
    this.#bytes = NONE;
  }

  start(bytes: Buffer, from: number, to: number): void {
    this.#bytes = bytes;
    this.#to = to;
    this.end = from;
    this.fault = null;
  }

  /** Forgets the bytes. */
  stop(): void {
    this.#bytes = NONE;
  }

  /** False: no further field; see `fault`. */
  next(): boolean {
    this.at = this.end;
    if (this.at >= this.#to) return false;
    const valueAt = this.#readVarint(this.at);
    if (valueAt === -1) return this.#fail('a tag that does not end');
    if (this.high !== 0 || this.low < 8) return this.#fail(`tag ${this.low} of no field`);
    this.tag = this.low;
    this.valueAt = valueAt;
    switch (this.tag & 7) {
      case WireType.Varint:
        this.end = this.#readVarint(valueAt);
        return this.end !== -1 || this.#fail('a varint that does not end');
      case WireType.Fixed64:
        return this.#endAt(valueAt + 8);
      case WireType.Fixed32:
        return this.#endAt(valueAt + 4);
      case WireType.Bytes:
        this.valueAt = this.#readVarint(valueAt);
        if (this.valueAt === -1) return this.#fail('a length that does not end');
        // A length may be anything: compared before it is added.
        if (this.high !== 0 || this.low > this.#to - this.valueAt) {
          return this.#fail(`a length that goes ${this.low} bytes on where ${this.#to - this.valueAt} are left`);
        }
        this.end = this.valueAt + this.low;
        return true;
      default:
        return this.#fail(`wire type ${this.tag & 7}; groups are not supported`);
    }
  }

  #endAt(end: number): boolean {
    this.end = end;
    return end <= this.#to || this.#fail('a fixed value goes beyond the message');
  }

  #fail(text: string): false {
    this.fault = `field ${this.tag >>> 3}: ${text}`;
    this.end = this.#to;
    return false;
  }

  /** Gives where it ends; -1: not in ten bytes, or not before the message does. */
  #readVarint(from: number): number {
    const bytes = this.#bytes;
    let low = 0;
    let high = 0;
    for (let n = 0; n < LONGEST_VARINT_BYTES && from + n < this.#to; n++) {
      const byte = bytes[from + n]!;
      const bits = byte & 0x7f;
      if (n < 4) {
        low |= bits << (7 * n);
      } else if (n === 4) {
        low |= bits << 28;
        high = bits >>> 4;
      } else {
        high |= bits << (7 * n - 32);
      }
      if (byte < 0x80) {
        this.low = low >>> 0;
        this.high = high >>> 0;
        return from + n + 1;
      }
    }
    return -1;
  }
}

const NONE = Buffer.alloc(0);

/** Bytes of the shortest varint. */
export function varintBytes(high: number, low: number): number {
  const bits = high === 0 ? 32 - Math.clz32(low) : 64 - Math.clz32(high);
  return Math.max(1, Math.ceil(bits / 7));
}

/** Gives the offset behind it. */
export function writeVarint(target: Buffer, at: number, high: number, low: number): number {
  let next = at;
  let upper = high >>> 0;
  let lower = low >>> 0;
  while (upper !== 0 || lower > 0x7f) {
    target[next++] = (lower & 0x7f) | 0x80;
    lower = ((lower >>> 7) | (upper << 25)) >>> 0;
    upper >>>= 7;
  }
  target[next++] = lower;
  return next;
}

/** A field of bytes under `tag`, which is below 128. */
export function bytesField(tag: number, value: Buffer): Buffer {
  const field = Buffer.allocUnsafe(1 + varintBytes(0, value.length) + value.length);
  field[0] = tag;
  value.copy(field, writeVarint(field, 1, 0, value.length));
  return field;
}

/** A varint field under `tag`, which is below 128. */
export function varintField(tag: number, high: number, low: number): Buffer {
  const field = Buffer.allocUnsafe(1 + varintBytes(high, low));
  field[0] = tag;
  writeVarint(field, 1, high, low);
  return field;
}
