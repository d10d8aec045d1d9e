/**
 * SectionReader: finds and validates a start line and field lines, or the fields of a trailer section, byte by byte. It can be
 * stopped after any byte and goes on there, so no byte is looked at twice. What the fields mean is not its business.
 */
import { BYTE, Class, COLON, CR, LF, SP, TAB } from './wire.ts';

/** `read` needs more bytes, or found a fault. */
export const MORE = -1;
export const BAD = -2;

const Phase = { First: 0, StartLine: 1, StartLf: 2, LineStart: 3, Name: 4, Value: 5, ValueLf: 6, LastLf: 7 } as const;
type Phase = (typeof Phase)[keyof typeof Phase];

export interface SectionLimits {
  readonly headLimitBytes: number;
  readonly headerLimit: number;
}

/** What is wrong, with its offset from the section's start. `over`: a limit, not the syntax. */
export interface SectionFault {
  readonly text: string;
  readonly at: number;
  readonly over: 'none' | 'target' | 'fields';
}

export class SectionReader {
  fault: SectionFault | null = null;
  /** Offset of the LF that ends the start line. */
  startLineEnd = 0;
  /** Empty lines' bytes before the start line: the head begins here. */
  skipped = 0;
  /** Fields read. Two cells each: where its line starts, and its colon. Behind the last one: where the fields end. */
  count = 0;
  readonly cells: number[] = [];
  readonly #limits: SectionLimits;
  #phase: Phase = Phase.First;
  /** Offset of the next byte to look at. */
  #at = 0;

  constructor(limits: SectionLimits) {
    this.#limits = limits;
  }

  /** Ready for a section; `trailers`: one without a start line. */
  reset(trailers: boolean): void {
    this.fault = null;
    this.startLineEnd = 0;
    this.skipped = 0;
    this.count = 0;
    this.#phase = trailers ? Phase.LineStart : Phase.First;
    this.#at = 0;
  }

  /** No byte was read since `reset`. */
  get fresh(): boolean {
    return this.#at === 0;
  }

  /** The section starts at `from`, also on a further call with more of it. Returns its length, MORE or BAD. */
  read(bytes: Buffer, from: number, to: number): number {
    const { cells } = this;
    const limit = Math.min(to - from, this.#limits.headLimitBytes);
    const end = from + limit;
    let at = from + this.#at;
    let phase = this.#phase;
    while (at < end) {
      switch (phase) {
        case Phase.First:
          // One empty line before a request is allowed (RFC 9112 §2.2); it is dropped.
          if (bytes[at] === CR && this.skipped === 0) {
            if (at + 1 >= end) return this.#stop(phase, at - from, limit);
            if (bytes[at + 1] !== LF) return this.#bad('CR without LF', at - from);
            at += 2;
            this.skipped = 2;
          } else phase = Phase.StartLine;
          break;
        case Phase.StartLine:
          while (at < end && (BYTE[bytes[at]!]! & Class.Value) !== 0) at++;
          if (at === end) break;
          if (bytes[at] !== CR) return this.#badByte(bytes[at]!, at - from, 'the start line');
          at++;
          phase = Phase.StartLf;
          break;
        case Phase.StartLf:
          if (bytes[at] !== LF) return this.#bad('CR without LF in the start line', at - from);
          this.startLineEnd = at - from;
          at++;
          phase = Phase.LineStart;
          break;
        case Phase.LineStart: {
          const byte = bytes[at]!;
          if (byte === CR) {
            cells[this.count * 2] = at - from;
            at++;
            phase = Phase.LastLf;
            break;
          }
          if (byte === SP || byte === TAB) return this.#bad('a folded or indented header line', at - from);
          if (this.count === this.#limits.headerLimit) {
            return this.#over(`more than headerLimit ${this.#limits.headerLimit} header fields`, at - from);
          }
          if (byte === COLON) return this.#bad('a header without a name', at - from);
          cells[this.count * 2] = at - from;
          phase = Phase.Name;
          break;
        }
        case Phase.Name:
          while (at < end && (BYTE[bytes[at]!]! & Class.Token) !== 0) at++;
          if (at === end) break;
          if (bytes[at] !== COLON) return this.#badByte(bytes[at]!, at - from, 'a header name');
          cells[this.count * 2 + 1] = at - from;
          at++;
          phase = Phase.Value;
          break;
        case Phase.Value:
          while (at < end && (BYTE[bytes[at]!]! & Class.Value) !== 0) at++;
          if (at === end) break;
          if (bytes[at] !== CR) return this.#badByte(bytes[at]!, at - from, 'a header value');
          at++;
          phase = Phase.ValueLf;
          break;
        case Phase.ValueLf:
          if (bytes[at] !== LF) return this.#bad('CR without LF in a header value', at - from);
          this.count++;
          at++;
          phase = Phase.LineStart;
          break;
        case Phase.LastLf:
          if (bytes[at] !== LF) return this.#bad('CR without LF behind the headers', at - from);
          return at + 1 - from;
      }
    }
    return this.#stop(phase, at - from, limit);
  }

  /** The bytes there are ended: are more to come, or is it too long already? */
  #stop(phase: Phase, at: number, limit: number): number {
    this.#phase = phase;
    this.#at = at;
    if (limit < this.#limits.headLimitBytes) return MORE;
    const where = phase <= Phase.StartLf ? 'target' : 'fields';
    this.fault = { text: `head > headLimitBytes ${this.#limits.headLimitBytes}`, at, over: where };
    return BAD;
  }

  #bad(text: string, at: number): number {
    this.fault = { text, at, over: 'none' };
    return BAD;
  }

  #badByte(byte: number, at: number, where: string): number {
    return this.#bad(`byte 0x${byte.toString(16).padStart(2, '0')} in ${where}`, at);
  }

  #over(text: string, at: number): number {
    this.fault = { text, at, over: 'fields' };
    return BAD;
  }
}
