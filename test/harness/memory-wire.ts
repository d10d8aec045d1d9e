/**
 * MemoryWire: a Wire without a socket. The test is the peer and the kernel at once: it chooses every read, how much is
 * taken of a write, and when. Nothing reaches the handler but from `pump`, as with sockets.
 */

import { WIPED } from '../../src/conformance/feed.ts';
import type { Wire, WireHandler } from '../../src/metaprotocol/wire/wire.ts';

interface Queued {
  readonly bytes: Buffer;
  /** Proves that nobody wrote to the buffer while it was the wire's. */
  readonly asWritten: Buffer;
}

export class MemoryWire implements Wire {
  /** What the kernel holds for a peer that does not read; the rest stays queued in the wire. */
  capacityBytes = Number.POSITIVE_INFINITY;
  /** Reads lie in a buffer that is reused as soon as the handler returns: it is wiped. */
  lends = true;
  /** The core's side is closed; nothing more is written or read. */
  destroyed = false;
  /** The core sent its FIN. */
  ended = false;
  /** The peer got an RST: asked for, or destroyed with bytes that were not read. Then what the peer had not read yet is lost. */
  resetSent = false;
  /** Calls to `write`: system calls, in production. */
  writes = 0;
  #handler: WireHandler | null = null;
  #inbound: (Buffer | 'end')[] = [];
  #queued: Queued[] = [];
  #kernel: Buffer[] = [];
  #kernelBytes = 0;
  #queuedBytes = 0;
  #wasQueued = false;
  #drainDue = false;
  #paused = false;
  #ending = false;
  #peerEnded = false;
  #openDue = false;
  #closeDue: { readonly error: Error | null } | null = null;
  #closed = false;

  // The core's side.

  open(handler: WireHandler): void {
    this.#handler = handler;
  }

  write(parts: readonly Buffer[]): void {
    if (this.destroyed) return;
    if (this.#ending) throw new Error('write after end');
    this.writes++;
    for (const bytes of parts) {
      this.#queued.push({ bytes, asWritten: Buffer.from(bytes) });
      this.#queuedBytes += bytes.length;
    }
    this.#fillKernel();
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
  }

  end(): void {
    this.#ending = true;
    this.#fillKernel();
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.#queued = [];
    this.#queuedBytes = 0;
    if (this.#inbound.some((event) => event !== 'end')) this.#sendReset();
    this.#inbound = [];
    this.#closeDue ??= { error: null };
  }

  /** What the kernel has, the peer still gets. */
  reset(): void {
    if (this.destroyed) return;
    this.resetSent = true;
    this.#inbound = [];
    this.destroy();
  }

  // The test's side.

  get paused(): boolean {
    return this.#paused;
  }

  /** `onClose` was told. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Bytes that the peer sent and the core has not read. */
  get unreadBytes(): number {
    return this.#inbound.reduce((sum, event) => sum + (event === 'end' ? 0 : event.length), 0);
  }

  /** The connection is established: `onOpen`. */
  establish(): void {
    this.#openDue = true;
  }

  /** One read of the core. */
  send(bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (this.destroyed) this.#sendReset();
    else this.#inbound.push(Buffer.from(bytes));
  }

  /** The peer's FIN. */
  sendEnd(): void {
    if (!this.destroyed) this.#inbound.push('end');
  }

  /** The connection breaks; with an error, or as if closed in order. */
  break(error: Error | null = new Error('ECONNRESET')): void {
    this.#closeDue ??= { error };
    this.destroyed = true;
  }

  /** What the peer reads now. */
  take(): Buffer {
    const taken = Buffer.concat(this.#kernel);
    this.#kernel = [];
    this.#kernelBytes = 0;
    this.#fillKernel();
    return taken;
  }

  get takeableBytes(): number {
    return this.#kernelBytes;
  }

  /** Delivers at most one event to the core. False: there was none. */
  pump(): boolean {
    const handler = this.#handler;
    if (handler === null || this.#closed) return false;
    if (this.#closeDue !== null) {
      this.#closed = true;
      handler.onClose(this.#closeDue.error);
      return true;
    }
    if (this.#openDue) {
      this.#openDue = false;
      handler.onOpen();
      return true;
    }
    if (this.#drainDue) {
      this.#drainDue = false;
      handler.onDrain();
      return true;
    }
    if (this.#paused) return false;
    const event = this.#inbound.shift();
    if (event === undefined) return false;
    if (event === 'end') {
      this.#peerEnded = true;
      handler.onEnd();
    } else {
      handler.onBytes(event, this.lends);
      if (this.lends) event.fill(WIPED);
    }
    this.#closeIfBothEnded();
    return true;
  }

  #fillKernel(): void {
    while (this.#queued.length > 0 && this.#kernelBytes < this.capacityBytes) {
      const { bytes, asWritten } = this.#queued[0]!;
      if (!bytes.equals(asWritten)) throw new Error('bytes were written to while they were queued in the wire');
      const taken = Math.min(bytes.length, this.capacityBytes - this.#kernelBytes);
      if (taken > 0) this.#kernel.push(Buffer.from(asWritten.subarray(0, taken)));
      this.#kernelBytes += taken;
      this.#queuedBytes -= taken;
      if (taken === bytes.length) this.#queued.shift();
      else this.#queued[0] = { bytes: bytes.subarray(taken), asWritten: asWritten.subarray(taken) };
      if (this.#queuedBytes === 0 && this.#wasQueued) {
        this.#wasQueued = false;
        this.#drainDue = true;
      }
    }
    if (this.#queuedBytes > 0) this.#wasQueued = true;
    if (this.#ending && this.#queuedBytes === 0) {
      this.ended = true;
      this.#closeIfBothEnded();
    }
  }

  #closeIfBothEnded(): void {
    if (!this.ended || !this.#peerEnded) return;
    this.destroyed = true;
    this.#closeDue ??= { error: null };
  }

  #sendReset(): void {
    this.resetSent = true;
    this.#kernel = [];
    this.#kernelBytes = 0;
  }
}
