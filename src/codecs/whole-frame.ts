/**
 * WholeFrame: what all messages share that are their frame: bytes that are lent until they are kept, and read in place. Whatever
 * keeps offsets counts them from the start of the frame, since `keep` moves it.
 */

/** The frame is `bytes[from, to)`. */
export abstract class WholeFrame {
  bytes: Buffer;
  from: number;
  to: number;
  lent: boolean;
  /** Made by the proxy itself: nobody sent these bytes. */
  readonly local: boolean;

  constructor(bytes: Buffer, from: number, to: number, lent: boolean, local: boolean) {
    this.bytes = bytes;
    this.from = from;
    this.to = to;
    this.lent = lent;
    this.local = local;
  }

  get raw(): Buffer | null {
    return this.local ? null : this.bytes.subarray(this.from, this.to);
  }

  get rawBytes(): number {
    return this.local ? 0 : this.to - this.from;
  }

  keep(): void {
    if (!this.lent) return;
    const kept = Buffer.allocUnsafe(this.to - this.from);
    this.bytes.copy(kept, 0, this.from, this.to);
    this.bytes = kept;
    this.from = 0;
    this.to = kept.length;
    this.lent = false;
  }
}
