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

/** Turns that are over are cut off when there are this many, and more than of those to come. */
const CUT_TURNS = 64;

export class OrderQueue {
  /** Kept frames and chunks that wait for their turn. */
  parkedBytes = 0;
  /** Ids in the order of their requests; those before #head are over. */
  readonly #turns: number[] = [];
  #head = 0;
  /** Over before it was their turn. */
  readonly #over = new Set<number>();
  readonly #parked = new Map<number, ParkedPiece[]>();

  get size(): number {
    return this.#turns.length - this.#head - this.#over.size;
  }

  push(id: number): void {
    this.#turns.push(id);
  }

  has(id: number): boolean {
    return !this.#over.has(id) && this.#turns.indexOf(id, this.#head) >= 0;
  }

  /** Is it this stream's turn, with nothing of its own parked before? */
  mayWrite(id: number): boolean {
    return this.#turns[this.#head] === id && (this.#parked.size === 0 || !this.#parked.has(id));
  }

  park(id: number, piece: ParkedPiece): void {
    this.parkedBytes += weight(piece);
    const pieces = this.#parked.get(id);
    if (pieces === undefined) this.#parked.set(id, [piece]);
    else pieces.push(piece);
  }

  /** The next parked piece whose turn it is, or null. */
  next(): ParkedPiece | null {
    const id = this.#turns[this.#head];
    if (id === undefined || this.#parked.size === 0) return null;
    const pieces = this.#parked.get(id);
    const piece = pieces?.shift();
    if (pieces === undefined || piece === undefined) return null;
    if (pieces.length === 0) this.#parked.delete(id);
    this.parkedBytes -= weight(piece);
    return piece;
  }

  /** This answer is written in full. */
  shift(id: number): void {
    if (this.#turns[this.#head] === id) this.#advance();
    else if (this.has(id)) this.#over.add(id);
  }

  /** This stream is never answered. */
  drop(id: number): void {
    this.shift(id);
    for (const piece of this.#parked.get(id) ?? []) this.parkedBytes -= weight(piece);
    this.#parked.delete(id);
  }

  /** To the next turn that is not over yet. */
  #advance(): void {
    this.#head++;
    while (this.#over.size > 0 && this.#over.delete(this.#turns[this.#head]!)) this.#head++;
    if (this.#head < CUT_TURNS || this.#head * 2 < this.#turns.length) return;
    this.#turns.splice(0, this.#head);
    this.#head = 0;
  }
}

function weight(piece: ParkedPiece): number {
  if (piece.kind === 'head') return PIECE_BYTES + (piece.response.rawBytes ?? piece.response.raw?.length ?? 0);
  return PIECE_BYTES + (piece.kind === 'data' ? piece.chunk.length : 0);
}
