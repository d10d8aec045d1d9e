/** Listener: an open socket and the connections that came in by it. Which listener description it serves is the runtime's to say. */
import net from 'node:net';
import { addressOf } from '../address.ts';
import type { Address, ConnectionInfo, Direction, TlsPeer } from '../filter.ts';
import type { ReadBuffer } from '../wire/read-buffer.ts';
import { acceptedWire } from '../wire/socket-wire.ts';
import type { Wire } from '../wire/wire.ts';

/** What is known of a connection before a chain is chosen. */
export interface AcceptContext {
  readonly source: Address;
  /** null: the listener's service address. */
  readonly originalDestination: Address | null;
  readonly direction?: Direction;
  readonly tls?: TlsPeer | null;
}

export type AcceptHandler = (wire: Wire, context: AcceptContext) => void;

const BACKLOG = 4_096;

/** Closing a socket resets what the kernel has accepted for it: that is taken in first. Each poll of the event loop takes one. */
export async function acceptQueued(sockets: readonly BoundSocket[]): Promise<void> {
  const accepted = () => sockets.reduce((sum, socket) => sum + socket.accepted, 0);
  for (let polls = 0, idle = 0; idle < 2 && polls < BACKLOG; polls++) {
    const before = accepted();
    await new Promise((resolve) => setImmediate(resolve));
    idle = accepted() === before ? idle + 1 : 0;
  }
}

/** A bound address. Connections that come before `serve` wait in order. */
export class BoundSocket {
  readonly bind: Address;
  /** Connections so far. */
  accepted = 0;
  readonly #server: net.Server;
  readonly #buffer: ReadBuffer;
  #handler: AcceptHandler | null = null;
  #early: net.Socket[] = [];

  private constructor(bind: Address, server: net.Server, buffer: ReadBuffer) {
    this.bind = bind;
    this.#server = server;
    this.#buffer = buffer;
    server.on('connection', (socket: net.Socket) => {
      this.accepted++;
      if (this.#handler === null) this.#early.push(socket);
      else this.#accept(socket);
    });
  }

  /** Rejects with the system's error if the address cannot be bound. */
  static open(bind: Address, buffer: ReadBuffer, reusePort: boolean): Promise<BoundSocket> {
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: bind.host, port: bind.port, backlog: BACKLOG, reusePort }, () => {
        server.off('error', reject);
        resolve(new BoundSocket(bind, server, buffer));
      });
    });
  }

  /** The port that was bound, where 0 was asked for. */
  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  serve(handler: AcceptHandler): void {
    this.#handler = handler;
    for (const socket of this.#early.splice(0)) this.#accept(socket);
  }

  /** No new connections; those accepted go on. */
  close(): void {
    this.#server.close();
    for (const socket of this.#early.splice(0)) socket.destroy();
  }

  #accept(socket: net.Socket): void {
    const { remoteAddress, remotePort } = socket;
    // It was gone before it was looked at.
    if (remoteAddress === undefined || remotePort === undefined) {
      socket.destroy();
      return;
    }
    const source = { host: remoteAddress, port: remotePort };
    this.#handler!(acceptedWire(socket, this.#buffer), { source, originalDestination: null });
  }
}

/** Numbers connections and completes what is known of them. */
export class ConnectionInfos {
  #next = 1;

  of(
    listener: { name: string; serviceAddress: Address; direction: Direction },
    context: AcceptContext,
  ): ConnectionInfo {
    return {
      id: this.#next++,
      source: context.source,
      sourceText: addressOf(context.source),
      originalDestination: context.originalDestination ?? listener.serviceAddress,
      direction: context.direction ?? listener.direction,
      listener: listener.name,
      tls: context.tls ?? null,
    };
  }
}
