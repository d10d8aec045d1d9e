/** MethodNames: the names that one connection called lately, so that most calls make no string. */

export interface MethodName {
  /** Before the colon of a multiplexed call; '' if it has none. */
  readonly service: string;
  readonly method: string;
}

interface Known {
  readonly bytes: Buffer;
  readonly name: MethodName;
}

const SLOTS = 32;
const LONGEST_BYTES = 128;
const COLON = 0x3a;

/** Bounded: one name for each of 32 hashes, none over 128 bytes. */
export class MethodNames {
  readonly #slots: (Known | null)[] = new Array(SLOTS).fill(null);

  lookup(bytes: Buffer, from: number, to: number): MethodName {
    const length = to - from;
    if (length > LONGEST_BYTES) return split(bytes, from, to);
    let hash = length;
    for (let at = from; at < to; at++) hash = (hash * 31 + bytes[at]!) | 0;
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    const known = this.#slots[slot];
    if (known && isSame(known.bytes, bytes, from, length)) return known.name;
    const name = split(bytes, from, to);
    this.#slots[slot] = { bytes: Buffer.from(bytes.subarray(from, to)), name };
    return name;
  }
}

function isSame(known: Buffer, bytes: Buffer, from: number, length: number): boolean {
  if (known.length !== length) return false;
  for (let at = 0; at < length; at++) if (known[at] !== bytes[from + at]) return false;
  return true;
}

/** Bytes of the service in front of a multiplexed call's method, colon included. */
export function serviceBytes(bytes: Buffer, from: number, to: number): number {
  return bytes.subarray(from, to).indexOf(COLON) + 1;
}

function split(bytes: Buffer, from: number, to: number): MethodName {
  const methodAt = from + serviceBytes(bytes, from, to);
  const service = methodAt === from ? '' : bytes.toString('utf8', from, methodAt - 1);
  return { service, method: bytes.toString('utf8', methodAt, to) };
}
