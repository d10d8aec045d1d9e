/**
 * HessianWalker: finds where hessian2 values end. It makes no values and resolves no references; what it keeps of a message is
 * the number of fields of each class that it defines.
 */
import { isTextLead, skipText, skipUnits } from './hessian-text.ts';
import type { DubboOptions } from './options.ts';
import { NULL, readInt32, ZERO_INT } from './wire.ts';

const EMPTY = Buffer.alloc(0);

/** Containers that end with a 'Z' instead of a count. Map states take turns. */
const Until = { ListEnd: -1, MapKey: -2, MapValue: -3 } as const;

/** What is no container either. */
const BAD = -4;

const END = 0x5a;
const CLASS_DEFINITION = 0x43;
const OBJECT = 0x4f;
const REFERENCE = 0x51;
export const UNTYPED_MAP = 0x48;
export const TYPED_MAP = 0x4d;
const BINARY_CHUNK = 0x41;
const BINARY_FINAL = 0x42;

/** Bytes of the values whose lead byte tells their size; 0: it does not. */
const SIZES = sizesByLead();

function sizesByLead(): Uint8Array {
  const sizes = new Uint8Array(256);
  const ranges: [from: number, to: number, size: number][] = [
    [0x80, 0xbf, 1], // int
    [0xc0, 0xcf, 2],
    [0xd0, 0xd7, 3],
    [0x49, 0x49, 5],
    [0xd8, 0xef, 1], // long
    [0xf0, 0xff, 2],
    [0x38, 0x3f, 3],
    [0x59, 0x59, 5],
    [0x4c, 0x4c, 9],
    [0x5b, 0x5c, 1], // double
    [0x5d, 0x5d, 2],
    [0x5e, 0x5e, 3],
    [0x5f, 0x5f, 5],
    [0x44, 0x44, 9],
    [0x4a, 0x4a, 9], // date
    [0x4b, 0x4b, 5],
    [0x46, 0x46, 1], // false
    [0x54, 0x54, 1], // true
    [NULL, NULL, 1],
  ];
  for (const [from, to, size] of ranges) sizes.fill(size, from, to + 1);
  return sizes;
}

/** One per connection. `start` with a message, walk, `stop`. */
export class HessianWalker {
  /** Where the next value begins. */
  at = 0;
  /** Classes defined so far; while it is 0, what follows can be walked by itself. */
  classes = 0;
  /** Set when a method returned false; `at` is the place. */
  fault = '';
  /** The fault is that a limit was exceeded. */
  overLimit = false;
  readonly #options: DubboOptions;
  #bytes: Buffer = EMPTY;
  #end = 0;
  #values = 0;
  /** Fields of each class. */
  #fields: number[] = [];
  /** What is left of the containers around the current one: a count, or one of Until. */
  readonly #open: number[] = [];
  /** Of the last `#readInt`. */
  #int = 0;

  constructor(options: DubboOptions) {
    this.#options = options;
  }

