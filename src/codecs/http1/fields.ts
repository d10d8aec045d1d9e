/**
 * Fields: the header or trailer lines of one section, over its raw bytes. Reading scans for what is asked; edits mark lines as
 * gone and gather lines to add, so that untouched runs are copied as they came.
 */
import type { Output } from '../../metaprotocol/codec.ts';
import type { ByteRange } from '../../metaprotocol/message.ts';
import type { SectionReader } from './section-reader.ts';
import { BYTE, Class, COLON, CR, equalsName, isAll, LF, SP, TAB } from './wire.ts';

const NOTHING: readonly string[] = [];
/** Up to here a loop costs less than a call of `write`. */
const LOOP_LENGTH = 32;

export class Fields {
  bytes: Buffer;
  /** Where the section starts in `bytes`; all offsets are from here. */
  base: number;
  readonly #count: number;
  /** As SectionReader.cells; a colon of 0: the line is gone. */
  readonly #cells: number[];
  #gone: boolean;
  /** name, value, name, value … in the order they were added. */
  #added: string[] | null = null;

  private constructor(bytes: Buffer, base: number, count: number, cells: number[], gone: boolean) {
    this.bytes = bytes;
    this.base = base;
    this.#count = count;
    this.#cells = cells;
    this.#gone = gone;
  }

  static of(reader: SectionReader, bytes: Buffer, base: number): Fields {
    // A plain array: a typed one of this size costs more to make than to fill.
    const cells: number[] = [];
    for (let index = 0; index <= reader.count * 2; index++) cells.push(reader.cells[index]!);
    return new Fields(bytes, base, reader.count, cells, false);
  }

  get count(): number {
    return this.#count;
  }

  /** Line `index` was taken out. */
  isGone(index: number): boolean {
    return this.#cells[index * 2 + 1] === 0;
  }

  drop(index: number): void {
    this.#cells[index * 2 + 1] = 0;
    this.#gone = true;
  }

  nameLength(index: number): number {
    return this.#cells[index * 2 + 1]! - this.#cells[index * 2]!;
  }

