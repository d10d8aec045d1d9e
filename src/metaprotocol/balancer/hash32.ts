/** xxHash32 with seed 0 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md). The same in every proxy. */

const P1 = 0x9e3779b1;
const P2 = 0x85ebca77;
const P3 = 0xc2b2ae3d;
const P4 = 0x27d4eb2f;
const P5 = 0x165667b1;

/** Of a text's UTF-8 bytes. */
export function hash32(text: string): number {
  const bytes = Buffer.from(text, 'utf8');
  return hashBytes(bytes, bytes.length);
}

/** Of `bytes[0, length)`. */
export function hashBytes(bytes: Buffer, length: number): number {
  let at = 0;
  let hash: number;
  if (length >= 16) {
    let v1 = (P1 + P2) | 0;
    let v2 = P2 | 0;
    let v3 = 0;
    let v4 = -P1 | 0;
    for (; at + 16 <= length; at += 16) {
      v1 = round(v1, bytes.readInt32LE(at));
      v2 = round(v2, bytes.readInt32LE(at + 4));
      v3 = round(v3, bytes.readInt32LE(at + 8));
      v4 = round(v4, bytes.readInt32LE(at + 12));
    }
    hash = (rotate(v1, 1) + rotate(v2, 7) + rotate(v3, 12) + rotate(v4, 18)) | 0;
  } else {
    hash = P5 | 0;
  }
  hash = (hash + length) | 0;
  for (; at + 4 <= length; at += 4) hash = Math.imul(rotate(hash + Math.imul(bytes.readInt32LE(at), P3), 17), P4);
  for (; at < length; at++) hash = Math.imul(rotate(hash + Math.imul(bytes[at]!, P5), 11), P1);
  hash = Math.imul(hash ^ (hash >>> 15), P2);
  hash = Math.imul(hash ^ (hash >>> 13), P3);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function round(accumulator: number, lane: number): number {
  return Math.imul(rotate((accumulator + Math.imul(lane, P2)) | 0, 13), P1);
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
