/**
 * Hessian strings: lengths count UTF-16 units, which are written in one to three bytes each, halves of surrogate pairs included.
 * Four-byte UTF-8, which some writers use, counts as the two units that it stands for.
 */
import { isAscii } from 'node:buffer';

const CHUNK = 0x52;
const FINAL = 0x53;
/** From here on a native scan beats a loop. */
const LONG_UNITS = 64;
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
  for (let left = units; left > 0; left--) {
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
  const lead = bytes[from]!;
  if (lead < 0x20) return readUnits(bytes, from + 1, to);
  if (lead < 0x34) return readUnits(bytes, from + 2, to);
  let text = '';
  let at = from;
  while (at < to) {
    if (bytes[at] !== CHUNK) return text + readText(bytes, at + (bytes[at] === FINAL ? 1 : 0), to);
    const end = skipUnits(bytes, at + 3, to, (bytes[at + 1]! << 8) | bytes[at + 2]!);
    text += readUnits(bytes, at + 3, end);
    at = end;
  }
  return text;
}