  /** Is line `index`, which is there, the field of this lower-case name? */
  isNamed(index: number, lower: string): boolean {
    return (
      this.nameLength(index) === lower.length && equalsName(this.bytes, this.base + this.#cells[index * 2]!, lower)
    );
  }

  /** The first line of this lower-case name, from line `from` on; -1: none. */
  #next(lower: string, from: number): number {
    for (let index = from; index < this.#count; index++) if (this.isNamed(index, lower)) return index;
    return -1;
  }

  name(index: number): string {
    const from = this.base + this.#cells[index * 2]!;
    return this.bytes.toString('latin1', from, this.base + this.#cells[index * 2 + 1]!).toLowerCase();
  }

  /** Without the blanks around it. */
  value(index: number): string {
    return this.bytes.toString('latin1', this.valueFrom(index), this.valueTo(index));
  }

  /** Where the value begins in `bytes`, and where it ends: the blanks around it are not part of it. */
  valueFrom(index: number): number {
    const { bytes } = this;
    const to = this.valueTo(index);
    let from = this.base + this.#cells[index * 2 + 1]! + 1;
    while (from < to && (bytes[from] === SP || bytes[from] === TAB)) from++;
    return from;
  }

  valueTo(index: number): number {
    const { bytes } = this;
    const from = this.base + this.#cells[index * 2 + 1]! + 1;
    let to = this.base + this.#cells[index * 2 + 2]! - 2;
    while (to > from && (bytes[to - 1] === SP || bytes[to - 1] === TAB)) to--;
    return to;
  }

  /** Is the value this text, to the letter? Makes no string. */
  hasValue(index: number, text: string): boolean {
    const from = this.valueFrom(index);
    if (this.valueTo(index) - from !== text.length) return false;
    for (let at = 0; at < text.length; at++) if (this.bytes[from + at] !== text.charCodeAt(at)) return false;
    return true;
  }

  /** All values of a field, joined by a comma (RFC 9110 §5.2). */
  get(lower: string): string | undefined {
    let found: string | undefined;
    for (let index = this.#next(lower, 0); index >= 0; index = this.#next(lower, index + 1)) {
      found = found === undefined ? this.value(index) : `${found},${this.value(index)}`;
    }
    const added = this.#added;
    if (added !== null) {
      for (let at = 0; at < added.length; at += 2) {
        if (added[at] !== lower) continue;
        found = found === undefined ? added[at + 1]! : `${found},${added[at + 1]!}`;
      }
    }
    return found;
  }

  /** As `Message.locate`: null where the value was added or has several lines. */
  locate(lower: string, range: ByteRange): boolean | null {
    const added = this.#added;
    if (added !== null) for (let at = 0; at < added.length; at += 2) if (added[at] === lower) return null;
    const index = this.#next(lower, 0);
    if (index < 0) return false;
    if (this.#next(lower, index + 1) >= 0) return null;
    range.bytes = this.bytes;
    range.from = this.valueFrom(index);
    range.to = this.valueTo(index);
    return true;
  }

  entries(visit: (key: string, value: string) => void): void {
    for (let index = 0; index < this.#count; index++) {
      if (!this.isGone(index)) visit(this.name(index), this.value(index));
    }
    const added = this.#added ?? [];
    for (let at = 0; at < added.length; at += 2) visit(added[at]!, added[at + 1]!);
  }

  /** `lower` is what `fieldName` gives. False: no such field can be written. */
  add(lower: string, value: string): boolean {
    if (lower === '' || !isAll(value, Class.Value)) return false;
    this.#added ??= [];
    this.#added.push(lower, value.trim());
    return true;
  }

  set(lower: string, value: string): boolean {
    if (lower === '' || !isAll(value, Class.Value)) return false;
    this.remove(lower);
    return this.add(lower, value);
  }

  remove(lower: string): void {
    for (let index = this.#next(lower, 0); index >= 0; index = this.#next(lower, index + 1)) this.drop(index);
    const added = this.#added;
    if (added === null) return;
    for (let at = added.length - 2; at >= 0; at -= 2) if (added[at] === lower) added.splice(at, 2);
  }

  /** Copies the bytes out of a lent buffer; `end` is the length of the section. */
  keep(end: number): void {
    const kept = Buffer.allocUnsafe(end);
    this.bytes.copy(kept, 0, this.base, this.base + end);
    this.bytes = kept;
    this.base = 0;
  }

  fork(): Fields {
    const copy = new Fields(this.bytes, this.base, this.#count, this.#cells.slice(), this.#gone);
    if (this.#added !== null) copy.#added = [...this.#added];
    return copy;
  }

  /** Writes all lines, then `tail`; `from` >= 0: the bytes of the section from there are part of the first run. */
  write(out: Output, from: number, tail: string): void {
    const { bytes, base } = this;
    const cells = this.#cells;
    const end = cells[this.#count * 2]!;
    let run = from >= 0 ? from : cells[0]!;
    if (this.#gone) {
      for (let index = 0; index < this.#count; index++) {
        if (cells[index * 2 + 1] !== 0) continue;
        const start = cells[index * 2]!;
        if (start > run) out.append(bytes, base + run, base + start);
        run = cells[index * 2 + 2]!;
      }
    }
    if (end > run) out.append(bytes, base + run, base + end);
    const added = this.#added ?? NOTHING;
    let length = tail.length;
    for (const text of added) length += text.length + 2;
    let at = out.reserve(length);
    const { slab } = out;
    for (let index = 0; index < added.length; index += 2) {
      at = put(slab, at, added[index]!);
      slab[at++] = COLON;
      slab[at++] = SP;
      at = put(slab, at, added[index + 1]!);
      slab[at++] = CR;
      slab[at++] = LF;
    }
    put(slab, at, tail);
  }
}

/** Writes text of which each character is one byte. */
export function writeText(out: Output, text: string): void {
  if (text.length === 0) return;
  const at = out.reserve(text.length);
  put(out.slab, at, text);
}

/** Returns where it ends. */
function put(slab: Buffer, at: number, text: string): number {
  const { length } = text;
  if (length > LOOP_LENGTH) slab.write(text, at, 'latin1');
  else for (let index = 0; index < length; index++) slab[at + index] = text.charCodeAt(index);
  return at + length;
}

/** A key as HTTP compares names of fields; '': it is none. Keys of configuration are lower case already. */
export function fieldName(key: string): string {
  for (let at = 0; at < key.length; at++) {
    const code = key.charCodeAt(at);
    if (code > 0xff || (BYTE[code]! & Class.LowerToken) === 0) {
      return isAll(key, Class.Token) ? key.toLowerCase() : '';
    }
  }
  return key;
}
