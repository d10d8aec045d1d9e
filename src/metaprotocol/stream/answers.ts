/**
 * Answers: what goes back to one caller, written to its codec when it is its turn. Keeps the order of requests where the
 * protocol needs it, owes the upstream its credit, and knows which requests were answered before they ended.
 */
import type { ServerCodec } from '../codec.ts';
import { Reset } from '../codec.ts';
import type { GuardedCodec } from '../guarded-codec.ts';
import type { RequestMessage, ResponseMessage, Trailers } from '../message.ts';
import { Flag } from '../message.ts';
import type { ParkedPiece } from '../order-queue.ts';
import { OrderQueue } from '../order-queue.ts';
import type { ProxyStatus } from '../status.ts';
import { Status, statusOf } from '../status.ts';
import type { LiveStream } from '../stream.ts';
import type { SlabOutput } from '../wire/output.ts';

/** The connection, as its answers need it. */
export interface AnswersOwner {
  readonly closed: boolean;
  /** Something waits: the limits are to be looked at, at the end of the turn. */
  onParked(): void;
  /** All of this stream's answer was given to the codec. */
  onAnswerWritten(id: number): void;
  /** The caller was told of a tunnel: its bytes may flow. */
  onTunnel(): void;
  /** The codec wants the connection closed behind what is written. */
  closeBehindAnswers(): void;
  /** Counted and logged; the connection goes on. */
  onDefect(where: string, error: unknown): void;
  /** The codec is not to be trusted with new streams. */
  drain(): void;
  /** Nothing works any more. */
  closeDefective(where: string, error: unknown): void;
}

export class Answers {
  readonly #codec: ServerCodec;
  readonly #guarded: GuardedCodec;
  readonly #output: SlabOutput;
  readonly #owner: AnswersOwner;
  readonly #order: OrderQueue | null;
  /** Bytes that the codec took with `false`, by stream: credited when it is writable. */
  readonly #owedCredit = new Map<number, number>();
  /** Streams whose answer ended before their request: the codec says what becomes of the rest. */
  readonly #unfinished = new Set<number>();

  constructor(
    codec: ServerCodec,
    guarded: GuardedCodec,
    output: SlabOutput,
    replies: 'in-order' | 'any-order',
    owner: AnswersOwner,
  ) {
    this.#codec = codec;
    this.#guarded = guarded;
    this.#output = output;
    this.#owner = owner;
    this.#order = replies === 'in-order' ? new OrderQueue() : null;
  }

  /** Answers that wait for their turn. */
  get waiting(): number {
    return this.#order?.size ?? 0;
  }

  get parkedBytes(): number {
    return this.#order?.parkedBytes ?? 0;
  }

  /** A request came that will be answered, in this order. */
  expect(id: number): void {
    this.#order?.push(id);
  }

  /** Is its answer still to be written, because others come first? */
  isWaiting(id: number): boolean {
    return this.#order?.has(id) === true;
  }

  /** Its answer will not come, or not go on. */
  drop(id: number): void {
    this.#order?.drop(id);
  }

