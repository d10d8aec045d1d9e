/**
 * LogWriter: gathers the lines of one access log as bytes, so that a line costs no system call, no message and no string of its
 * own. Every line is written at once, between `beginLine` and `endLine`.
 */

import { isUtf8 } from 'node:buffer';

const BATCH_BYTES = 65_536;
const SPARE_BATCHES = 8;
const EMPTY = Buffer.alloc(0);
/** Up to here a loop costs less than a call of `set`. */
const LOOP_BYTES = 16;
/** No character takes more bytes in UTF-8 for one unit of a string. */
const UTF8_BYTES = 3;
const END_OF_LINE = 0x0a;
const ZERO = 0x30;
/** Below this the digits are made with 32-bit integers. */
const INTEGER_LIMIT = 1_000_000_000;

const HIGH_BYTES = /[\x80-\xff]/g;
const UNSAFE = /["\\\p{Cc}]/gu;
/** 1: a byte of ASCII that stands in a log as it is. */
const PLAIN: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  return byte < 0x80 && quoteSafe(String.fromCharCode(byte)).length === 1 ? 1 : 0;
});

/** Batches of one worker whose lines are written. The pages of a new one cost more than writing what is in it. */
export class LogBatches {
  readonly #free: Buffer[] = [];

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(BATCH_BYTES);
  }

  /** Nobody looks at bytes that a writer delivered any more. */
  give(bytes: Uint8Array): void {
    const { buffer } = bytes;
    // What a slow disk made wait is not kept for ever, nor is a batch for one long line.
    if (buffer.byteLength !== BATCH_BYTES || this.#free.length === SPARE_BATCHES) return;
    this.#free.push(Buffer.from(buffer as ArrayBuffer));
  }
}

export class LogWriter {
  readonly #batches: LogBatches;
  readonly #deliver: (bytes: Buffer, count: number) => void;
  readonly #onFirst: () => void;
  #bytes: Buffer = EMPTY;
  #length = 0;
  #lineAt = 0;
  #count = 0;

  /**
   * `deliver` gets whole lines, in bytes that are its own, until it gives them back to `batches`; `onFirst` is told when lines
   * wait where none did before.
   */
  constructor(
    deliver: (bytes: Buffer, count: number) => void,
    onFirst: () => void,
    batches: LogBatches = new LogBatches(),
  ) {
    this.#batches = batches;
    this.#deliver = deliver;
    this.#onFirst = onFirst;
  }

  /** What a writer that failed left of a line is forgotten. */
  beginLine(): void {
    this.#length = this.#lineAt;
  }

  text(text: string): void {
    this.#reserve(text.length * UTF8_BYTES);
    this.#length += this.#bytes.write(text, this.#length);
  }

  /** Text that somebody else may have chosen: nothing of it ends the line or a quoted field. `show`: how what is not plain ASCII shows. */
  quoted(text: string, show: (text: string) => string = quoteSafe): void {
    const { length } = text;
    this.#reserve(length);
    const to = this.#bytes;
    const at = this.#length;
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index);
      if (code > 0xff || PLAIN[code] === 0) {
        this.text(show(text));
        return;
      }
      to[at + index] = code;
    }
    this.#length = at + length;
  }

  /** The same for `bytes[from, to)`, one for each character. False: some are not plain ASCII, and nothing was written. */
  quotedBytes(bytes: Uint8Array, from: number, to: number): boolean {
    this.#reserve(to - from);
    const target = this.#bytes;
    let length = this.#length;
    for (let at = from; at < to; at++) {
      const byte = bytes[at]!;
      if (PLAIN[byte] === 0) return false;
      target[length++] = byte;
    }
    this.#length = length;
    return true;
  }

  copy(from: Uint8Array): void {
    this.#reserve(from.length);
    const at = this.#length;
    this.#length += from.length;
    if (from.length > LOOP_BYTES) this.#bytes.set(from, at);
    else for (let index = 0; index < from.length; index++) this.#bytes[at + index] = from[index]!;
  }

  /** A whole number, not negative. */
  number(value: number): void {
    if (!(value < INTEGER_LIMIT)) {
      this.text(value.toString());
      return;
    }
    let digits = 1;
    for (let rest = value; rest >= 10; digits++) rest = (rest / 10) | 0;
    this.#reserve(digits);
    this.#length += digits;
    for (let at = this.#length - 1, rest = value; digits > 0; digits--, at--) {
      const tens = (rest / 10) | 0;
      this.#bytes[at] = ZERO + rest - tens * 10;
      rest = tens;
    }
  }

  /** What was written of the line, which is forgotten here: for a part that goes on as text. */
  takeText(): string {
    const text = this.#bytes.toString('utf8', this.#lineAt, this.#length);
    this.#length = this.#lineAt;
    return text;
  }

  endLine(): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = END_OF_LINE;
    this.#lineAt = this.#length;
    if (this.#count++ === 0) this.#onFirst();
  }

  /** Delivers the lines that are there. */
  flush(): void {
    if (this.#count === 0) return;
    const lines = this.#bytes.subarray(0, this.#lineAt);
    const count = this.#count;
    this.#bytes = EMPTY;
    this.#length = 0;
    this.#lineAt = 0;
    this.#count = 0;
    this.#deliver(lines, count);
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes > this.#bytes.length) this.#makeRoom(bytes);
  }

  /** The line that is being written moves on; those before it go. */
  #makeRoom(bytes: number): void {
    const begun = this.#bytes.subarray(this.#lineAt, this.#length);
    this.flush();
    const needed = begun.length + bytes;
    this.#bytes = needed > BATCH_BYTES / 2 ? Buffer.allocUnsafeSlow(needed * 2) : this.#batches.take();
    this.#bytes.set(begun);
    this.#length = begun.length;
  }
}

/** A value in which nothing ends the line or a quoted field. */
export function quoteSafe(text: string): string {
  return text.replace(UNSAFE, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** The same for a value of a bytewise message; bytes that are not UTF-8 all show as `\xfc`. */
export function quoteSafeBytewise(value: string): string {
  const bytes = Buffer.from(value, 'latin1');
  if (isUtf8(bytes)) return quoteSafe(bytes.toString('utf8'));
  return quoteSafe(value).replace(HIGH_BYTES, (char) => `\\x${char.charCodeAt(0).toString(16)}`);
}

/** For a data plane that keeps no access logs. */
export function noLog(): LogWriter {
  return new LogWriter(
    () => {},
    () => {},
  );
}
