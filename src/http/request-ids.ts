/**
 * RequestIds: what `x-request-id` says of a request that came without one: a random UUID (RFC 9562, version 4). The one of Node
 * is joined of twenty strings, which costs whoever reads it as much again.
 */
import { randomFillSync } from 'node:crypto';

const ID_BYTES = 16;
/** Random bytes are made for this many ids at once. */
const POOLED_IDS = 256;
const DIGITS = Buffer.from('0123456789abcdef');
/** Where the two digits of each byte stand. */
const PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
const VERSION_AT = 14;
const VARIANT_AT = 19;

export class RequestIds {
  readonly #random = Buffer.allocUnsafeSlow(ID_BYTES * POOLED_IDS);
  readonly #text = Buffer.from('xxxxxxxx-xxxx-4xxx-Nxxx-xxxxxxxxxxxx');
  #at = this.#random.length;

  next(): string {
    const random = this.#random;
    const text = this.#text;
    if (this.#at === random.length) {
      randomFillSync(random);
      this.#at = 0;
    }
    for (const place of PLACES) {
      const byte = random[this.#at++]!;
      text[place] = DIGITS[byte >> 4]!;
      text[place + 1] = DIGITS[byte & 0xf]!;
    }
    text[VERSION_AT] = DIGITS[4]!;
    text[VARIANT_AT] = DIGITS[8 | ((random[this.#at - 8]! >> 4) & 3)]!;
    return text.toString('latin1');
  }
}
