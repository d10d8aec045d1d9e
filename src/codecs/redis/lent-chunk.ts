/** LentChunk: one read's bytes, copied at most once for all messages of that read that outlive it. */

export class LentChunk {
  readonly bytes: Buffer;
  #copy: Buffer | null = null;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** The same bytes at the same offsets, nobody else's. Only before the read is over. */
  kept(): Buffer {
    this.#copy ??= Buffer.from(this.bytes);
    return this.#copy;
  }
}