  start(bytes: Buffer, from: number, to: number): void {
    this.#bytes = bytes;
    this.at = from;
    this.#end = to;
    this.#values = 0;
    this.classes = 0;
    if (this.#fields.length > 0) this.#fields = [];
    this.overLimit = false;
  }

  /** Lets go of the bytes; where it stands and its fault can still be looked at. */
  stop(): void {
    this.#bytes = EMPTY;
  }

  /** Walks over `count` values. */
  skip(count: number): boolean {
    const bytes = this.#bytes;
    const end = this.#end;
    const open = this.#open;
    open.length = 0;
    let { at } = this;
    let left = count;
    for (;;) {
      while (left === 0) {
        if (open.length === 0) {
          this.at = at;
          return true;
        }
        left = open.pop()!;
      }
      if (at >= end) return this.#badAt(at, 'a value is missing');
      const lead = bytes[at]!;
      if (left > 0) {
        left--;
      } else if (lead === END) {
        if (left === Until.MapValue) return this.#badAt(at, 'a map that ends behind a key');
        at++;
        left = 0;
        continue;
      } else if (left !== Until.ListEnd) {
        left = left === Until.MapKey ? Until.MapValue : Until.MapKey;
      }
      if (++this.#values > this.#options.valueLimit) {
        this.at = at;
        return this.#over(`more than valueLimit ${this.#options.valueLimit} values`);
      }
      const size = SIZES[lead]!;
      if (lead < 0x20) {
        // Most values of most messages: names and short texts.
        const next = skipUnits(bytes, at + 1, end, lead);
        if (next < 0) return this.#badAt(at, 'no whole string');
        at = next;
      } else if (size > 0) {
        if (size > end - at) return this.#badAt(at, `a value of ${size} bytes where ${end - at} are left`);
        at += size;
      } else {
        this.at = at;
        const inside = this.#skipOrEnter();
        if (inside === BAD) return false;
        at = this.at;
        if (inside === 0) continue;
        if (open.length >= this.#options.nestingLimit) {
          return this.#over(`values nested deeper than nestingLimit ${this.#options.nestingLimit}`);
        }
        open.push(left);
        left = inside;
      }
    }
  }

  /** A string or null must follow. */
  skipTextOrNull(): boolean {
    if (this.at >= this.#end || this.#bytes[this.at] !== NULL) return this.skipText();
    this.at++;
    return true;
  }

  /** A string must follow. */
  skipText(): boolean {
    const to = skipText(this.#bytes, this.at, this.#end);
    if (to < 0) return this.#bad('no whole string');
    this.at = to;
    return true;
  }

  /** Stands on the lead byte of a map: walks to its first key. */
  enterMap(): boolean {
    const typed = this.#bytes[this.at] === TYPED_MAP;
    this.at++;
    return !typed || this.#skipType();
  }

  /** Stands where a key may begin: whether the map ends here. */
  get atEnd(): boolean {
    return this.at < this.#end && this.#bytes[this.at] === END;
  }

  /**
   * Stands on a value: walks over it, or to the first value that it holds. Gives what it holds, a count or one of Until, or BAD.
   * Definitions of classes may stand before a value.
   */
  #skipOrEnter(): number {
    const bytes = this.#bytes;
    while (this.at < this.#end && bytes[this.at] === CLASS_DEFINITION) if (!this.#readClass()) return BAD;
    const lead = this.at < this.#end ? bytes[this.at]! : -1;
    const size = lead < 0 ? 0 : SIZES[lead]!;
    if (lead < 0) return this.#bad('a value is missing') ? 0 : BAD;
    if (size > 0) {
      if (size > this.#end - this.at) {
        this.#bad(`a value of ${size} bytes where ${this.#end - this.at} are left`);
        return BAD;
      }
      this.at += size;
      return 0;
    }
    if (isTextLead(lead)) return this.skipText() ? 0 : BAD;
    if (isBinaryLead(lead)) return this.#skipBinary() ? 0 : BAD;
    if (lead === REFERENCE) {
      this.at++;
      return this.#readInt() ? 0 : BAD;
    }
    return this.#enter(lead);
  }

  /** The lead of a container: walks to its first value. Gives what it holds, a count or one of Until, or BAD. */
  #enter(lead: number): number {
    const at = this.at;
    this.at++;
    if (lead >= 0x70 && lead <= 0x77) return this.#skipType() ? this.#counted(lead - 0x70, at) : BAD;
    if (lead >= 0x78 && lead <= 0x7f) return this.#counted(lead - 0x78, at);
    if (lead >= 0x60 && lead <= 0x6f) return this.#object(lead - 0x60, at);
    switch (lead) {
      case OBJECT:
        return this.#readInt() ? this.#object(this.#int, at) : BAD;
      case 0x55:
        return this.#skipType() ? Until.ListEnd : BAD;
      case 0x56:
        return this.#skipType() && this.#readInt() ? this.#counted(this.#int, at) : BAD;
      case 0x57:
        return Until.ListEnd;
      case 0x58:
        return this.#readInt() ? this.#counted(this.#int, at) : BAD;
      case UNTYPED_MAP:
        return Until.MapKey;
      case TYPED_MAP:
        return this.#skipType() ? Until.MapKey : BAD;
    }
    this.at = at;
    this.#bad(`0x${lead.toString(16)} begins no value`);
    return BAD;
  }

  /** Each value takes a byte at least: a greater count lies. */
  #counted(count: number, at: number): number {
    const room = this.#end - this.at;
    if (count >= 0 && count <= room) return count;
    this.at = at;
    this.#bad(`a list of ${count} values where ${room} bytes are left`);
    return BAD;
  }

  #object(index: number, at: number): number {
    if (index >= 0 && index < this.classes) return this.#fields[index]!;
    this.at = at;
    this.#bad(`an object of class ${index} where ${this.classes} are defined`);
    return BAD;
  }

