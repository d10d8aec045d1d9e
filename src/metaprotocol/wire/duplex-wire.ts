/** DuplexWire: a wire over any duplex stream of Node: TLS sockets, pipes of tests. */
import type { Duplex } from 'node:stream';
import type { Wire, WireHandler } from './wire.ts';

export class DuplexWire implements Wire {
  readonly #duplex: Duplex;
  #handler: WireHandler | null = null;
  #error: Error | null = null;
  #closed = false;
  #wasQueued = false;
  readonly #onWritten = (error?: Error | null): void => {
    if (error || !this.#wasQueued || this.#duplex.writableLength > 0) return;
    this.#wasQueued = false;
    this.onDrain();
  };

  constructor(duplex: Duplex) {
    this.#duplex = duplex;
    duplex.on('error', (error: Error) => {
      this.#error = error;
    });
    duplex.on('close', () => {
      this.#closed = true;
      this.#handler?.onClose(this.#error);
    });
  }

  open(handler: WireHandler): void {
    this.#handler = handler;
    const duplex = this.#duplex;
    if (this.#closed) {
      queueMicrotask(() => handler.onClose(this.#error));
      return;
    }
    duplex.on('end', () => handler.onEnd());
    this.listen(duplex);
  }

  /** Subscribes to bytes; sockets with a shared read buffer get them by `deliver` instead. */
  protected listen(duplex: Duplex): void {
    duplex.on('data', (chunk: Buffer) => this.deliver(chunk, false));
  }

  protected deliver(chunk: Buffer, lent: boolean): void {
    this.#handler?.onBytes(chunk, lent);
  }

  onDrain(): void {
    this.#handler?.onDrain();
  }

  write(parts: readonly Buffer[]): void {
    const duplex = this.#duplex;
    const last = parts.length - 1;
    if (last > 0) {
      duplex.cork();
      for (let index = 0; index < last; index++) duplex.write(parts[index]!);
    }
    duplex.write(parts[last]!, this.#onWritten);
    if (last > 0) duplex.uncork();
    if (duplex.writableLength > 0) this.#wasQueued = true;
  }

  get queuedBytes(): number {
    return this.#duplex.writableLength;
  }

  pause(): void {
    this.#duplex.pause();
  }

  resume(): void {
    this.#duplex.resume();
  }

  end(): void {
    this.#duplex.end();
  }

  destroy(): void {
    this.#duplex.destroy();
  }

  /** TLS that ends without its close_notify says enough. */
  reset(): void {
    this.destroy();
  }

  detach(): Duplex {
    this.#duplex.pause();
    this.#duplex.removeAllListeners('data');
    return this.#duplex;
  }
}
