/** RequestMeter: finds where a command ends, and its words on the way; goes on where it stopped, so nothing is scanned twice. */
import { Status } from '../../metaprotocol/status.ts';
import { BAD_FRAME, type FrameFault, type FrameMeter } from '../framing.ts';
import { LengthLine, LF, LINE_BAD, LINE_MORE, Type } from './wire.ts';

/** Longest inline line, as Redis has it. */
export const INLINE_LIMIT_BYTES = 65_536;
/** What Redis allows a caller that has not said its password. */
const STRANGER_ARGUMENTS = 10;
const STRANGER_BULK_BYTES = 16_384;
/** Asked for where the end of a line is not in sight: more than it may need, so that it is not parked byte by byte. */
const STRETCH_BYTES = 1_024;

export interface RequestLimits {
  readonly argumentLimit: number;
  readonly bulkLimitBytes: number;
  readonly frameLimitBytes: number;
}

export class RequestMeter implements FrameMeter {
  fault: FrameFault | null = null;
  /** What comes is no longer RESP: whatever is there is one frame. */
  opaque = false;
  /** What Redis would say of the fault. */
  callerText = '';
  /** Of the complete frame: is it a line of words? */
  inline = false;
  /** Words of the complete frame; 0: no command at all (an empty line, `*0`). Not counted of a line. */
  count = 0;
  /** The command's name, from the start of the frame. */
  nameAt = 0;
  nameEnd = 0;
  /** The caller has not said its password yet. */
  stranger = false;
  readonly #limits: RequestLimits;
  readonly #length = new LengthLine();
  /** Of the unfinished frame: everything before is understood. */
  #at = 0;
  #left = 0;

  constructor(limits: RequestLimits) {
    this.#limits = limits;
  }

  measure(bytes: Buffer, from: number, to: number): number {
    if (this.opaque) return to - from;
    if (this.#at === 0) {
      if (bytes[from] !== Type.Array) return this.#measureLine(bytes, from, to);
      const next = this.#length.read(bytes, from + 1, to);
      if (next === LINE_MORE) return to - from + STRETCH_BYTES;
      const count = this.#length.value;
      if (next === LINE_BAD) return this.#bad('invalid multibulk length', 'command length is no number', 1);
      if (count > this.#limits.argumentLimit) {
        const text = `${count} arguments > argumentLimit ${this.#limits.argumentLimit}`;
        return this.#bad('invalid multibulk length', text, 1);
      }
      if (this.stranger && count > STRANGER_ARGUMENTS) {
        const text = `${count} arguments > ${STRANGER_ARGUMENTS} before authentication`;
        return this.#bad('unauthenticated multibulk length', text, 1);
      }
      this.inline = false;
      this.count = count;
      if (count <= 0) {
        this.count = 0;
        return next - from;
      }
      this.#left = count;
      this.#at = next - from;
    }
    return this.#measureArguments(bytes, from, to);
  }

  #measureArguments(bytes: Buffer, from: number, to: number): number {
    const limits = this.#limits;
    while (this.#left > 0) {
      const at = from + this.#at;
      if (at >= to) return to - from + STRETCH_BYTES;
      if (bytes[at] !== Type.Bulk) {
        const found = String.fromCharCode(bytes[at]!);
        return this.#bad(`expected '$', got '${found}'`, `argument begins with ${JSON.stringify(found)}, "$" expected`);
      }
      const next = this.#length.read(bytes, at + 1, to);
      if (next === LINE_MORE) return to - from + STRETCH_BYTES;
      const length = this.#length.value;
      if (next === LINE_BAD || length < 0) return this.#bad('invalid bulk length', 'argument length is no length');
      if (length > limits.bulkLimitBytes) {
        const text = `argument of ${length} bytes > bulkLimitBytes ${limits.bulkLimitBytes}`;
        return this.#bad('invalid bulk length', text);
      }
      if (this.stranger && length > STRANGER_BULK_BYTES) {
        const text = `argument of ${length} bytes > ${STRANGER_BULK_BYTES} before authentication`;
        return this.#bad('unauthenticated bulk length', text);
      }
      const end = next - from + length + 2;
      if (end > limits.frameLimitBytes) {
        return this.#bad('command too large', `command of ${end} bytes > frameLimitBytes ${limits.frameLimitBytes}`);
      }
      if (end > to - from) return end;
      if (bytes[from + end - 2] !== 0x0d || bytes[from + end - 1] !== LF) {
        return this.#bad('expected CRLF behind an argument', `argument of ${length} bytes is not followed by CRLF`);
      }
      if (this.#left === this.count) {
        this.nameAt = next - from;
        this.nameEnd = end - 2;
      }
      this.#left--;
      this.#at = end;
    }
    const size = this.#at;
    this.#at = 0;
    return size;
  }

  /** `#left` remembers how far the line was searched. */
  #measureLine(bytes: Buffer, from: number, to: number): number {
    let newline = this.#left;
    while (from + newline < to && bytes[from + newline] !== LF) newline++;
    const found = from + newline < to;
    const length = found ? newline + 1 : newline;
    if (length > INLINE_LIMIT_BYTES) {
      return this.#bad('too big inline request', `line of ${length} bytes or more > ${INLINE_LIMIT_BYTES}`);
    }
    if (!found) {
      this.#left = length;
      return length + STRETCH_BYTES;
    }
    this.#left = 0;
    this.inline = true;
    this.count = 0;
    return length;
  }

  #bad(callerText: string, text: string, at = this.#at): number {
    this.callerText = callerText;
    this.fault = { status: Status.malformed, text, at };
    return BAD_FRAME;
  }
}
