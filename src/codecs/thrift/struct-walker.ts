/**
 * StructWalker: finds the end of an unframed message, the only way being to walk its struct. Resumable: no byte is walked
 * twice, whatever the chunks. It makes no values and allocates nothing for what a length claims.
 */
import { Status } from '../../metaprotocol/status.ts';
import { BAD_FRAME, type FrameFault, type FrameMeter } from '../framing.ts';
import type { ThriftOptions } from './options.ts';
import {
  BINARY_MAGIC,
  BINARY_VERSION,
  COMPACT_MAGIC,
  COMPACT_VERSION,
  readInt32,
  readUint16,
  VarintReader,
} from './wire.ts';

/** What a level of nesting is made of. */
const Level = { Struct: 0, Elements: 1 } as const;

/** Shapes of values that differ from "so many bytes". Positive numbers in the tables below are sizes. */
const Shape = { Bad: -1, Text: -2, Struct: -3, Map: -4, List: -5, Varint: -6 } as const;
const { Bad, Text, Struct, Map: MapShape, List, Varint } = Shape;

/** By binary type id: 2 bool, 3 i8, 4 double, 6 i16, 8 i32, 10 i64, 11 string, 12 struct, 13 map, 14 set, 15 list, 16 uuid. */
const BINARY_SHAPES = [Bad, Bad, 1, 1, 8, Bad, 2, Bad, 4, Bad, 8, Text, Struct, MapShape, List, List, 16] as const;
/** By compact type id: 1, 2 bool, 3 i8, 4 i16, 5 i32, 6 i64, 7 double, 8 string, 9 list, 10 set, 11 map, 12 struct, 13 uuid. */
const COMPACT_SHAPES = [Bad, 1, 1, 1, Varint, Varint, Varint, 8, Text, List, List, MapShape, Struct, 16] as const;

/** Answers of a step besides the number of bytes that it waits for. */
const DONE = 0;
const FAULT = -1;

export class StructWalker implements FrameMeter {
  fault: FrameFault | null = null;
  readonly #options: ThriftOptions;
  readonly #varint = new VarintReader();
  /** Walked so far, from the start of the message; may lie ahead of what has come. */
  #at = 0;
  #compact = false;
  #started = false;
  /** Type of the value that comes next at #at; -1: none is due. */
  #due = -1;
  #depth = 0;
  /** By level. Elements: types of the next and the one after (keys and values take turns), and how many are left. */
  readonly #kind: number[] = [];
  readonly #next: number[] = [];
  readonly #other: number[] = [];
  readonly #left: number[] = [];

  constructor(options: ThriftOptions) {
    this.#options = options;
  }

  measure(bytes: Buffer, from: number, to: number): number {
    const there = to - from;
    for (;;) {
      const limit = this.#options.frameLimitBytes;
      if (this.#at > limit) {
        this.#tooLarge(`message longer than frameLimitBytes ${limit}`);
        return BAD_FRAME;
      }
      if (this.#started && this.#depth === 0) {
        const size = this.#at;
        if (size > there) return size;
        this.#started = false;
        this.#at = 0;
        return size;
      }
      if (this.#at >= there) return this.#at + 1;
      const wanted = this.#started ? this.#step(bytes, from, to) : this.#begin(bytes, from, to);
      if (wanted === FAULT) return BAD_FRAME;
      if (wanted > there) return wanted;
    }
  }

  /** The message's head. Returns DONE, FAULT or the number of bytes that the message must have for another try. */
  #begin(bytes: Buffer, from: number, to: number): number {
    const first = bytes[from]!;
    const { protocol, oldBinary } = this.#options;
    let size: number;
    if (first === BINARY_MAGIC && protocol !== 'compact') {
      if (to - from < 8) return 8;
      if (bytes[from + 1] !== BINARY_VERSION) {
        return this.#malformed(`binary version ${bytes[from + 1]}, ${BINARY_VERSION} expected`, 1);
      }
      size = this.#nameSize(readInt32(bytes, from + 4), 4) + 12;
    } else if (first === COMPACT_MAGIC && protocol !== 'binary') {
      return this.#beginCompact(bytes, from, to);
    } else if (oldBinary && first < BINARY_MAGIC) {
      if (to - from < 4) return 4;
      size = this.#nameSize(readInt32(bytes, from), 0) + 9;
    } else {
      const expected = protocol === 'detect' ? 'binary or compact' : protocol;
      return this.#malformed(`first byte 0x${first.toString(16).padStart(2, '0')} where ${expected} is expected`, 0);
    }
    if (this.fault !== null) return FAULT;
    this.#compact = false;
    return this.#enterMessage(size);
  }

