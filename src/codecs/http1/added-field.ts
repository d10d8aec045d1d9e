/** AddedField: a line that is written behind those that came. Its value is text, or bytes that nobody had to read as text. */
import type { ByteRange } from '../../metaprotocol/message.ts';
import { BYTE, Class, COLON, CR, EMPTY, isAll, LF, putText, SP, TAB } from './wire.ts';

export class AddedField {
  readonly name: string;
  next: AddedField | null = null;
  /** null: `bytes[from, to)`. */
  readonly #text: string | null;
  readonly #bytes: Buffer;
  readonly #from: number;
  readonly #to: number;

  private constructor(name: string, text: string | null, bytes: Buffer, from: number, to: number) {
    this.name = name;
    this.#text = text;
    this.#bytes = bytes;
    this.#from = from;
    this.#to = to;
  }

  /** The name is one. null: the value is none. */
  static ofText(name: string, value: string): AddedField | null {
    return isAll(value, Class.Value) ? new AddedField(name, value.trim(), EMPTY, 0, 0) : null;
  }

  static ofBytes(name: string, { bytes, from, to }: ByteRange): AddedField | null {
    for (let at = from; at < to; at++) if ((BYTE[bytes[at]!]! & Class.Value) === 0) return null;
    // Blanks around a value are not part of it: rare enough to leave them to text.
    if (isBlank(bytes[from]) || isBlank(bytes[to - 1]))
      return AddedField.ofText(name, bytes.toString('latin1', from, to));
    return new AddedField(name, null, bytes, from, to);
  }

  /** A copy that stands in no list. */
  copy(): AddedField {
    return new AddedField(this.name, this.#text, this.#bytes, this.#from, this.#to);
  }

  get value(): string {
    return this.#text ?? this.#bytes.toString('latin1', this.#from, this.#to);
  }

  /** False: it is text. */
  locate(range: ByteRange): boolean {
    if (this.#text !== null) return false;
    range.bytes = this.#bytes;
    range.from = this.#from;
    range.to = this.#to;
    return true;
  }

  /** Of the whole line. */
  get length(): number {
    return this.name.length + 2 + (this.#text?.length ?? this.#to - this.#from) + 2;
  }

  /** Returns where the line ends. */
  put(slab: Buffer, from: number): number {
    let at = putText(slab, from, this.name);
    slab[at++] = COLON;
    slab[at++] = SP;
    if (this.#text !== null) at = putText(slab, at, this.#text);
    else for (let index = this.#from; index < this.#to; index++) slab[at++] = this.#bytes[index]!;
    slab[at++] = CR;
    slab[at++] = LF;
    return at;
  }
}

function isBlank(byte: number | undefined): boolean {
  return byte === SP || byte === TAB;
}