  #readClass(): boolean {
    const { classLimit } = this.#options;
    if (this.classes >= classLimit) return this.#over(`more than classLimit ${classLimit} class definitions`);
    this.at++;
    if (!this.skipText()) return false;
    const countAt = this.at;
    if (!this.#readInt()) return false;
    const count = this.#int;
    const room = this.#end - this.at;
    if (count < 0 || count > room) {
      this.at = countAt;
      return this.#bad(`a class of ${count} fields where ${room} bytes are left`);
    }
    if (count > classLimit) {
      this.at = countAt;
      return this.#over(`a class of ${count} fields, classLimit is ${classLimit}`);
    }
    for (let field = 0; field < count; field++) if (!this.skipText()) return false;
    this.#fields.push(count);
    this.classes++;
    return true;
  }

  /** A type is its name, or the number of an earlier one. */
  #skipType(): boolean {
    return this.at < this.#end && isTextLead(this.#bytes[this.at]!) ? this.skipText() : this.#readInt();
  }

  #readInt(): boolean {
    const { at } = this;
    const bytes = this.#bytes;
    const lead = at < this.#end ? bytes[at]! : 0;
    const size = SIZES[lead]!;
    const isInt = (lead >= 0x80 && lead <= 0xd7) || lead === 0x49;
    if (!isInt || size > this.#end - at) return this.#bad('no whole int');
    if (size === 1) this.#int = lead - ZERO_INT;
    else if (size === 2) this.#int = ((lead - 0xc8) << 8) + bytes[at + 1]!;
    else if (size === 3) this.#int = ((lead - 0xd4) << 16) + (bytes[at + 1]! << 8) + bytes[at + 2]!;
    else this.#int = readInt32(bytes, at + 1);
    this.at += size;
    return true;
  }

  #skipBinary(): boolean {
    const bytes = this.#bytes;
    const end = this.#end;
    for (;;) {
      const { at } = this;
      const lead = at < end ? bytes[at]! : 0;
      if (!isBinaryLead(lead)) return this.#bad('a binary without its last chunk');
      const headBytes = lead < 0x30 ? 1 : lead < 0x38 ? 2 : 3;
      if (headBytes > end - at) return this.#bad('a binary without its length');
      let length = lead - 0x20;
      if (headBytes === 2) length = ((lead - 0x34) << 8) | bytes[at + 1]!;
      if (headBytes === 3) length = (bytes[at + 1]! << 8) | bytes[at + 2]!;
      if (length > end - at - headBytes) {
        return this.#bad(`a binary of ${length} bytes where ${end - at - headBytes} are left`);
      }
      this.at = at + headBytes + length;
      if (lead !== BINARY_CHUNK) return true;
    }
  }

  #over(text: string): false {
    this.overLimit = true;
    return this.#bad(text);
  }

  #badAt(at: number, text: string): false {
    this.at = at;
    return this.#bad(text);
  }

  #bad(text: string): false {
    this.fault = text;
    return false;
  }
}

function isBinaryLead(lead: number): boolean {
  return (
    (lead >= 0x20 && lead < 0x30) || (lead >= 0x34 && lead < 0x38) || lead === BINARY_CHUNK || lead === BINARY_FINAL
  );
}