  #beginCompact(bytes: Buffer, from: number, to: number): number {
    if (to - from < 2) return 2;
    const version = bytes[from + 1]! & 0x1f;
    if (version !== COMPACT_VERSION)
      return this.#malformed(`compact version ${version}, ${COMPACT_VERSION} expected`, 1);
    const seqWidth = this.#varint.read(bytes, from + 2, to);
    if (seqWidth === 0) return to - from + 1;
    if (seqWidth < 0) return this.#malformed('a sequence id longer than 32 bits', 2);
    const nameWidth = this.#varint.read(bytes, from + 2 + seqWidth, to);
    if (nameWidth === 0) return to - from + 1;
    const name = nameWidth < 0 ? -1 : this.#varint.value;
    const size = 2 + seqWidth + nameWidth + this.#nameSize(name, 2 + seqWidth);
    if (this.fault !== null) return FAULT;
    this.#compact = true;
    return this.#enterMessage(size);
  }

  #nameSize(length: number, at: number): number {
    if (length < 0) this.#malformed(`name length ${length}`, at);
    else if (length > this.#options.frameLimitBytes) this.#overLimit('name length', length, at);
    return length;
  }

  #enterMessage(headBytes: number): number {
    this.#started = true;
    this.#due = -1;
    this.#at = headBytes;
    this.#kind[0] = Level.Struct;
    this.#depth = 1;
    return DONE;
  }

  /** One field head, one element or one value. Answers as #begin. */
  #step(bytes: Buffer, from: number, to: number): number {
    if (this.#due >= 0) return this.#value(bytes, from, to);
    const level = this.#depth - 1;
    if (this.#kind[level] === Level.Struct) {
      return this.#compact ? this.#compactField(bytes, from, to) : this.#binaryField(bytes, from, to);
    }
    if (this.#left[level] === 0) {
      this.#depth--;
      return DONE;
    }
    this.#left[level]!--;
    const type = this.#next[level]!;
    this.#next[level] = this.#other[level]!;
    this.#other[level] = type;
    this.#due = type;
    return DONE;
  }

  #binaryField(bytes: Buffer, from: number, to: number): number {
    const type = bytes[from + this.#at]!;
    if (type === 0) {
      this.#at++;
      this.#depth--;
      return DONE;
    }
    if (to - from < this.#at + 3) return this.#at + 3;
    if ((BINARY_SHAPES[type] ?? Bad) === Bad) return this.#malformed(`field type ${type}`, this.#at);
    this.#due = type;
    this.#at += 3;
    return DONE;
  }

  #compactField(bytes: Buffer, from: number, to: number): number {
    const head = bytes[from + this.#at]!;
    if (head === 0) {
      this.#at++;
      this.#depth--;
      return DONE;
    }
    const type = head & 0x0f;
    if ((COMPACT_SHAPES[type] ?? Bad) === Bad) return this.#malformed(`field type ${type}`, this.#at);
    let size = 1;
    if (head >> 4 === 0) {
      const width = this.#varint.read(bytes, from + this.#at + 1, to);
      if (width === 0) return to - from + 1;
      if (width < 0) return this.#malformed('a field id longer than 32 bits', this.#at + 1);
      size += width;
    }
    this.#at += size;
    // A boolean field is its own value.
    this.#due = type <= 2 ? -1 : type;
    return DONE;
  }

  #value(bytes: Buffer, from: number, to: number): number {
    const shape = this.#shape(this.#due);
    if (shape >= 0) {
      this.#at += shape;
    } else if (shape === Struct) {
      if (this.#tooDeep()) return FAULT;
      this.#kind[this.#depth++] = Level.Struct;
    } else {
      const wanted =
        shape === Varint
          ? this.#skipVarint(bytes, from, to)
          : this.#compact
            ? this.#compactLength(shape, bytes, from, to)
            : this.#binaryLength(shape, bytes, from, to);
      if (wanted !== DONE) return wanted;
    }
    this.#due = -1;
    return DONE;
  }

  #shape(type: number): number {
    return (this.#compact ? COMPACT_SHAPES[type] : BINARY_SHAPES[type]) ?? Bad;
  }

  #skipVarint(bytes: Buffer, from: number, to: number): number {
    for (let width = 0; width < 10; width++) {
      const at = from + this.#at + width;
      if (at >= to) return to - from + 1;
      if (bytes[at]! < 0x80) {
        this.#at += width + 1;
        return DONE;
      }
    }
    return this.#malformed('an integer longer than 64 bits', this.#at);
  }

  #binaryLength(shape: number, bytes: Buffer, from: number, to: number): number {
    const at = this.#at;
    const head = shape === Text ? 4 : shape === List ? 5 : 6;
    if (to - from < at + head) return at + head;
    const length = readInt32(bytes, from + at + head - 4);
    if (shape === Text) return this.#text(length, head);
    if (shape === List) return this.#elements(bytes[from + at]!, bytes[from + at]!, length, length, head);
    const types = readUint16(bytes, from + at);
    return this.#elements(types >>> 8, types & 0xff, length, length * 2, head);
  }

  #compactLength(shape: number, bytes: Buffer, from: number, to: number): number {
    const at = from + this.#at;
    if (shape === List) {
      const head = bytes[at]!;
      const type = head & 0x0f;
      if (head >> 4 !== 15) return this.#elements(type, type, head >> 4, head >> 4, 1);
      const width = this.#varint.read(bytes, at + 1, to);
      if (width === 0) return to - from + 1;
      const length = width < 0 ? -1 : this.#varint.value;
      return this.#elements(type, type, length, length, 1 + width);
    }
    const width = this.#varint.read(bytes, at, to);
    if (width === 0) return to - from + 1;
    const length = width < 0 ? -1 : this.#varint.value;
    if (shape === Text) return this.#text(length, width);
    if (length === 0) return this.#text(0, width);
    if (at + width >= to) return to - from + 1;
    const types = bytes[at + width]!;
    return this.#elements(types >> 4, types & 0x0f, length, length * 2, width + 1);
  }

  #text(length: number, head: number): number {
    if (length < 0) return this.#malformed(`string length ${length}`, this.#at);
    const limit = this.#options.frameLimitBytes;
    if (length > limit) return this.#overLimit('string length', length, this.#at);
    this.#at += head + length;
    return DONE;
  }

  /** `length`: as the wire says; `values`: how many follow (a map has two for each). */
  #elements(type: number, other: number, length: number, values: number, head: number): number {
    if (this.#tooDeep()) return FAULT;
    if (length < 0) return this.#malformed(`container length ${length}`, this.#at);
    if (length === 0) {
      this.#at += head;
      return DONE;
    }
    const size = this.#shape(type);
    const otherSize = this.#shape(other);
    if (size === Bad || otherSize === Bad) {
      return this.#malformed(`element type ${size === Bad ? type : other}`, this.#at);
    }
    // No value takes less than one byte.
    if (values > this.#options.frameLimitBytes) return this.#overLimit('container length', length, this.#at);
    this.#at += head;
    if (size >= 0 && otherSize >= 0) {
      this.#at += (values / 2) * (size + otherSize);
      return DONE;
    }
    const level = this.#depth++;
    this.#kind[level] = Level.Elements;
    this.#next[level] = type;
    this.#other[level] = other;
    this.#left[level] = values;
    return DONE;
  }

  /** No level fits below the current one. */
  #tooDeep(): boolean {
    const limit = this.#options.nestingLimit;
    if (this.#depth < limit) return false;
    this.fault = { status: Status.too_large, text: `nesting deeper than nestingLimit ${limit}`, at: this.#at };
    return true;
  }

  #overLimit(what: string, length: number, at: number): number {
    return this.#tooLarge(`${what} ${length} > frameLimitBytes ${this.#options.frameLimitBytes}`, at);
  }

  #tooLarge(text: string, at: number = this.#at): number {
    this.fault = { status: Status.too_large, text, at };
    return FAULT;
  }

  #malformed(text: string, at: number): number {
    this.fault = { status: Status.malformed, text, at };
    return FAULT;
  }
}
