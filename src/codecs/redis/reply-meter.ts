/** ReplyMeter: finds where a RESP2 or RESP3 value ends, however it is nested; goes on where it stopped. */
import { type ProxyStatus, Status } from '../../metaprotocol/status.ts';
import { BAD_FRAME, type FrameFault, type FrameMeter } from '../framing.ts';
import { CR, LengthLine, LF, LINE_BAD, LINE_MORE, Type } from './wire.ts';

const QUESTION = 0x3f;
const STRETCH_BYTES = 1_024;
/** `*?\r\n` */
const STREAMED_HEAD_BYTES = 4;
/** A level whose end is marked instead of counted. */
const UNTIL_END = -1;

export interface ReplyLimits {
  readonly nestingLimit: number;
  readonly frameLimitBytes: number;
}

/** `Piece` and `LastPiece`: of a value over the limit, which is given out as it comes, to be dropped. */
export const Part = { Whole: 0, Piece: 1, LastPiece: 2 } as const;
export type Part = (typeof Part)[keyof typeof Part];

export class ReplyMeter implements FrameMeter {
  fault: FrameFault | null = null;
  /** What comes is no longer RESP: whatever is there is one frame. */
  opaque = false;
  /** Of the complete frame: the type of its value, attributes in front of it left out. */
  type = 0;
  /** Where that value begins. */
  valueAt = 0;
  part: Part = Part.Whole;
  /** Of a value over the limit: what was given out of it. */
  droppedBytes = 0;
  readonly #limits: ReplyLimits;
  readonly #length = new LengthLine();
  /** Values still to come, for each open level. */
  readonly #left: number[] = [];
  readonly #isAttribute: boolean[] = [];
  #depth = 0;
  #at = 0;
  /** How far the open line was searched for its end. */
  #searched = 0;
  /** Of the string in a value over the limit. */
  #stringBytesLeft = 0;

  constructor(limits: ReplyLimits) {
    this.#limits = limits;
  }

