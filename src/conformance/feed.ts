/** feed: gives bytes to a codec the way a shared read buffer does: lent, and wiped as soon as `decode` returns. */
import type { Codec } from '../metaprotocol/codec.ts';

/** What is left in a lent buffer after `decode`: a message that was not kept reads this. */
export const WIPED = 0xa5;

/** `sizes`: length of each chunk in turn; what remains afterwards goes in one chunk. */
export function feed(codec: Codec, bytes: Buffer, sizes: readonly number[] = []): void {
  let from = 0;
  for (const size of sizes) {
    if (from >= bytes.length) return;
    decodeLent(codec, bytes.subarray(from, from + size));
    from += size;
  }
  if (from < bytes.length) decodeLent(codec, bytes.subarray(from));
}

/** One decode for each byte. */
export function feedBytewise(codec: Codec, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; at++) decodeLent(codec, bytes.subarray(at, at + 1));
}

export function decodeLent(codec: Codec, chunk: Buffer): void {
  const lent = Buffer.from(chunk);
  codec.decode(lent, true);
  lent.fill(WIPED);
}
