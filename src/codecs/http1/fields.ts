/**
 * Fields: the header or trailer lines of one section, over its raw bytes. Reading scans for what is asked; edits mark lines as
 * gone and gather lines to add, so that untouched runs are copied as they came.
 */
import type { Output } from '../../metaprotocol/codec.ts';
import type { ByteRange } from '../../metaprotocol/message.ts';
import { AddedField } from './added-field.ts';
import type { SectionReader } from './section-reader.ts';
import { BYTE, Class, equalsName, isAll, putText, SP, TAB } from './wire.ts';

export class Fields {
  bytes: Buffer;
  /** Where the section starts in `bytes`; all offsets are from here. */
  base: number;
  readonly #count: number;
  /** As SectionReader.cells; a colon of 0: the line is gone. */
  readonly #cells: number[];
  #gone: boolean;
  /** In the order they were added. */
  #firstAdded: AddedField | null = null;
  #lastAdded: AddedField | null = null;

  private constructor(bytes: Buffer, base: number, count: number, cells: number[], gone: boolean) {
    this.bytes = bytes;
    this.base = base;
    this.#count = count;
    this.#cells = cells;
    this.#gone = gone;
  }

  static of(reader: SectionReader, bytes: Buffer, base: number): Fields {
    // Plain arrays: a typed one of this size costs more to make than to fill.
    return new Fields(bytes, base, reader.count, reader.cells.slice(0, reader.count * 2 + 1), false);
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
    for (let field = this.#nextAdded(lower, this.#firstAdded); field !== null; ) {
      found = found === undefined ? field.value : `${found},${field.value}`;
      field = this.#nextAdded(lower, field.next);
    }
    return found;
  }

  /** As `Message.locate`. */
  locate(lower: string, range: ByteRange): boolean | null {
    const index = this.#next(lower, 0);
    const added = this.#nextAdded(lower, this.#firstAdded);
    if (added !== null) {
      const isAlone = index < 0 && this.#nextAdded(lower, added.next) === null;
      return isAlone && added.locate(range) ? true : null;
    }
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
    for (let field = this.#firstAdded; field !== null; field = field.next) visit(field.name, field.value);
  }

  /** `lower` is what `fieldName` gives. False: no such field can be written. */
  add(lower: string, value: string): boolean {
    return lower !== '' && this.#append(AddedField.ofText(lower, value));
  }

  addBytes(lower: string, value: ByteRange): boolean {
    return lower !== '' && this.#append(AddedField.ofBytes(lower, value));
  }

  set(lower: string, value: string): boolean {
    const field = lower === '' ? null : AddedField.ofText(lower, value);
    if (field !== null) this.remove(lower);
    return this.#append(field);
  }

  remove(lower: string): void {
    for (let index = this.#next(lower, 0); index >= 0; index = this.#next(lower, index + 1)) this.drop(index);
    if (this.#nextAdded(lower, this.#firstAdded) === null) return;
    let field = this.#firstAdded;
    this.#firstAdded = null;
    this.#lastAdded = null;
    for (; field !== null; field = field.next) if (field.name !== lower) this.#append(field.copy());
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
    for (let field = this.#firstAdded; field !== null; field = field.next) copy.#append(field.copy());
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
    let { length } = tail;
    for (let field = this.#firstAdded; field !== null; field = field.next) length += field.length;
    let at = out.reserve(length);
    const { slab } = out;
    for (let field = this.#firstAdded; field !== null; field = field.next) at = field.put(slab, at);
    putText(slab, at, tail);
  }

  #append(field: AddedField | null): boolean {
    if (field === null) return false;
    if (this.#lastAdded === null) this.#firstAdded = field;
    else this.#lastAdded.next = field;
    this.#lastAdded = field;
    return true;
  }

  /** The first one of this name, from `from` on. */
  #nextAdded(lower: string, from: AddedField | null): AddedField | null {
    let field = from;
    while (field !== null && field.name !== lower) field = field.next;
    return field;
  }
}

/** Writes text of which each character is one byte. */
export function writeText(out: Output, text: string): void {
  if (text.length === 0) return;
  const at = out.reserve(text.length);
  putText(out.slab, at, text);
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
