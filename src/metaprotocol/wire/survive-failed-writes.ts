/**
 * Makes a socket, TLS or not, read on after a failed write. A server that answers early and closes resets the connection under the
 * rest of the request; its answer is in the kernel all the same and must be read.
 */
import type { Socket } from 'node:net';

type Callback = (error?: Error | null) => void;
type Chunks = Parameters<NonNullable<Socket['_writev']>>[0];

export function surviveFailedWrites(socket: Socket): void {
  const write = socket._write;
  const writev = socket._writev!;
  /** Of the one write that runs. */
  let callback: Callback = () => {};
  let isDeaf = false;
  // Reading will tell: what is there comes first, then the end or the error.
  const onWritten: Callback = (error) => {
    const code = (error as NodeJS.ErrnoException | null | undefined)?.code;
    isDeaf = code === 'ECONNRESET' || code === 'EPIPE';
    callback(isDeaf ? null : error);
  };
  socket._write = (chunk: Buffer, encoding: BufferEncoding, done: Callback): void => {
    if (isDeaf) {
      done();
      return;
    }
    callback = done;
    write.call(socket, chunk, encoding, onWritten);
  };
  socket._writev = (chunks: Chunks, done: Callback): void => {
    if (isDeaf) {
      done();
      return;
    }
    callback = done;
    writev.call(socket, chunks, onWritten);
  };
}
