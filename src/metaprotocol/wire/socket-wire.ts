/** Wires over Node's sockets, which read into the worker's shared buffer. */
import net from 'node:net';
import type { Duplex } from 'node:stream';
import type { Address } from '../filter.ts';
import { DuplexWire } from './duplex-wire.ts';
import type { ReadBuffer } from './read-buffer.ts';
import { type HandleOwner, SocketHandle } from './socket-handle.ts';
import { surviveFailedWrites } from './survive-failed-writes.ts';
import type { Connector, Wire, WireHandler } from './wire.ts';

/** Of a connection that is gone in both directions. */
const RESET_CODES: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE']);

/** A socket made with `onread`, TLS or not; it needs the wire first. */
export class SharedReadWire extends DuplexWire {
  readonly #buffer: ReadBuffer;

  constructor(socket: net.Socket, buffer: ReadBuffer) {
    super(socket);
    this.#buffer = buffer;
  }

  protected override listen(socket: Duplex): void {
    // With `onread` there is no 'data' event; reading starts when the stream flows.
    socket.resume();
  }

  onRead(length: number): void {
    this.deliver(this.#buffer.view(length), true);
  }
}

/** The `onread` option of a socket whose wire is made behind it. */
export function readsInto(buffer: ReadBuffer, wire: () => SharedReadWire | null): net.OnReadOpts {
  return {
    buffer: buffer.bytes,
    callback: (length) => {
      wire()?.onRead(length);
      return true;
    },
  };
}

/** A plain socket: once it is connected, its bytes pass by its handle. */
class PlainSocketWire extends SharedReadWire implements HandleOwner {
  protected readonly socket: net.Socket;
  /** While it is there the stream has nothing to write. */
  #handle: SocketHandle | null = null;

  constructor(socket: net.Socket, buffer: ReadBuffer) {
    super(socket, buffer);
    this.socket = socket;
    if (!socket.connecting) this.takeHandle();
  }

  protected takeHandle(): void {
    // What the stream has goes first, and so does all that follows.
    if (this.socket.writableLength === 0) this.#handle = SocketHandle.of(this.socket, this);
  }

  override write(parts: readonly Buffer[]): void {
    if (this.#handle?.write(parts) === true) return;
    // The stream meets the same error, and knows what follows from it.
    this.#handle = null;
    super.write(parts);
  }

  onWriteFailed(code: string, parts: readonly Buffer[]): void {
    this.#handle = null;
    if (this.socket.destroyed) return;
    // A connection that was reset takes nothing any more, from the stream neither.
    if (RESET_CODES.has(code)) super.write(parts);
    else this.socket.destroy(Object.assign(new Error(`write ${code}`), { code }));
  }

  override get queuedBytes(): number {
    return this.#handle === null ? super.queuedBytes : this.#handle.pendingBytes;
  }

  override reset(): void {
    // Behind a FIN there is nothing to reset, and libuv refuses to.
    if (this.socket.writableEnded) this.destroy();
    else this.socket.resetAndDestroy();
  }

  override detach(): Duplex {
    this.#handle?.release();
    this.#handle = null;
    return super.detach();
  }
}

/**
 * Takes an accepted socket over into one that reads into the shared buffer. `net.createServer` has no `onread` option, so the
 * handle moves to a new socket; the server must have `pauseOnConnect`. Where the handle is not a plain one, reads stay ordinary.
 */
export function acceptedWire(accepted: net.Socket, buffer: ReadBuffer): Wire {
  const holder = accepted as unknown as { _handle: unknown };
  const handle = holder._handle;
  if (handle === null || handle === undefined) return new DuplexWire(accepted);
  holder._handle = null;
  let wire: SharedReadWire | null = null;
  const options = { handle, allowHalfOpen: true, onread: readsInto(buffer, () => wire) };
  const socket = new net.Socket(options as unknown as net.SocketConstructorOpts);
  socket.setNoDelay(true);
  wire = new PlainSocketWire(socket, buffer);
  return wire;
}

/** Opens plain TCP connections that read into the shared buffer. */
export class SocketConnector implements Connector {
  readonly #buffer: ReadBuffer;

  constructor(buffer: ReadBuffer) {
    this.#buffer = buffer;
  }

  connect(to: Address): Wire {
    let wire: ConnectingWire | null = null;
    const options = { allowHalfOpen: true, noDelay: true, onread: readsInto(this.#buffer, () => wire) };
    const socket = new net.Socket(options as unknown as net.SocketConstructorOpts);
    surviveFailedWrites(socket);
    socket.connect({ host: to.host, port: to.port });
    wire = new ConnectingWire(socket, this.#buffer);
    return wire;
  }
}

class ConnectingWire extends PlainSocketWire {
  override open(handler: WireHandler): void {
    this.socket.once('connect', () => {
      this.takeHandle();
      handler.onOpen();
    });
    super.open(handler);
  }
}
