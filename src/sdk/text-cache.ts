/** TextCache: short texts that were read lately, so that the few method names of a protocol are not made anew for every call. */

const SLOTS = 64;
const LONGEST_BYTES = 64;

interface Known {
  readonly bytes: Buffer;
  readonly text: string;
}

/** Bounded: one text for each of 64 hashes, none over 64 bytes. */
export class TextCache {
  readonly #slots: (Known | null)[] = new Array(SLOTS).fill(null);

  /** `bytes[from, to)` as UTF-8. */
  read(bytes: Buffer, from: number, to: number): string {
    const length = to - from;
    if (length > LONGEST_BYTES) return bytes.toString('utf8', from, to);
    let hash = length;
    for (let at = from; at < to; at++) hash = (hash * 31 + bytes[at]!) | 0;
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    const known = this.#slots[slot];
    if (known && isSame(known.bytes, bytes, from, length)) return known.text;
    const text = bytes.toString('utf8', from, to);
    this.#slots[slot] = { bytes: Buffer.from(bytes.subarray(from, to)), text };
    return text;
  }
}

function isSame(known: Buffer, bytes: Buffer, from: number, length: number): boolean {
  if (known.length !== length) return false;
  for (let at = 0; at < length; at++) if (known[at] !== bytes[from + at]) return false;
  return true;
}
