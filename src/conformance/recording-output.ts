/** RecordingOutput: an Output over one growing buffer, for codec tests without a connection. */
import type { Output } from '../metaprotocol/codec.ts';

/** What `reserve` hands out is filled with it: a byte that the codec forgot to write shows. */
export const UNWRITTEN = 0xdb;

export class RecordingOutput implements Output {
  slab: Buffer = Buffer.alloc(1_024, UNWRITTEN);
  ended = false;
  /** `full` is true from this many queued bytes on. */
  highWaterBytes = Number.POSITIVE_INFINITY;
  /** Finished parts, in order. Viewed bytes come with the copy that proves nobody wrote to them later. */
  readonly #parts: { readonly bytes: Buffer; readonly asQueued: Buffer | null }[] = [];
  #partBytes = 0;
  #start = 0;
  #end = 0;

  append(bytes: Buffer, from: number, to: number): number {
    const offset = this.reserve(to - from);
    bytes.copy(this.slab, offset, from, to);
    return offset;
  }

  reserve(n: number): number {
    if (this.ended) throw new Error('codec wrote after end()');
    if (this.#end + n > this.slab.length) this.#grow(n);
    const offset = this.#end;
    this.#end += n;
    return offset;
  }

  view(bytes: Buffer): void {
    if (this.ended) throw new Error('codec wrote after end()');
    this.#closePart();
    this.#parts.push({ bytes, asQueued: Buffer.from(bytes) });
    this.#partBytes += bytes.length;
  }

  end(): void {
    this.ended = true;
  }

  get full(): boolean {
    return this.queuedBytes >= this.highWaterBytes;
  }

  get queuedBytes(): number {
    return this.#partBytes + this.#end - this.#start;
  }

  /** Everything written since the last take, as the peer would read it. */
  take(): Buffer {
    this.#closePart();
    const parts = this.#parts.splice(0);
    this.#partBytes = 0;
    for (const part of parts) {
      if (part.asQueued !== null && !part.asQueued.equals(part.bytes)) throw new Error('viewed bytes were written to');
    }
    const taken = Buffer.concat(parts.map((part) => part.bytes));
    this.slab = Buffer.alloc(1_024, UNWRITTEN);
    this.#start = 0;
    this.#end = 0;
    return taken;
  }

  #closePart(): void {
    if (this.#end === this.#start) return;
    this.#parts.push({ bytes: this.slab.subarray(this.#start, this.#end), asQueued: null });
    this.#partBytes += this.#end - this.#start;
    this.#start = this.#end;
  }

  #grow(n: number): void {
    const open = this.slab.subarray(this.#start, this.#end);
    const grown = Buffer.alloc(Math.max((open.length + n) * 2, 1_024), UNWRITTEN);
    open.copy(grown);
    this.slab = grown;
    this.#end = open.length;
    this.#start = 0;
  }
}
