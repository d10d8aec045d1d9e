/** CommandArguments: the words of a complete command, found once and read from its bytes. */
import { LengthLine } from './wire.ts';

export class CommandArguments {
  readonly count: number;
  readonly #bytes: Buffer;
  /** Begin and end of each word in turn. */
  readonly #offsets: Uint32Array;

  /** `bytes[from, to)` holds a whole command of `count` words. */
  constructor(bytes: Buffer, from: number, count: number) {
    this.#bytes = bytes;
    this.count = count;
    this.#offsets = new Uint32Array(count * 2);
    const length = new LengthLine();
    let at = length.read(bytes, from + 1, bytes.length);
    for (let index = 0; index < count; index++) {
      const begin = length.read(bytes, at + 1, bytes.length);
      this.#offsets[index * 2] = begin;
      this.#offsets[index * 2 + 1] = begin + length.value;
      at = begin + length.value + 2;
    }
  }

  begin(index: number): number {
    return this.#offsets[index * 2]!;
  }

  end(index: number): number {
    return this.#offsets[index * 2 + 1]!;
  }

  bytes(index: number): Buffer {
    return this.#bytes.subarray(this.begin(index), this.end(index));
  }

  text(index: number): string {
    return this.#bytes.toString('utf8', this.begin(index), this.end(index));
  }

  /** As words of the protocol are compared. */
  word(index: number): string {
    return this.#bytes.toString('latin1', this.begin(index), this.end(index)).toUpperCase();
  }

  /** Whole number from 0 on; -1: it is none. */
  natural(index: number): number {
    const length = this.end(index) - this.begin(index);
    if (length === 0 || length > 9) return -1;
    const text = this.text(index);
    return /^(0|[1-9]\d*)$/.test(text) ? Number(text) : -1;
  }
}
