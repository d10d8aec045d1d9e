/**
 * RequestIds: what `x-request-id` says of a request that came without one: a random UUID (RFC 9562, version 4), as bytes. Text of
 * it would be made, checked and turned into bytes again twice for each request: for its upstream and for the log.
 */
import { randomFillSync } from 'node:crypto';
import type { ByteRange } from '../metaprotocol/message.ts';

const ID_BYTES = 16;
/** Made at once. */
const BATCH_IDS = 128;
const PATTERN = Buffer.from('xxxxxxxx-xxxx-4xxx-Nxxx-xxxxxxxxxxxx');
const DIGITS = Buffer.from('0123456789abcdef');
/** Where the two digits of each byte stand. */
const PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
const VERSION_AT = 14;
const VARIANT_AT = 19;
/** Of the byte whose digits begin at VARIANT_AT. */
const VARIANT_BYTE = 8;

export class RequestIds {
  readonly #random = Buffer.allocUnsafeSlow(ID_BYTES * BATCH_IDS);
  readonly #next: ByteRange = { bytes: Buffer.alloc(0), from: 0, to: 0 };

  /** Its bytes never change; the range itself is what the next call gives too. */
  next(): ByteRange {
    const range = this.#next;
    if (range.to === range.bytes.length) {
      range.bytes = this.#batch();
      range.to = 0;
    }
    range.from = range.to;
    range.to += PATTERN.length;
    return range;
  }

  #batch(): Buffer {
    const random = randomFillSync(this.#random);
    const ids = Buffer.allocUnsafeSlow(PATTERN.length * BATCH_IDS).fill(PATTERN);
    for (let id = 0; id < BATCH_IDS; id++) {
      const from = id * PATTERN.length;
      for (let index = 0; index < ID_BYTES; index++) {
        const byte = random[id * ID_BYTES + index]!;
        const at = from + PLACES[index]!;
        ids[at] = DIGITS[byte >> 4]!;
        ids[at + 1] = DIGITS[byte & 0xf]!;
      }
      ids[from + VERSION_AT] = PATTERN[VERSION_AT]!;
      ids[from + VARIANT_AT] = DIGITS[8 | ((random[id * ID_BYTES + VARIANT_BYTE]! >> 4) & 3)]!;
    }
    return ids;
  }
}
