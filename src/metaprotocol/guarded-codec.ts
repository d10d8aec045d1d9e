/**
 * GuardedCodec: calls on a codec that begin on the other side of a stream, in a timer or in a flush. What it throws there is
 * told to its own connection, which closes; whoever made the call notices nothing. `encode`, `decode` and `reply` are not
 * here: their failures have consequences of their own.
 */
import type { Codec, ServerCodec } from './codec.ts';
import { Reset } from './codec.ts';
import type { Trailers } from './message.ts';
import type { ProxyStatus } from './status.ts';

export class GuardedCodec {
  readonly #codec: Codec;
  readonly #onDefect: (where: string, error: unknown) => void;

  /** `onDefect` closes the connection before it returns. */
  constructor(codec: Codec, onDefect: (where: string, error: unknown) => void) {
    this.#codec = codec;
    this.#onDefect = onDefect;
  }

  start(): void {
    try {
      this.#codec.start();
    } catch (error) {
      this.#onDefect('start', error);
    }
  }

  peerEnded(): void {
    try {
      this.#codec.peerEnded();
    } catch (error) {
      this.#onDefect('peerEnded', error);
    }
  }

  pause(): void {
    try {
      this.#codec.pause();
    } catch (error) {
      this.#onDefect('pause', error);
    }
  }

  resume(): void {
    try {
      this.#codec.resume();
    } catch (error) {
      this.#onDefect('resume', error);
    }
  }

  credit(id: number, bytes: number): void {
    try {
      this.#codec.credit(id, bytes);
    } catch (error) {
      this.#onDefect('credit', error);
    }
  }

  data(id: number, chunk: Buffer, end: boolean, lent: boolean): boolean {
    try {
      return this.#codec.data(id, chunk, end, lent);
    } catch (error) {
      this.#onDefect('data', error);
      return true;
    }
  }

  trailers(id: number, trailers: Trailers): boolean {
    try {
      return this.#codec.trailers(id, trailers);
    } catch (error) {
      this.#onDefect('trailers', error);
      return true;
    }
  }

  room(): void {
    try {
      this.#codec.room();
    } catch (error) {
      this.#onDefect('room', error);
    }
  }

  reset(id: number, status: ProxyStatus): Reset {
    try {
      return this.#codec.reset(id, status);
    } catch (error) {
      this.#onDefect('reset', error);
      return Reset.Done;
    }
  }

  goAway(): void {
    try {
      this.#codec.goAway();
    } catch (error) {
      this.#onDefect('goAway', error);
    }
  }

  refuseHead(codec: ServerCodec, status: ProxyStatus): void {
    try {
      codec.refuseHead?.(status);
    } catch (error) {
      this.#onDefect('refuseHead', error);
    }
  }

  keepalive(): void {
    try {
      this.#codec.keepalive();
    } catch (error) {
      this.#onDefect('keepalive', error);
    }
  }
}
