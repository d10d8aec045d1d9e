/** FormatMeter: tells the framer where a declared frame ends, and refuses a wrong magic or an oversize frame by its first bytes. */
import { BAD_FRAME, type FrameFault, type FrameMeter } from '../codecs/framing.ts';
import type { Detection } from '../metaprotocol/codec.ts';
import { type ProxyStatus, Status } from '../metaprotocol/status.ts';
import type { FrameFormat } from './frame-format.ts';

export class FormatMeter implements FrameMeter {
  fault: FrameFault | null = null;
  readonly #format: FrameFormat;
  readonly #limitBytes: number;
  readonly #lengthEnd: number;

  constructor(format: FrameFormat, limitBytes: number) {
    this.#format = format;
    this.#limitBytes = limitBytes;
    this.#lengthEnd = format.lengthAt + format.length.bytes;
  }

  measure(bytes: Buffer, from: number, to: number): number {
    const format = this.#format;
    const there = to - from;
    const { magic } = format;
    for (let at = 0; at < magic.length && at < there; at++) {
      if (bytes[from + at] !== magic[at]) return this.#badMagic(bytes, from, at);
    }
    if (there < this.#lengthEnd) return format.headBytes;
    const size = format.length.read(bytes, from + format.lengthAt) + format.lengthAdds;
    if (size > this.#limitBytes) {
      return this.#bad(Status.too_large, `frame of ${size} bytes > frameLimitBytes ${this.#limitBytes}`);
    }
    if (size < format.headBytes) {
      return this.#bad(Status.malformed, `frame of ${size} bytes < its head of ${format.headBytes}`);
    }
    return size;
  }

  #badMagic(bytes: Buffer, from: number, at: number): number {
    const { magic } = this.#format;
    const actual = bytes.toString('hex', from, from + at + 1);
    this.fault = { status: Status.malformed, text: `magic ${actual}, ${magic.toString('hex')} expected`, at: 0 };
    return BAD_FRAME;
  }

  #bad(status: ProxyStatus, text: string): number {
    this.fault = { status, text, at: this.#format.lengthAt };
    return BAD_FRAME;
  }
}

export function detectMagic(magic: Buffer, head: Buffer): Detection {
  const there = Math.min(head.length, magic.length);
  if (head.compare(magic, 0, there, 0, there) !== 0) return 'reject';
  return there < magic.length ? 'more' : 'match';
}
