/** TextMap: an open set of text keys and values in a frame, its length in front. Edits rewrite only the entries they touch. */
import { endOfPrefixed } from './field.ts';
import { type NumberFormat, type NumberName, numberFormat } from './number-format.ts';

export interface TextMapOptions {
  /** Bytes of all entries together, in front of them. */
  readonly length: NumberName;
  /** The length in front of each key and of each value. */
  readonly key: NumberName;
  readonly value: NumberName;
  readonly description?: string;
  readonly mutable?: boolean;
}

/** Edits of the map by key; null: removed. */
export type MapEdits = ReadonlyMap<string, string | null>;

/** The application's own keys: `attributes` beyond the declared ones, the last part in front of the body. */
export function textMap(options: TextMapOptions): TextMap {
  return new TextMap(options);
}

export class TextMap {
  readonly description: string;
  readonly mutable: boolean;
  readonly #length: NumberFormat;
  readonly #key: NumberFormat;
  readonly #value: NumberFormat;

  constructor({ length, key, value, description = '', mutable = true }: TextMapOptions) {
    this.description = description;
    this.mutable = mutable;
    this.#length = numberFormat(length);
    this.#key = numberFormat(key);
    this.#value = numberFormat(value);
  }

  /** Where the map that starts at `at` ends; -1: it, or an entry in it, goes beyond its end. */
  end(frame: Buffer, at: number, to: number): number {
    const end = endOfPrefixed(this.#length, frame, at, to);
    if (end === -1) return -1;
    let next = at + this.#length.bytes;
    while (next < end) {
      next = endOfPrefixed(this.#key, frame, next, end);
      if (next === -1) return -1;
      next = endOfPrefixed(this.#value, frame, next, end);
      if (next === -1) return -1;
    }
    return end;
  }

  get(frame: Buffer, at: number, wanted: string): string | undefined {
    const end = this.#entriesEnd(frame, at);
    let next = at + this.#length.bytes;
    while (next < end) {
      const key = next + this.#key.bytes;
      const keyEnd = key + this.#key.read(frame, next);
      const value = keyEnd + this.#value.bytes;
      next = value + this.#value.read(frame, keyEnd);
      if (isText(frame, key, keyEnd, wanted)) return frame.toString('utf8', value, next);
    }
    return undefined;
  }

  /** Every entry in wire order; `from` and `to` are the entry with its lengths. */
  visit(frame: Buffer, at: number, visit: (key: string, value: string, from: number, to: number) => void): void {
    const end = this.#entriesEnd(frame, at);
    let next = at + this.#length.bytes;
    while (next < end) {
      const from = next;
      const key = from + this.#key.bytes;
      const keyEnd = key + this.#key.read(frame, from);
      const value = keyEnd + this.#value.bytes;
      next = value + this.#value.read(frame, keyEnd);
      visit(frame.toString('utf8', key, keyEnd), frame.toString('utf8', value, next), from, next);
    }
  }

  /** Bytes of the map with these edits; -1: it cannot hold them. */
  sizeWith(frame: Buffer, at: number, edits: MapEdits): number {
    let entries = 0;
    this.visit(frame, at, (key, _value, from, to) => {
      if (!edits.has(key)) entries += to - from;
    });
    for (const [key, value] of edits) {
      if (value === null) continue;
      const keyBytes = Buffer.byteLength(key);
      const valueBytes = Buffer.byteLength(value);
      if (keyBytes > this.#key.maximum || valueBytes > this.#value.maximum) return -1;
      entries += this.#key.bytes + keyBytes + this.#value.bytes + valueBytes;
    }
    return entries > this.#length.maximum ? -1 : this.#length.bytes + entries;
  }

  /** Untouched entries byte for byte in their order, then what was set. Gives the offset behind the map. */
  writeWith(frame: Buffer, at: number, edits: MapEdits, target: Buffer, targetAt: number): number {
    let next = targetAt + this.#length.bytes;
    this.visit(frame, at, (key, _value, from, to) => {
      if (!edits.has(key)) next += frame.copy(target, next, from, to);
    });
    for (const [key, value] of edits) {
      if (value === null) continue;
      next = writePrefixed(this.#key, target, next, key);
      next = writePrefixed(this.#value, target, next, value);
    }
    this.#length.write(target, targetAt, next - targetAt - this.#length.bytes);
    return next;
  }

  /** Bytes of a map without entries; `writeEmpty` takes as many. */
  get emptyBytes(): number {
    return this.#length.bytes;
  }

  #entriesEnd(frame: Buffer, at: number): number {
    return at + this.#length.bytes + this.#length.read(frame, at);
  }
}

function writePrefixed(format: NumberFormat, target: Buffer, at: number, value: string): number {
  const bytes = target.write(value, at + format.bytes, 'utf8');
  format.write(target, at, bytes);
  return at + format.bytes + bytes;
}

/** Without making a string, where the wanted text is ASCII. */
function isText(frame: Buffer, from: number, to: number, wanted: string): boolean {
  if (to - from !== wanted.length) return to - from > wanted.length && frame.toString('utf8', from, to) === wanted;
  for (let at = 0; at < wanted.length; at++) {
    const code = wanted.charCodeAt(at);
    if (code > 0x7f || frame[from + at] !== code) return false;
  }
  return true;
}
