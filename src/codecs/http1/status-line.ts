/** StatusLine: the version and status code of a response. The reason phrase goes through as it came. */
import { SP } from './wire.ts';

export class StatusLine {
  status = 0;
  minor = 1;
  startLineEnd = 0;

  /** The line is `bytes[base, base + startLineEnd]`, CR and LF included. False: it is none. */
  read(bytes: Buffer, base: number, startLineEnd: number): boolean {
    this.startLineEnd = startLineEnd;
    const line = bytes.toString('latin1', base, base + Math.min(startLineEnd - 1, 13));
    const parts = /^HTTP\/1\.([01]) ([1-9]\d\d)( |$)/.exec(line);
    if (parts === null) return false;
    // `HTTP/1.1 200` without the blank is common; anything else behind three digits is not a status.
    if (startLineEnd - 1 > 12 && bytes[base + 12] !== SP) return false;
    this.minor = parts[1] === '0' ? 0 : 1;
    this.status = Number(parts[2]);
    return true;
  }
}
