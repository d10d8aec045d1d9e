/**
 * ScratchOutput: an Output over one buffer that is used again and again, for what passes more bytes than should be kept. As in a real
 * one, bytes by reference are looked at when they are sent: lent ones are gone by then.
 */
import type { Output } from '../metaprotocol/codec.ts';

export class ScratchOutput implements Output {
  slab: Buffer = Buffer.alloc(64 * 1024);
  used = 0;
  ended = false;
  readonly full = false;
  readonly #viewed: { readonly at: number; readonly bytes: Buffer }[] = [];

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
    this.#viewed.push({ at: this.reserve(bytes.length), bytes });
  }

  end(): void {
    this.ended = true;
  }

  /** What was written since the last call, where it lies: gone with the next write. */
  lend(): Buffer {
    for (const { at, bytes } of this.#viewed) bytes.copy(this.slab, at);
    const bytes = this.slab.subarray(0, this.used);
    this.clear();
    return bytes;
  }

  clear(): void {
    this.used = 0;
    if (this.#viewed.length > 0) this.#viewed.length = 0;
  }
}
