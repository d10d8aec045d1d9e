/** BodyWriter: writes one body as its head announced it. Chunks are never merged or held back. */
import type { Output } from '../../metaprotocol/codec.ts';
import type { Trailers } from '../../metaprotocol/message.ts';
import { writeText } from './fields.ts';
import { Http1Trailers } from './message.ts';
import { CRLF, Framing } from './wire.ts';

/** From here on a chunk that nobody reuses is passed by reference. */
const VIEW_BYTES = 16_384;
const LAST_CHUNK = Buffer.from('0\r\n\r\n');

export class BodyWriter {
  readonly #out: Output;
  #framing: Framing = Framing.None;
  #left = 0;

  constructor(out: Output) {
    this.#out = out;
  }

  start(framing: Framing, contentLength: number): void {
    this.#framing = framing;
    this.#left = contentLength;
  }

  /** Throws if the body is not as long as its head said: the peer would read what follows as something else. */
  data(chunk: Buffer, end: boolean, lent: boolean): void {
    if (chunk.length > 0) {
      switch (this.#framing) {
        case Framing.None:
          throw new Error(`http1: ${chunk.length} body bytes of a message without a body`);
        case Framing.Length:
          if (chunk.length > this.#left) {
            throw new Error(`http1: ${chunk.length - this.#left} body bytes more than Content-Length`);
          }
          this.#left -= chunk.length;
          this.#write(chunk, lent);
          break;
        case Framing.Chunked:
          writeText(this.#out, `${chunk.length.toString(16)}\r\n`);
          this.#write(chunk, lent);
          this.#out.append(CRLF, 0, CRLF.length);
          break;
        case Framing.UntilClose:
          this.#write(chunk, lent);
          break;
      }
    }
    if (!end) return;
    if (this.#framing === Framing.Chunked) this.#out.append(LAST_CHUNK, 0, LAST_CHUNK.length);
    else if (this.#framing === Framing.Length && this.#left > 0) {
      throw new Error(`http1: ${this.#left} body bytes fewer than Content-Length`);
    }
  }

  trailers(trailers: Trailers): void {
    if (this.#framing !== Framing.Chunked) {
      this.data(CRLF.subarray(0, 0), true, false);
      return;
    }
    writeText(this.#out, '0\r\n');
    if (trailers instanceof Http1Trailers) trailers.fields.write(this.#out, -1, '\r\n');
    else this.#out.append(CRLF, 0, CRLF.length);
  }

  #write(chunk: Buffer, lent: boolean): void {
    if (lent || chunk.length < VIEW_BYTES) this.#out.append(chunk, 0, chunk.length);
    else this.#out.view(chunk);
  }
}