  /** False: the codec failed and the stream was ended. */
  head(stream: LiveStream, response: ResponseMessage): boolean {
    if (this.#mustPark(stream.id)) {
      response.keep();
      this.#park({ kind: 'head', response, stream });
      return true;
    }
    if (!this.#encode(stream, response)) return false;
    if ((response.flags & (Flag.End | Flag.Informational)) === Flag.End) this.#onWritten(stream.id);
    return true;
  }

  /** True: taken, the upstream may be credited now. */
  data(stream: LiveStream, chunk: Buffer, end: boolean, lent: boolean, received: number): boolean {
    if (this.#mustPark(stream.id)) {
      this.#park({ kind: 'data', chunk: lent ? Buffer.from(chunk) : chunk, end, received, stream });
      return false;
    }
    const taken = this.#guarded.data(stream.id, chunk, end, lent);
    if (!taken) this.#owe(stream.id, received);
    if (end) this.#onWritten(stream.id);
    return taken;
  }

  trailers(stream: LiveStream, trailers: Trailers): void {
    if (this.#mustPark(stream.id)) {
      this.#park({ kind: 'trailers', trailers, stream });
      return;
    }
    this.#guarded.trailers(stream.id, trailers);
    this.#onWritten(stream.id);
  }

  /** A head that answers no request. */
  push(head: ResponseMessage): void {
    this.#encode(null, head);
  }

  /** A local reply in the caller's protocol; null: the codec failed at that too and the connection is closed. */
  localReply(status: ProxyStatus, request: RequestMessage): ResponseMessage | null {
    try {
      return this.#codec.reply(status, request);
    } catch (error) {
      this.#owner.closeDefective('reply', error);
      return null;
    }
  }

  /** The same for the calls of a run that were not answered. */
  replyRest(status: ProxyStatus, request: RequestMessage): Buffer | null {
    try {
      return this.#codec.replyRest!(status, request);
    } catch (error) {
      this.#owner.closeDefective('replyRest', error);
      return null;
    }
  }

  /** The codec has room for this stream again: what it took is credited. */
  onWritable(id: number, stream: LiveStream | undefined): void {
    const bytes = this.#owedCredit.get(id);
    if (bytes === undefined) return;
    this.#owedCredit.delete(id);
    stream?.creditUpstream(bytes);
  }

  /** Its answer ended, or is parked to its end, and its request has not. */
  onUnfinished(id: number): void {
    this.#unfinished.add(id);
    this.#settleUnfinished(id);
  }

  /** Writes what is parked and may go now; a loop, since thousands may wait. */
  writeParked(): void {
    const order = this.#order;
    if (order === null || this.#owner.closed) return;
    for (let piece = order.next(); piece !== null && !this.#owner.closed; piece = order.next()) {
      if (!this.#write(piece)) continue;
      const { id } = piece.stream;
      order.shift(id);
      this.#owner.onAnswerWritten(id);
      this.#settleUnfinished(id);
    }
  }

  /** True: this was the last piece of its answer. */
  #write(piece: ParkedPiece): boolean {
    const { stream } = piece;
    switch (piece.kind) {
      case 'head':
        if (!this.#encode(stream, piece.response)) return false;
        return (piece.response.flags & (Flag.End | Flag.Informational)) === Flag.End;
      case 'data':
        if (this.#guarded.data(stream.id, piece.chunk, piece.end, false)) stream.creditUpstream(piece.received);
        else this.#owe(stream.id, piece.received);
        return piece.end;
      case 'trailers':
        this.#guarded.trailers(stream.id, piece.trailers);
        return true;
    }
  }

  #mustPark(id: number): boolean {
    return this.#order !== null && !this.#order.mayWrite(id);
  }

  #park(piece: ParkedPiece): void {
    this.#order!.park(piece.stream.id, piece);
    this.#owner.onParked();
  }

  #onWritten(id: number): void {
    if (this.#order === null) return;
    this.#order.shift(id);
    this.#owner.onAnswerWritten(id);
    this.writeParked();
  }

  #owe(id: number, bytes: number): void {
    this.#owedCredit.set(id, (this.#owedCredit.get(id) ?? 0) + bytes);
  }

  /** The answer is out and the request is not: HTTP/2 resets the stream, HTTP/1 closes and lingers. */
  #settleUnfinished(id: number): void {
    if (this.isWaiting(id) || !this.#unfinished.delete(id)) return;
    if (this.#guarded.reset(id, Status.no_error) === Reset.Close) this.#owner.closeBehindAnswers();
  }

  /** All or nothing. A stream whose answer cannot be encoded fails alone, and the connection drains. */
  #encode(stream: LiveStream | null, response: ResponseMessage): boolean {
    this.#output.mark();
    try {
      this.#codec.encode(stream?.id ?? 0, response, stream?.request ?? null);
      if ((response.flags & Flag.Tunnel) !== 0) this.#owner.onTunnel();
      return true;
    } catch (error) {
      this.#output.rollback();
      this.#owner.onDefect('encode', error);
    }
    this.#owner.drain();
    if (stream === null) return false;
    const status = statusOf(Status.internal_error, 'the answer could not be encoded');
    const reply = this.localReply(status, stream.request);
    if (reply === null) return false;
    this.#output.mark();
    try {
      this.#codec.encode(stream.id, reply, stream.request);
      this.#onWritten(stream.id);
      stream.abort(status);
    } catch (error) {
      this.#output.rollback();
      this.#owner.closeDefective('encode', error);
    }
    return false;
  }
}
