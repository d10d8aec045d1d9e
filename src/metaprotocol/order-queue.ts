/** OrderQueue: whose answer is next on a connection that answers in order, and what is parked until its turn. */
import type { ResponseMessage, Trailers } from './message.ts';
import type { LiveStream } from './stream.ts';

export type ParkedPiece =
  | { readonly kind: 'head'; readonly response: ResponseMessage; readonly stream: LiveStream }
  | {
      readonly kind: 'data';
      readonly chunk: Buffer;
      readonly end: boolean;
      readonly received: number;
      readonly stream: LiveStream;
    }
  | { readonly kind: 'trailers'; readonly trailers: Trailers; readonly stream: LiveStream };

/** Head objects weigh at least this, whatever their text is. */
const PIECE_BYTES = 64;

export class OrderQueue {
  /** Kept frames and chunks that wait for their turn. */
  parkedBytes = 0;
  /** Ids in the order of their requests. */
  readonly #turns: number[] = [];
  readonly #waiting = new Set<number>();
  readonly #parked = new Map<number, ParkedPiece[]>();

  get size(): number {
    return this.#waiting.size;
  }

  push(id: number): void {
    this.#turns.push(id);
    this.#waiting.add(id);
  }

  has(id: number): boolean {
    return this.#waiting.has(id);
  }

  /** Is it this stream's turn, with nothing of its own parked before? */
  mayWrite(id: number): boolean {
    return this.#front() === id && !this.#parked.has(id);
  }

  park(id: number, piece: ParkedPiece): void {
    this.parkedBytes += weight(piece);
    const pieces = this.#parked.get(id);
    if (pieces === undefined) this.#parked.set(id, [piece]);
    else pieces.push(piece);
  }

  /** The next parked piece whose turn it is, or null. */
  next(): ParkedPiece | null {
    const id = this.#front();
    if (id === undefined) return null;
    const pieces = this.#parked.get(id);
    const piece = pieces?.shift();
    if (pieces === undefined || piece === undefined) return null;
    if (pieces.length === 0) this.#parked.delete(id);
    this.parkedBytes -= weight(piece);
    return piece;
  }

  /** This answer is written in full. */
  shift(id: number): void {
    this.#waiting.delete(id);
  }

  /** This stream is never answered. */
  drop(id: number): void {
    this.#waiting.delete(id);
    for (const piece of this.#parked.get(id) ?? []) this.parkedBytes -= weight(piece);
    this.#parked.delete(id);
  }

  #front(): number | undefined {
    // Turns that are over leave here, in order.
    while (this.#turns.length > 0 && !this.#waiting.has(this.#turns[0]!)) this.#turns.shift();
    return this.#turns[0];
  }
}

function weight(piece: ParkedPiece): number {
  if (piece.kind === 'head') return PIECE_BYTES + (piece.response.raw?.length ?? 0);
  return PIECE_BYTES + (piece.kind === 'data' ? piece.chunk.length : 0);
}
