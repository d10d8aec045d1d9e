/** Wire: a byte stream as the core needs it. socket-wire.ts has it over sockets, duplex-wire.ts over other streams, tests in memory. */
import type { Duplex } from 'node:stream';
import type { Address } from '../filter.ts';

/** Told of what happens on a wire. Never called from inside a call to the wire itself, but for `open`. */
export interface WireHandler {
  /** Upstream only, once: connected (and secure). */
  onOpen(): void;
  /** `lent`: the buffer is reused as soon as this returns. */
  onBytes(chunk: Buffer, lent: boolean): void;
  /** The peer's FIN, at most once. Writing may go on. */
  onEnd(): void;
  /** `queuedBytes` fell to 0 after it was not: buffers that were written are their owner's again. */
  onDrain(): void;
  /** Once, and the last call. `error` null: it ended in order, or was destroyed by us. */
  onClose(error: Error | null): void;
}

export interface Wire {
  /** Attaches the one handler and starts reading. */
  open(handler: WireHandler): void;
  /** Takes all parts, in one system call where it can. The buffers are the wire's until `queuedBytes` is 0. */
  write(parts: readonly Buffer[]): void;
  /** Bytes taken by `write` and not yet by the kernel. */
  readonly queuedBytes: number;
  pause(): void;
  resume(): void;
  /** FIN behind what was written. */
  end(): void;
  /** Closes at once and forgets what is queued. */
  destroy(): void;
  /** The same, so that the peer sees that it does not have all (RST), where the stream can say so: a FIN says that it has. */
  reset(): void;
  /**
   * Gives away the stream below, paused: nothing is read here any more, and whoever has it closes it. TLS is spoken over the stream
   * itself, so that no byte takes a detour. Absent: there is none.
   */
  detach?(): Duplex;
}

/** Opens upstream wires. Failures arrive as `onClose(error)` before any `onOpen`. */
export interface Connector {
  connect(to: Address): Wire;
}
