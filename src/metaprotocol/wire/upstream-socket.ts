/**
 * UpstreamSocket: a socket whose failed writes do not end its reads. A server that answers early and closes resets the connection
 * under the rest of the request; its answer is in the kernel all the same and must be read.
 */
import net from 'node:net';

type Callback = (error?: Error | null) => void;

export class UpstreamSocket extends net.Socket {
  /** Of the one write that runs. */
  #callback: Callback = () => {};
  #deaf = false;

  override _write(chunk: Buffer, encoding: BufferEncoding, callback: Callback): void {
    if (this.#deaf) {
      callback();
      return;
    }
    this.#callback = callback;
    super._write(chunk, encoding, this.#onWritten);
  }

  override _writev(chunks: { chunk: Buffer; encoding: BufferEncoding }[], callback: Callback): void {
    if (this.#deaf) {
      callback();
      return;
    }
    this.#callback = callback;
    super._writev!(chunks, this.#onWritten);
  }

  /** Reading will tell: what is there comes first, then the end or the error. */
  readonly #onWritten: Callback = (error) => {
    const code = (error as NodeJS.ErrnoException | null | undefined)?.code;
    this.#deaf = code === 'ECONNRESET' || code === 'EPIPE';
    this.#callback(this.#deaf ? null : error);
  };
}
