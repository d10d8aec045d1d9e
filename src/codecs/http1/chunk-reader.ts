/** ChunkLine: reads one chunk size line and what surrounds chunk data. Can be stopped after any byte. Extensions are read over. */
import { BYTE, Class, CR, LF, SEMICOLON } from './wire.ts';

const Phase = { Size: 0, Extension: 1, Lf: 2, DataCr: 3, DataLf: 4, Done: 5 } as const;
type Phase = (typeof Phase)[keyof typeof Phase];

/** Together with leading zeros: more than enough for any chunk, few enough to be exact. */
const SIZE_DIGITS = 13;

export class ChunkLine {
  /** Bytes of data behind the line that was read; 0: the last chunk. */
  size = 0;
  fault = '';
  readonly #limit: number;
  #phase: Phase = Phase.Size;
  #length = 0;
  #digits = 0;
  #quoted = false;

  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  /** The next bytes are a size line; `afterData`: behind the CRLF that ends the data before it. */
  reset(afterData: boolean): void {
    this.size = 0;
    this.#length = 0;
    this.#digits = 0;
    this.#quoted = false;
    this.#phase = afterData ? Phase.DataCr : Phase.Size;
  }

  get done(): boolean {
    return this.#phase === Phase.Done;
  }

  /** Returns where it stopped reading; -1: see `fault`. */
  read(bytes: Buffer, from: number, to: number): number {
    let at = from;
    for (; at < to && this.#phase !== Phase.Done; at++) {
      const byte = bytes[at]!;
      if (!this.#step(byte)) return -1;
      if (this.#phase !== Phase.DataCr && ++this.#length > this.#limit + 4) {
        this.fault = `chunk size line > chunkLineLimitBytes ${this.#limit}`;
        return -1;
      }
    }
    return at;
  }

  #step(byte: number): boolean {
    switch (this.#phase) {
      case Phase.DataCr:
        this.#phase = Phase.DataLf;
        return byte === CR || this.#bad(byte, 'chunk data is longer than its size');
      case Phase.DataLf:
        this.#phase = Phase.Size;
        return byte === LF || this.#bad(byte, 'CR without LF behind chunk data');
      case Phase.Size: {
        const digit = hexDigit(byte);
        if (digit >= 0) {
          this.size = this.size * 16 + digit;
          return ++this.#digits <= SIZE_DIGITS || this.#bad(byte, 'a chunk size of too many digits');
        }
        if (this.#digits === 0) return this.#bad(byte, 'a chunk without a size');
        if (byte === CR) this.#phase = Phase.Lf;
        else if (byte === SEMICOLON) this.#phase = Phase.Extension;
        else return this.#bad(byte, 'a chunk size');
        return true;
      }
      case Phase.Extension:
        if (byte === CR) {
          this.#phase = Phase.Lf;
          return !this.#quoted || this.#bad(byte, 'an unfinished quoted chunk extension');
        }
        if (byte === 0x22) this.#quoted = !this.#quoted;
        return (BYTE[byte]! & Class.Value) !== 0 || this.#bad(byte, 'a chunk extension');
      default:
        this.#phase = Phase.Done;
        return byte === LF || this.#bad(byte, 'CR without LF in a chunk size line');
    }
  }

  #bad(byte: number, where: string): false {
    this.fault = `byte 0x${byte.toString(16).padStart(2, '0')}: ${where}`;
    return false;
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
