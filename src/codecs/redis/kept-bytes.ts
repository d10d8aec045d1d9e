/**
 * KeptBytes: copies of small pieces, one behind the other in blocks that are left to the garbage collector. To make a buffer for
 * each costs more than to copy it, and every read of a command that may be repeated is copied.
 */

const BLOCK_BYTES = 8 * 1024;
/** A larger piece has a block of its own, so that one that lives for long does not hold much else. */
const LARGEST_PIECE_BYTES = BLOCK_BYTES / 4;
const EMPTY = Buffer.alloc(0);

export class KeptBytes {
  /** Where the last piece stands. */
  block: Buffer = EMPTY;
  #used = 0;

  /** Returns where in `block` the copy begins. */
  keep(bytes: Buffer): number {
    const { length } = bytes;
    if (this.#used + length > this.block.length) {
      this.block = Buffer.allocUnsafeSlow(length > LARGEST_PIECE_BYTES ? length : BLOCK_BYTES);
      this.#used = 0;
    }
    const at = this.#used;
    bytes.copy(this.block, at);
    this.#used = at + length;
    return at;
  }
}
