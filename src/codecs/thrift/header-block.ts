/** The info headers of a THeader frame: walked, searched, edited and written back. Names and values are UTF-8 text. */
import {
  HeaderProtocol,
  INFO_KEY_VALUE,
  MAX_HEADER_BYTES,
  type ThriftProtocol,
  VarintReader,
  varintBytes,
  writeVarint,
} from './wire.ts';

const EMPTY = Buffer.alloc(0);

/** Steps through the headers of one block. Stops at the first info kind that it does not know, as the specification says. */
export class HeaderCursor {
  keyAt = 0;
  keyEnd = 0;
  valueAt = 0;
  valueEnd = 0;
  /** Where a header ran past the block; -1: none did. */
  badAt = -1;
  /** Behind the last header that was read. */
  at = 0;
  #bytes: Buffer = EMPTY;
  #to = 0;
  #left = 0;
  readonly #varint = new VarintReader();

  start(bytes: Buffer, from: number, to: number): this {
    this.#bytes = bytes;
    this.at = from;
    this.#to = to;
    this.#left = 0;
    this.badAt = -1;
    return this;
  }

  /** True: the offsets are those of the next header. */
  next(): boolean {
    while (this.#left === 0) {
      if (this.at >= this.#to) return false;
      const kindAt = this.at;
      const kind = this.#read(kindAt);
      if (kind < 0) return this.#bad(kindAt);
      if (this.#varint.value !== INFO_KEY_VALUE) return false;
      const countEnd = this.#read(kind);
      if (countEnd < 0) return this.#bad(kind);
      this.#left = this.#varint.value >>> 0;
      this.at = countEnd;
    }
    this.#left--;
    this.keyAt = this.#read(this.at);
    if (this.keyAt < 0) return this.#bad(this.at);
    this.keyEnd = this.keyAt + (this.#varint.value >>> 0);
    if (this.keyEnd > this.#to) return this.#bad(this.at);
    this.valueAt = this.#read(this.keyEnd);
    if (this.valueAt < 0) return this.#bad(this.keyEnd);
    this.valueEnd = this.valueAt + (this.#varint.value >>> 0);
    if (this.valueEnd > this.#to) return this.#bad(this.keyEnd);
    this.at = this.valueEnd;
    return true;
  }

  /** The offset behind the varint, or -1. */
  #read(at: number): number {
    const width = this.#varint.read(this.#bytes, at, this.#to);
    return width <= 0 ? -1 : at + width;
  }

  #bad(at: number): false {
    this.badAt = at;
    this.#left = 0;
    this.#to = 0;
    return false;
  }
}

/** The value of the first header of that name. */
export function findHeader(bytes: Buffer, from: number, to: number, key: string): string | undefined {
  const cursor = new HeaderCursor().start(bytes, from, to);
  while (cursor.next()) {
    if (isText(bytes, cursor.keyAt, cursor.keyEnd, key)) return bytes.toString('utf8', cursor.valueAt, cursor.valueEnd);
  }
  return undefined;
}

/** The first value of each name. */
export function readHeaders(bytes: Buffer, from: number, to: number): Map<string, string> {
  const headers = new Map<string, string>();
  const cursor = new HeaderCursor().start(bytes, from, to);
  while (cursor.next()) {
    const key = bytes.toString('utf8', cursor.keyAt, cursor.keyEnd);
    if (!headers.has(key)) headers.set(key, bytes.toString('utf8', cursor.valueAt, cursor.valueEnd));
  }
  return headers;
}

function isText(bytes: Buffer, from: number, to: number, text: string): boolean {
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    if (byte >= 0x80) return bytes.toString('utf8', from, to) === text;
    if (byte !== text.charCodeAt(at - from)) return false;
  }
  return text.length === to - from;
}

interface Header {
  readonly key: string;
  readonly value: string;
  /** Its bytes on the wire, lengths included: what is not UTF-8 leaves as it came. */
  readonly wire: Buffer;
}

/** The headers of one message, once somebody edits them. Untouched ones leave with the bytes they came with. */
export class HeaderEdits {
  #headers: Header[];
  /** Info kinds that we do not know, as they came. */
  readonly #unknown: Buffer;

  private constructor(headers: Header[], unknown: Buffer) {
    this.#headers = headers;
    this.#unknown = unknown;
  }

  /** `bytes[from, to)`: the infos of a block that was walked without fault. Copies what it holds. */
  static read(bytes: Buffer, from: number, to: number): HeaderEdits {
    const infos = Buffer.from(bytes.subarray(from, to));
    const headers: Header[] = [];
    const cursor = new HeaderCursor().start(infos, 0, infos.length);
    while (cursor.next()) {
      headers.push(
        headerOf(infos.subarray(cursor.keyAt, cursor.keyEnd), infos.subarray(cursor.valueAt, cursor.valueEnd)),
      );
    }
    return new HeaderEdits(headers, withoutPadding(infos.subarray(cursor.at)));
  }

  fork(): HeaderEdits {
    return new HeaderEdits([...this.#headers], this.#unknown);
  }

  get(key: string): string | undefined {
    return this.#headers.find((header) => header.key === key)?.value;
  }

  visit(visit: (key: string, value: string) => void): void {
    for (const header of this.#headers) visit(header.key, header.value);
  }

  /** False, and nothing changed, if the block would become larger than a THeader can say. */
  set(key: string, value: string): boolean {
    const at = this.#headers.findIndex((header) => header.key === key);
    const rest = this.#headers.filter((header) => header.key !== key);
    rest.splice(at < 0 ? rest.length : at, 0, headerOf(Buffer.from(key), Buffer.from(value)));
    const before = this.#headers;
    this.#headers = rest;
    if (this.blockBytes <= MAX_HEADER_BYTES) return true;
    this.#headers = before;
    return false;
  }

  remove(key: string): void {
    this.#headers = this.#headers.filter((header) => header.key !== key);
  }

  /** Of the whole header block, padding included. */
  get blockBytes(): number {
    return (this.#contentBytes() + 3) & ~3;
  }

  /** Writes `blockBytes` bytes at `at`. */
  write(slab: Buffer, at: number, protocol: ThriftProtocol): void {
    const end = at + this.blockBytes;
    let to = writeVarint(slab, at, protocol === 'compact' ? HeaderProtocol.Compact : HeaderProtocol.Binary);
    to = writeVarint(slab, to, 0);
    if (this.#headers.length > 0) {
      to = writeVarint(slab, to, INFO_KEY_VALUE);
      to = writeVarint(slab, to, this.#headers.length);
      for (const header of this.#headers) to += header.wire.copy(slab, to);
    }
    to += this.#unknown.copy(slab, to);
    slab.fill(0, to, end);
  }

  #contentBytes(): number {
    let bytes = 2 + this.#unknown.length;
    if (this.#headers.length > 0) bytes += 1 + varintBytes(this.#headers.length);
    for (const header of this.#headers) bytes += header.wire.length;
    return bytes;
  }
}

function headerOf(key: Buffer, value: Buffer): Header {
  const keyBytes = varintBytes(key.length);
  const wire = Buffer.allocUnsafe(keyBytes + key.length + varintBytes(value.length) + value.length);
  writeVarint(wire, 0, key.length);
  key.copy(wire, keyBytes);
  value.copy(wire, writeVarint(wire, keyBytes + key.length, value.length));
  return { key: key.toString(), value: value.toString(), wire };
}

/** Zeros alone are padding; zeros behind something may belong to it. */
function withoutPadding(infos: Buffer): Buffer {
  return infos.every((byte) => byte === 0) ? infos.subarray(0, 0) : infos;
}
