/** LentChunk: one read's bytes, copied at most once for all messages of that read that outlive it. */
import type { KeptBytes } from './kept-bytes.ts';

export class LentChunk {
  readonly bytes: Buffer;
  readonly #kept: KeptBytes;
  #copy: Buffer | null = null;
  /** How much further back the bytes stand in the copy. */
  shift = 0;

  constructor(bytes: Buffer, kept: KeptBytes) {
    this.bytes = bytes;
    this.#kept = kept;
  }

  /** Nobody writes to these bytes any more. Only before the read is over. */
  copy(): Buffer {
    if (this.#copy === null) {
      this.shift = this.#kept.keep(this.bytes);
      this.#copy = this.#kept.block;
    }
    return this.#copy;
  }
}