  measure(bytes: Buffer, from: number, to: number): number {
    if (this.opaque) return to - from;
    if (this.#stringBytesLeft > 0) return this.#dropString(to - from);
    for (;;) {
      const at = from + this.#at;
      if (at >= to) return to - from + STRETCH_BYTES;
      const type = bytes[at]!;
      if (this.#depth === 0 && type !== Type.Attribute) {
        this.type = type;
        this.valueAt = this.#at;
      }
      let done: boolean;
      switch (type) {
        case Type.Simple:
        case Type.Error:
        case Type.Integer:
        case Type.Null:
        case Type.Boolean:
        case Type.Double:
        case Type.BigNumber: {
          let newline = Math.max(this.#searched, this.#at);
          while (from + newline < to && bytes[from + newline] !== LF) newline++;
          if (from + newline === to) {
            this.#searched = to - from;
            if (to - from > this.#limits.frameLimitBytes) {
              return this.#at > 0 ? this.#giveOut(this.#at, false) : this.#tooLong(to - from);
            }
            return to - from + STRETCH_BYTES;
          }
          if (bytes[from + newline - 1] !== CR) return this.#bad('a line ends without CR');
          this.#at = newline + 1;
          done = true;
          break;
        }
        case Type.Bulk:
        case Type.BulkError:
        case Type.Verbatim:
        case Type.Chunk:
        case Type.Array:
        case Type.Set:
        case Type.Push:
        case Type.Map:
        case Type.Attribute: {
          if (at + 1 >= to) return to - from + STRETCH_BYTES;
          if (bytes[at + 1] === QUESTION) {
            if (at + 3 >= to) return to - from + STRETCH_BYTES;
            if (bytes[at + 2] !== CR || bytes[at + 3] !== LF) return this.#bad('"?" is not followed by CRLF');
            if (type === Type.Chunk) return this.#bad('a chunk without a length');
            if (!this.#open(UNTIL_END, type)) return BAD_FRAME;
            this.#at += 4;
            done = false;
            break;
          }
          const next = this.#length.read(bytes, at + 1, to);
          if (next === LINE_MORE) return to - from + STRETCH_BYTES;
          const length = this.#length.value;
          const isNull = length === -1 && (type === Type.Bulk || type === Type.Array);
          if (next === LINE_BAD || (length < 0 && !isNull)) {
            return this.#bad(`${String.fromCharCode(type)} is followed by no length`);
          }
          if (isNull) {
            this.#at = next - from;
            done = true;
          } else if (type === Type.Bulk || type === Type.BulkError || type === Type.Verbatim || type === Type.Chunk) {
            if (type === Type.Chunk && length === 0) {
              if (this.#depth === 0) return this.#bad('a chunk outside of a streamed string');
              this.#at = next - from;
              this.#close();
              done = true;
              break;
            }
            const end = next - from + length + 2;
            if (end > this.#limits.frameLimitBytes || (this.part === Part.Piece && end > to - from)) {
              this.#stringBytesLeft = length + 2;
              return this.#giveOut(next - from, false);
            }
            if (end > to - from) return end;
            if (bytes[from + end - 2] !== CR || bytes[from + end - 1] !== LF) {
              return this.#bad(`a string of ${length} bytes is not followed by CRLF`);
            }
            this.#at = end;
            done = true;
          } else {
            const values = type === Type.Map || type === Type.Attribute ? length * 2 : length;
            this.#at = next - from;
            done = values === 0 && type !== Type.Attribute;
            if (values > 0 && !this.#open(values, type)) return BAD_FRAME;
          }
          break;
        }
        case Type.End:
          if (at + 2 >= to) return to - from + STRETCH_BYTES;
          if (this.#depth === 0 || bytes[at + 1] !== CR || bytes[at + 2] !== LF) return this.#bad('"." ends nothing');
          this.#at += 3;
          done = !this.#close();
          break;
        default:
          return this.#bad(`a value begins with byte 0x${type.toString(16).padStart(2, '0')}`);
      }
      const isComplete = done && this.#count();
      if (this.part === Part.Piece || this.#at > this.#limits.frameLimitBytes)
        return this.#giveOut(this.#at, isComplete);
      if (isComplete) {
        const size = this.#at;
        this.part = Part.Whole;
        this.#at = 0;
        this.#searched = 0;
        return size;
      }
    }
  }

  #dropString(available: number): number {
    const size = Math.min(this.#stringBytesLeft, available);
    this.#stringBytesLeft -= size;
    return this.#giveOut(size, this.#stringBytesLeft === 0 && this.#count());
  }

  /** What is left of a value over the limit is read on, since others wait for what comes behind it. */
  #giveOut(size: number, isComplete: boolean): number {
    this.droppedBytes = this.part === Part.Piece ? this.droppedBytes + size : size;
    this.part = isComplete ? Part.LastPiece : Part.Piece;
    this.#at = 0;
    this.#searched = 0;
    return size;
  }

  /** One value is complete: so may be what holds it. True: the frame is. */
  #count(): boolean {
    while (this.#depth > 0) {
      const level = this.#depth - 1;
      if (this.#left[level] === UNTIL_END) return false;
      if (--this.#left[level]! > 0) return false;
      // What an attribute tells of is still to come.
      if (this.#close()) return false;
    }
    return true;
  }

  #open(values: number, type: number): boolean {
    if (this.#depth >= this.#limits.nestingLimit) {
      this.#bad(`values nested deeper than nestingLimit ${this.#limits.nestingLimit}`);
      return false;
    }
    this.#left[this.#depth] = values;
    this.#isAttribute[this.#depth] = type === Type.Attribute;
    this.#depth++;
    return true;
  }

  /** True if it was an attribute. */
  #close(): boolean {
    this.#depth--;
    return this.#isAttribute[this.#depth]!;
  }

  #tooLong(size: number): number {
    return this.#bad(`a line of ${size} bytes > frameLimitBytes ${this.#limits.frameLimitBytes}`);
  }

  #bad(text: string, status: ProxyStatus = Status.upstream_malformed): number {
    this.fault = { status, text, at: this.#at };
    return BAD_FRAME;
  }
}

/** Where each value of an array begins, and the end of the last one; null: it is no array. The answer is complete. */
export function elementOffsets(bytes: Buffer, from: number, to: number): number[] | null {
  if (bytes[from] !== Type.Array) return null;
  const length = new LengthLine();
  const isStreamed = bytes[from + 1] === QUESTION;
  let at = isStreamed ? from + STREAMED_HEAD_BYTES : length.read(bytes, from + 1, to);
  if (at < 0 || length.value < 0) return null;
  const meter = new ReplyMeter({ nestingLimit: Number.MAX_SAFE_INTEGER, frameLimitBytes: Number.MAX_SAFE_INTEGER });
  const offsets = [at];
  for (let index = 0; isStreamed ? bytes[at] !== Type.End : index < length.value; index++) {
    at += meter.measure(bytes, at, to);
    offsets.push(at);
  }
  return offsets;
}
