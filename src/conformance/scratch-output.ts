/** ScratchOutput: an Output over one buffer that is used again and again, for what passes more bytes than should be kept. */
import type { Output } from '../metaprotocol/codec.ts';

export class ScratchOutput implements Output {
  slab: Buffer = Buffer.alloc(64 * 1024);
  used = 0;
  ended = false;
  readonly full = false;

  append(bytes: Buffer, from: number, to: number): number {
    const at = this.reserve(to - from);
    bytes.copy(this.slab, at, from, to);
    return at;
  }

  reserve(n: number): number {
    if (this.used + n > this.slab.length) {
      const grown = Buffer.alloc((this.used + n) * 2);
      this.slab.copy(grown, 0, 0, this.used);
      this.slab = grown;
    }
    const at = this.used;
    this.used += n;
    return at;
  }

  view(bytes: Buffer): void {
    this.append(bytes, 0, bytes.length);
  }

  end(): void {
    this.ended = true;
  }

  /** What was written since the last call, where it lies: gone with the next write. */
  lend(): Buffer {
    const bytes = this.slab.subarray(0, this.used);
    this.used = 0;
    return bytes;
  }
}
