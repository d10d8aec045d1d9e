/** StatusLine: the version and status code of a response. The reason phrase goes through as it came. */
import { SP } from './wire.ts';

const PREFIX = Buffer.from('HTTP/1.');
/** Length of `HTTP/1.1 200`. */
const STATUS_END = 12;
const ZERO = 0x30;

export class StatusLine {
  status = 0;
  minor = 1;
  startLineEnd = 0;

  /** The line is `bytes[base, base + startLineEnd]`, CR and LF included. False: it is none. */
  read(bytes: Buffer, base: number, startLineEnd: number): boolean {
    this.startLineEnd = startLineEnd;
    const end = base + startLineEnd - 1;
    // `HTTP/1.1 200` without the blank is common; anything else behind three digits is not a status.
    if (end - base < STATUS_END || (end - base > STATUS_END && bytes[base + STATUS_END] !== SP)) return false;
    for (let at = 0; at < PREFIX.length; at++) if (bytes[base + at] !== PREFIX[at]) return false;
    const minor = bytes[base + PREFIX.length]! - ZERO;
    const hundreds = bytes[base + 9]! - ZERO;
    const tens = bytes[base + 10]! - ZERO;
    const ones = bytes[base + 11]! - ZERO;
    if (minor < 0 || minor > 1 || bytes[base + 8] !== SP) return false;
    if (hundreds < 1 || hundreds > 9 || tens < 0 || tens > 9 || ones < 0 || ones > 9) return false;
    this.minor = minor;
    this.status = hundreds * 100 + tens * 10 + ones;
    return true;
  }
}
