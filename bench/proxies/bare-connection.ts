/** What the least proxies are made of: the mesh's own sockets, outputs and flushes, with nothing above them. */
import net, { type AddressInfo } from 'node:net';
import { type Flushable, Flusher, SlabOutput, SlabPool } from '../../src/metaprotocol/wire/output.ts';
import { ReadBuffer } from '../../src/metaprotocol/wire/read-buffer.ts';
import { acceptedWire, SocketConnector } from '../../src/metaprotocol/wire/socket-wire.ts';
import type { Wire, WireHandler } from '../../src/metaprotocol/wire/wire.ts';

const host = '127.0.0.1';
const reads = new ReadBuffer();
const slabs = new SlabPool();
const flusher = new Flusher();
const connector = new SocketConnector(reads);

export class BareConnection implements WireHandler, Flushable {
  readonly output = new SlabOutput(slabs, () => flusher.add(this));
  readonly #wire: Wire;
  readonly #onBytes: (chunk: Buffer) => void;
  readonly #onClose: () => void;

  constructor(wire: Wire, onBytes: (chunk: Buffer) => void, onClose: () => void) {
    this.#wire = wire;
    this.#onBytes = onBytes;
    this.#onClose = onClose;
    this.output.attach(wire);
    wire.open(this);
  }

  onOpen(): void {}

  onBytes(chunk: Buffer): void {
    this.#onBytes(chunk);
  }

  onEnd(): void {
    this.#wire.destroy();
  }

  onDrain(): void {
    this.output.onDrain();
  }

  onClose(): void {
    this.output.release();
    this.#onClose();
  }

  flush(): void {
    this.output.flush();
  }

  close(): void {
    this.#wire.destroy();
  }
}

export function connectTo(port: number): Wire {
  return connector.connect({ host, port });
}

/** Listens on a free port, which the parent process is told, and ends with the parent. */
export function serve(onCaller: (wire: Wire) => void): void {
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) =>
    onCaller(acceptedWire(socket, reads)),
  );
  server.listen(0, host, () => process.send?.({ port: (server.address() as AddressInfo).port }));
  process.on('disconnect', () => process.exit());
}
