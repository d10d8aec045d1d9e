/** CallHeads: the five strings that every hessian2 call begins with, and a memory of those that one connection sent lately. */
import { readText, skipText } from './hessian-text.ts';
import { NULL, readsResponseAttachments } from './wire.ts';

/** undefined: the caller wrote null. */
export interface CallHead {
  /** Of the caller's protocol: `2.0.2`. */
  readonly dubboVersion: string | undefined;
  /** Usually the interface. */
  readonly path: string | undefined;
  /** Of the service. */
  readonly version: string | undefined;
  readonly method: string | undefined;
  /** JVM descriptors, one behind the other. */
  readonly parameterTypes: string | undefined;
  /** How many arguments follow; -1: the descriptors cannot be read. */
  readonly argumentCount: number;
  readonly readsResponseAttachments: boolean;
  /** All five strings, lead bytes included. */
  readonly bytes: Buffer;
}

export const CALL_HEAD_STRINGS = 5;
const SLOTS = 64;
const LONGEST_BYTES = 512;

/** Bounded: one head for each of 64 hashes, none over 512 bytes. */
export class CallHeads {
  readonly #slots: (CallHead | null)[] = new Array(SLOTS).fill(null);
  #last: CallHead | null = null;

  /** The head of the call before, if this one begins with the same bytes: nothing of it needs to be walked then. */
  again(bytes: Buffer, from: number, to: number): CallHead | null {
    const last = this.#last;
    return last !== null && last.bytes.length <= to - from && isSame(last.bytes, bytes, from) ? last : null;
  }

  /** `bytes[from, to)`: five strings (or nulls) that were walked without fault. */
  lookup(bytes: Buffer, from: number, to: number): CallHead {
    const length = to - from;
    if (length > LONGEST_BYTES) return readCallHead(bytes, from, to);
    this.#last = this.#find(bytes, from, to);
    return this.#last;
  }

  #find(bytes: Buffer, from: number, to: number): CallHead {
    const length = to - from;
    let hash = length;
    for (let at = from; at < to; at++) hash = (hash * 31 + bytes[at]!) | 0;
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    const known = this.#slots[slot];
    if (known && known.bytes.length === length && isSame(known.bytes, bytes, from)) return known;
    const head = readCallHead(bytes, from, to);
    this.#slots[slot] = head;
    return head;
  }
}

function isSame(known: Buffer, bytes: Buffer, from: number): boolean {
  for (let at = 0; at < known.length; at++) if (known[at] !== bytes[from + at]) return false;
  return true;
}

function readCallHead(source: Buffer, from: number, to: number): CallHead {
  const bytes = Buffer.from(source.subarray(from, to));
  const strings: (string | undefined)[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes[at] === NULL ? at + 1 : skipText(bytes, at, bytes.length);
    strings.push(bytes[at] === NULL ? undefined : readText(bytes, at, end));
    at = end;
  }
  const [dubboVersion, path, version, method, parameterTypes] = strings;
  return {
    dubboVersion,
    path,
    version,
    method,
    parameterTypes,
    argumentCount: countTypes(parameterTypes ?? ''),
    readsResponseAttachments: readsResponseAttachments(dubboVersion),
    bytes,
  };
}

/** `ILjava/lang/String;[[J` are three; -1: no descriptors. */
function countTypes(descriptors: string): number {
  let count = 0;
  for (let at = 0; at < descriptors.length; at++) {
    while (descriptors[at] === '[') at++;
    if (descriptors[at] === 'L') {
      at = descriptors.indexOf(';', at);
      if (at < 0) return -1;
    } else if (!'BCDFIJSZV'.includes(descriptors[at] ?? '?')) {
      return -1;
    }
    count++;
  }
  return count;
}
