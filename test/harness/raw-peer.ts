/** RawPeer: the other end of a MemoryWire, as bytes. Tests write what they like and read what came. */
import type { MemoryWire } from './memory-wire.ts';

/** Something that moves when a World settles. */
export interface Pumped {
  /** Does at most a little. False: there was nothing to do. */
  pump(): boolean;
}

export class RawPeer implements Pumped {
  readonly wire: MemoryWire;
  /** False: it does not read, and the wire fills up. */
  reading = true;
  #received: Buffer = Buffer.alloc(0);

  constructor(wire: MemoryWire) {
    this.wire = wire;
  }

  /** Everything that came and was not taken. */
  get received(): Buffer {
    return this.#received;
  }

  get text(): string {
    return this.#received.toString();
  }

  take(): Buffer {
    const taken = this.#received;
    this.#received = Buffer.alloc(0);
    return taken;
  }

  /** `sizes`: the reads that the core makes of it; the rest is one more. */
  send(bytes: Buffer | string, sizes: readonly number[] = []): void {
    const buffer = Buffer.from(bytes);
    let from = 0;
    for (const size of sizes) {
      this.wire.send(buffer.subarray(from, from + size));
      from += size;
    }
    this.wire.send(buffer.subarray(from));
  }

  end(): void {
    this.wire.sendEnd();
  }

  /** The core closed, in whatever way. */
  get closed(): boolean {
    return this.wire.ended || this.wire.destroyed;
  }

  pump(): boolean {
    if (!this.reading || this.wire.takeableBytes === 0) return false;
    const bytes = this.wire.take();
    this.#received = Buffer.concat([this.#received, bytes]);
    this.onBytes(bytes);
    return true;
  }

  /** For peers that do more than collect. */
  protected onBytes(_bytes: Buffer): void {}
}
