/** Cuts a byte stream into frames of a 4-byte length prefix. A frame is lent to `onFrame` until it returns. */

export type OnFrame = (bytes: Buffer, from: number, to: number) => void;

const prefixBytes = 4;

export class FrameSplitter {
  #parked = Buffer.alloc(4096);
  #parkedBytes = 0;
  readonly #frameLimitBytes: number;
  readonly #onFrame: OnFrame;

  constructor(frameLimitBytes: number, onFrame: OnFrame) {
    this.#frameLimitBytes = frameLimitBytes;
    this.#onFrame = onFrame;
  }

  /** Calls `onFrame` for every frame that ends in `chunk`, prefix included. Throws when a prefix is over the limit. */
  push(chunk: Buffer, length: number): void {
    let at = this.#finishParked(chunk, length);
    while (length - at >= prefixBytes) {
      const end = at + this.#frameBytes(chunk, at);
      if (end > length) break;
      this.#onFrame(chunk, at, end);
      at = end;
    }
    if (at < length) this.#park(chunk, at, length);
  }

  /** Completes the frame that an earlier chunk began; gives the offset behind it. */
  #finishParked(chunk: Buffer, length: number): number {
    if (this.#parkedBytes === 0) return 0;
    let at = 0;
    if (this.#parkedBytes < prefixBytes) {
      at = Math.min(length, prefixBytes - this.#parkedBytes);
      this.#park(chunk, 0, at);
      if (this.#parkedBytes < prefixBytes) return at;
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
    const body = bytes.readUInt32BE(at);
    if (body > this.#frameLimitBytes) {
      throw new Error(`frame: body length ${body} > frameLimitBytes ${this.#frameLimitBytes}`);
    }
    return prefixBytes + body;
  }
}
