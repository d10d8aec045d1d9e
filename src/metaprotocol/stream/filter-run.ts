/** FilterRun: takes the head, data and trailers of one direction of one stream through its filters, with pause and resume. */
import type { DirectionHooks, HeadHook } from '../chain.ts';
import type { Stream } from '../filter.ts';
import { FilterStatus } from '../filter.ts';
import type { Message, Trailers } from '../message.ts';

/** What `passHead` gives besides the index of the hook that a paused head goes on at. */
export const HEAD_PASSED = -1;
/** A hook answered or ended the stream. */
export const HEAD_OVER = -2;

/** Takes a head through its hooks, from index `from` on. Throws what a hook throws. */
export function passHead<M>(
  stream: Stream & { readonly ended: boolean },
  hooks: readonly HeadHook<M>[],
  head: M,
  from: number,
): number {
  const { response } = stream;
  for (let index = from; index < hooks.length; index++) {
    const status = hooks[index]!(stream, head);
    if (stream.ended || stream.response !== response) return HEAD_OVER;
    if (status === FilterStatus.Pause) return index + 1;
    if (status !== FilterStatus.Continue) throw unusable(status);
  }
  return HEAD_PASSED;
}

/** Taken for Continue, an `async` check of who asks would let everybody through. */
function unusable(result: unknown): TypeError {
  if (result === FilterStatus.Stop)
    return new TypeError('a hook returned Stop without an answer: what answers later returns Pause');
  const waiting = result as { catch?: (handler: () => void) => void } | null | undefined;
  // Its rejection would end the process.
  if (typeof waiting?.catch === 'function') waiting.catch(() => {});
  const what = typeof result === 'object' && result !== null ? `a ${result.constructor?.name}` : String(result);
  return new TypeError(
    `a hook returned ${what}, expected a FilterStatus: what waits returns Pause and calls stream.resume()`,
  );
}

/** What stands behind the filters of this direction. */
export interface RunTarget<M> {
  passHead(head: M): void;
  /** `received`: bytes of the peer's data that are spent with this chunk, to be credited when it is taken. */
  passData(chunk: Buffer, end: boolean, lent: boolean, received: number): void;
  passTrailers(trailers: Trailers): void;
  onPaused(): void;
  onResumed(): void;
  /** A filter threw: this stream fails, nothing else. */
  onFilterError(error: unknown): void;
}

/** Something that waits behind a paused filter. */
type Held =
  | {
      readonly kind: 'data';
      readonly chunk: Buffer;
      readonly end: boolean;
      readonly received: number;
      readonly from: number;
    }
  | { readonly kind: 'trailers'; readonly trailers: Trailers; readonly from: number };

export class FilterRun<M extends Message> {
  readonly #stream: Stream & { readonly ended: boolean };
  readonly #hooks: DirectionHooks<M>;
  readonly #target: RunTarget<M>;
  readonly #head: M;
  #paused = false;
  #stopped = false;
  /** Where the head goes on; -1: it has passed. */
  #headFrom = 0;
  #held: Held[] = [];

  constructor(stream: Stream & { readonly ended: boolean }, hooks: DirectionHooks<M>, target: RunTarget<M>, head: M) {
    this.#stream = stream;
    this.#hooks = hooks;
    this.#target = target;
    this.#head = head;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Runs the head from where it stands. */
  start(): void {
    let at: number;
    try {
      at = passHead(this.#stream, this.#hooks.head, this.#head, this.#headFrom);
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (this.#stopped || at === HEAD_OVER) return;
    if (at === HEAD_PASSED) {
      this.#headFrom = -1;
      this.#target.passHead(this.#head);
    } else this.halt(at);
  }

  /** The head passed some hooks before this run was made: a hook paused it, to go on at `at`. */
  halt(at: number): void {
    this.#headFrom = at;
    this.#pause();
  }

  data(chunk: Buffer, end: boolean, lent: boolean): void {
    if (this.#stopped) return;
    if (this.#paused || this.#held.length > 0) {
      this.#held.push({ kind: 'data', chunk: owned(chunk, lent), end, received: chunk.length, from: 0 });
    } else {
      this.#runData(chunk, end, lent, chunk.length, 0);
    }
  }

  trailers(trailers: Trailers): void {
    if (this.#stopped) return;
    if (this.#paused || this.#held.length > 0) this.#held.push({ kind: 'trailers', trailers, from: 0 });
    else this.#runTrailers(trailers, 0);
  }

  /** After a pause; a second call does nothing. */
  resume(): void {
    if (!this.#paused || this.#stopped) return;
    this.#paused = false;
    this.#target.onResumed();
    if (this.#headFrom >= 0) this.start();
    while (!this.#paused && !this.#stopped && this.#headFrom < 0) {
      const next = this.#held.shift();
      if (next === undefined) return;
      if (next.kind === 'data') this.#runData(next.chunk, next.end, false, next.received, next.from);
      else this.#runTrailers(next.trailers, next.from);
    }
  }

  /** Nothing more passes: the stream was answered or ended. */
  stop(): void {
    this.#stopped = true;
    this.#held = [];
    // Answered while it was paused: nobody will resume it, and its caller must not wait for that.
    if (!this.#paused) return;
    this.#paused = false;
    this.#target.onResumed();
  }

  #runData(chunk: Buffer, end: boolean, lent: boolean, received: number, from: number): void {
    const { data } = this.#hooks;
    let current = chunk;
    for (let index = from; index < data.length; index++) {
      let result: Buffer | FilterStatus;
      try {
        result = data[index]!(this.#stream, current, end);
      } catch (error) {
        this.#fail(error);
        return;
      }
      if (this.#stopped) return;
      if (Buffer.isBuffer(result)) current = result;
      else if (result === FilterStatus.Pause) {
        this.#held.unshift({ kind: 'data', chunk: owned(current, lent), end, received, from: index + 1 });
        this.#pause();
        return;
      } else if (result !== FilterStatus.Continue) {
        this.#fail(unusable(result));
        return;
      }
    }
    this.#target.passData(current, end, lent, received);
  }

  #runTrailers(trailers: Trailers, from: number): void {
    const hooks = this.#hooks.trailers;
    for (let index = from; index < hooks.length; index++) {
      let status: FilterStatus;
      try {
        status = hooks[index]!(this.#stream, trailers);
      } catch (error) {
        this.#fail(error);
        return;
      }
      if (this.#stopped) return;
      if (status === FilterStatus.Pause) {
        this.#held.unshift({ kind: 'trailers', trailers, from: index + 1 });
        this.#pause();
        return;
      }
      if (status !== FilterStatus.Continue) {
        this.#fail(unusable(status));
        return;
      }
    }
    this.#target.passTrailers(trailers);
  }

  #pause(): void {
    this.#paused = true;
    this.#head.keep();
    this.#target.onPaused();
  }

  #fail(error: unknown): void {
    this.#stopped = true;
    this.#target.onFilterError(error);
  }
}

function owned(chunk: Buffer, lent: boolean): Buffer {
  return lent ? Buffer.from(chunk) : chunk;
}
