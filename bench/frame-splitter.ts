/** Cuts a byte stream into frames whose head tells the length of the rest. A frame is lent to `onFrame` until it returns. */

export interface FrameFormat {
  /** Of the head; the length that it tells counts what follows it. */
  readonly headBytes: number;
  /** Where the 32-bit length stands in the head. */
  readonly lengthAt: number;
}

export type OnFrame = (bytes: Buffer, from: number, to: number) => void;

export class FrameSplitter {
  #parked = Buffer.alloc(4096);
  #parkedBytes = 0;
  readonly #format: FrameFormat;
  readonly #frameLimitBytes: number;
  readonly #onFrame: OnFrame;

  constructor(format: FrameFormat, frameLimitBytes: number, onFrame: OnFrame) {
    this.#format = format;
    this.#frameLimitBytes = frameLimitBytes;
    this.#onFrame = onFrame;
  }

  /** Calls `onFrame` for every frame that ends in `chunk`, head included. Throws when a length is over the limit. */
  push(chunk: Buffer, length: number): void {
    const { headBytes } = this.#format;
    let at = this.#finishParked(chunk, length);
    while (length - at >= headBytes) {
      const end = at + this.#frameBytes(chunk, at);
      if (end > length) break;
      this.#onFrame(chunk, at, end);
      at = end;
    }
    if (at < length) this.#park(chunk, at, length);
  }

  /** Completes the frame that an earlier chunk began; gives the offset behind it. */
  #finishParked(chunk: Buffer, length: number): number {
    const { headBytes } = this.#format;
    if (this.#parkedBytes === 0) return 0;
    let at = 0;
    if (this.#parkedBytes < headBytes) {
      at = Math.min(length, headBytes - this.#parkedBytes);
      this.#park(chunk, 0, at);
      if (this.#parkedBytes < headBytes) return at;
    }
    const frameBytes = this.#frameBytes(this.#parked, 0);
    const end = Math.min(length, at + frameBytes - this.#parkedBytes);
    this.#park(chunk, at, end);
    if (this.#parkedBytes === frameBytes) {
      this.#parkedBytes = 0;
      this.#onFrame(this.#parked, 0, frameBytes);
    }
    return end;
  }

  #park(chunk: Buffer, from: number, to: number): void {
    const needed = this.#parkedBytes + to - from;
    if (needed > this.#parked.length) {
      const larger = Buffer.alloc(Math.max(needed, this.#parked.length * 2));
      this.#parked.copy(larger, 0, 0, this.#parkedBytes);
      this.#parked = larger;
    }
    chunk.copy(this.#parked, this.#parkedBytes, from, to);
    this.#parkedBytes = needed;
  }

  #frameBytes(bytes: Buffer, at: number): number {
    const { headBytes, lengthAt } = this.#format;
    const body = bytes.readUInt32BE(at + lengthAt);
    if (body > this.#frameLimitBytes) {
      throw new Error(`frame: body length ${body} > frameLimitBytes ${this.#frameLimitBytes}`);
    }
    return headBytes + body;
  }
}
