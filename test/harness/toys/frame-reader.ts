/** FrameReader: cuts a byte stream into frames that begin with a u32be length of what follows it. */
import { WIPED } from '../../../src/conformance/feed.ts';

const EMPTY = Buffer.alloc(0);

export interface FrameReaderOptions {
  /** Of the whole frame, its length field included. */
  readonly frameLimitBytes: number;
  /** A frame is valid until this returns: it may lie in a lent buffer. */
  onFrame(frame: Buffer): void;
  /** Looked at before each frame. True: what is left stays parked until `drain()`. */
  stopped(): boolean;
  /** A length that is refused; no bytes of that frame are parked. */
  onOversize(detail: string): void;
}

export class FrameReader {
  readonly #options: FrameReaderOptions;
  #bytes: Buffer = EMPTY;
  #at = 0;
  #owned = true;
  #draining = false;
  #readBytes = 0;

  constructor(options: FrameReaderOptions) {
    this.#options = options;
  }

  get parkedBytes(): number {
    return this.#bytes.length - this.#at;
  }

  push(chunk: Buffer): void {
    if (this.parkedBytes === 0) {
      this.#bytes = chunk;
      this.#owned = false;
    } else {
      this.#bytes = Buffer.concat([this.#bytes.subarray(this.#at), chunk]);
      this.#owned = true;
    }
    this.#at = 0;
    this.drain();
    if (!this.#owned) {
      this.#bytes = Buffer.from(this.#bytes.subarray(this.#at));
      this.#at = 0;
      this.#owned = true;
    }
  }

  /** Goes on after `stopped`. Inside `onFrame` it does nothing: the outer loop goes on by itself. */
  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    const from = this.#at;
    while (!this.#options.stopped() && this.parkedBytes >= 4) {
      const frameBytes = this.#bytes.readUInt32BE(this.#at) + 4;
      if (frameBytes > this.#options.frameLimitBytes) {
        this.#options.onOversize(
          `frame of ${frameBytes} bytes > frameLimitBytes ${this.#options.frameLimitBytes} at byte ${this.#readBytes}`,
        );
        this.#at = this.#bytes.length;
        break;
      }
      if (this.parkedBytes < frameBytes) break;
      const frame = this.#bytes.subarray(this.#at, this.#at + frameBytes);
      this.#at += frameBytes;
      this.#readBytes += frameBytes;
      this.#options.onFrame(frame);
    }
    // What was parked is lent on just like the socket's buffer: a message that nobody kept shows it.
    if (this.#owned) this.#bytes.fill(WIPED, from, this.#at);
    this.#draining = false;
  }
}
