/**
 * Hessian strings: lengths count UTF-16 units, which are written in one to three bytes each, halves of surrogate pairs included.
 * Four-byte UTF-8, which some writers use, counts as the two units that it stands for.
 */
import { isAscii } from 'node:buffer';

const CHUNK = 0x52;
const FINAL = 0x53;
/** From here on a native scan beats a loop. */
const LONG_UNITS = 512;
/** As Java cuts its chunks. */
const CHUNK_UNITS = 0x8000;

export function isTextLead(lead: number): boolean {
  return lead < 0x20 || (lead >= 0x30 && lead <= 0x33) || lead === CHUNK || lead === FINAL;
}

/** The offset behind `units` UTF-16 units that start at `at`; -1: they are cut off or are no UTF-8. */
export function skipUnits(bytes: Buffer, from: number, to: number, units: number): number {
  if (units > to - from) return -1;
  if (units >= LONG_UNITS && isAscii(bytes.subarray(from, from + units))) return from + units;
  let at = from;
  const asciiTo = from + units;
  while (at + 4 <= asciiTo && ((bytes[at]! | bytes[at + 1]! | bytes[at + 2]! | bytes[at + 3]!) & 0x80) === 0) at += 4;
  for (let left = asciiTo - at; left > 0; left--) {
    const byte = bytes[at]!;
    if (byte < 0x80) at += 1;
    else if (byte < 0xc0) return -1;
    else if (byte < 0xe0) at += 2;
    else if (byte < 0xf0) at += 3;
    else if (byte < 0xf8 && left > 1) {
      at += 4;
      left--;
    } else return -1;
    if (at > to) return -1;
  }
  return at;
}

/** The offset behind the string whose lead byte is at `from`; -1: it is cut off or none. */
export function skipText(bytes: Buffer, from: number, to: number): number {
  let at = from;
  for (;;) {
    const lead = at < to ? bytes[at]! : 0xff;
    if (lead < 0x20) return skipUnits(bytes, at + 1, to, lead);
    if (lead >= 0x30 && lead <= 0x33) {
      return at + 1 < to ? skipUnits(bytes, at + 2, to, ((lead - 0x30) << 8) | bytes[at + 1]!) : -1;
    }
    if ((lead !== CHUNK && lead !== FINAL) || at + 3 > to) return -1;
    at = skipUnits(bytes, at + 3, to, (bytes[at + 1]! << 8) | bytes[at + 2]!);
    if (at < 0 || lead === FINAL) return at;
  }
}

/** The string in `bytes[from, to)`, which `skipText` walked without fault. */
export function readText(bytes: Buffer, from: number, to: number): string {
  let text = '';
  let at = from;
  for (;;) {
    const lead = bytes[at]!;
    const unitsAt = at + (lead < 0x20 ? 1 : lead < CHUNK ? 2 : 3);
    if (lead !== CHUNK) return text + readUnits(bytes, unitsAt, to);
    at = skipUnits(bytes, unitsAt, to, (bytes[at + 1]! << 8) | bytes[at + 2]!);
    text += readUnits(bytes, unitsAt, at);
  }
}

/** Whether the string in `bytes[from, to)` is `text`. */
export function isText(bytes: Buffer, from: number, to: number, text: string): boolean {
  const length = bytes[from]!;
  if (length >= 0x20) return readText(bytes, from, to) === text;
  if (length !== text.length) return false;
  for (let at = 0; at < length; at++) {
    const byte = bytes[from + 1 + at]!;
    if (byte >= 0x80) return readText(bytes, from, to) === text;
    if (byte !== text.charCodeAt(at)) return false;
  }
  return true;
}

/** `text` as Hessian, in chunks that split no surrogate pair. */
export function textBytes(text: string): Buffer {
  const chunks: Buffer[] = [];
  let from = 0;
  while (text.length - from > CHUNK_UNITS) {
    let to = from + CHUNK_UNITS;
    if (isHighSurrogate(text.charCodeAt(to - 1))) to--;
    chunks.push(chunkBytes(CHUNK, text, from, to));
    from = to;
  }
  chunks.push(chunkBytes(FINAL, text, from, text.length));
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

function chunkBytes(lead: number, text: string, from: number, to: number): Buffer {
  const units = to - from;
  const bytes = Buffer.allocUnsafe(3 + units * 3);
  let at = 0;
  if (lead === FINAL && units < 0x20) {
    bytes[at++] = units;
  } else if (lead === FINAL && units < 0x400) {
    bytes[at++] = 0x30 | (units >> 8);
    bytes[at++] = units;
  } else {
    bytes[at++] = lead;
    bytes[at++] = units >> 8;
    bytes[at++] = units;
  }
  for (let index = from; index < to; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) {
      bytes[at++] = unit;
    } else if (unit < 0x800) {
      bytes[at++] = 0xc0 | (unit >> 6);
      bytes[at++] = 0x80 | (unit & 0x3f);
    } else {
      bytes[at++] = 0xe0 | (unit >> 12);
      bytes[at++] = 0x80 | ((unit >> 6) & 0x3f);
      bytes[at++] = 0x80 | (unit & 0x3f);
    }
  }
  return bytes.subarray(0, at);
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

function readUnits(bytes: Buffer, from: number, to: number): string {
  for (let at = from; at < to; at++) if (bytes[at]! >= 0x80) return decodeUnits(bytes, from, to);
  return bytes.toString('latin1', from, to);
}

/** By hand, since the halves of a surrogate pair are no UTF-8. */
function decodeUnits(bytes: Buffer, from: number, to: number): string {
  const codePoints: number[] = [];
  let text = '';
  let at = from;
  while (at < to) {
    const byte = bytes[at++]!;
    if (byte < 0x80) codePoints.push(byte);
    else if (byte < 0xe0) codePoints.push(((byte & 0x1f) << 6) | (bytes[at++]! & 0x3f));
    else if (byte < 0xf0) codePoints.push(((byte & 0x0f) << 12) | ((bytes[at++]! & 0x3f) << 6) | (bytes[at++]! & 0x3f));
    else {
      const high = ((byte & 0x07) << 18) | ((bytes[at++]! & 0x3f) << 12);
      codePoints.push(Math.min(0x10_ffff, high | ((bytes[at++]! & 0x3f) << 6) | (bytes[at++]! & 0x3f)));
    }
    if (codePoints.length === 1_024) text += String.fromCodePoint(...codePoints.splice(0));
  }
  return text + String.fromCodePoint(...codePoints);
}
