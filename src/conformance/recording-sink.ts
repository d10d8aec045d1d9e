/** RecordingSink: a Sink for codec tests that writes down every event and fails on what the contract forbids. */
import type { UpstreamSink } from '../metaprotocol/codec.ts';
import { Flag, type Message, type Trailers } from '../metaprotocol/message.ts';
import type { ProxyStatus } from '../metaprotocol/status.ts';
import type { Received } from './received.ts';

export type SinkEvent<M extends Message> =
  | { readonly kind: 'head'; readonly id: number; readonly head: M }
  | { readonly kind: 'data'; readonly id: number; readonly chunk: Buffer; readonly end: boolean }
  | { readonly kind: 'trailers'; readonly id: number; readonly trailers: Trailers }
  | { readonly kind: 'reset'; readonly id: number; readonly status: ProxyStatus }
  | { readonly kind: 'writable'; readonly id: number }
  | { readonly kind: 'go-away' }
  | { readonly kind: 'ready'; readonly maxStreams: number }
  | { readonly kind: 'error'; readonly status: ProxyStatus };

type Growing<M extends Message> = { -readonly [Key in keyof Received<M>]: Received<M>[Key] } & {
  chunks: { readonly chunk: Buffer; readonly end: boolean }[];
};

/** Serves server and client codecs alike. Heads are kept and chunks copied, as the core does with what outlives a call. */
export class RecordingSink<M extends Message> implements UpstreamSink {
  /** Set by a test, or by itself after `onError`: the codec must emit nothing more. */
  closed = false;
  readonly events: SinkEvent<M>[] = [];
  /** Called inside each sink call, after the event was recorded: where a test closes, pauses or writes. */
  onEvent: (event: SinkEvent<M>) => void = () => {};
  /** Set by who wants runs: absent, each call is a message. */
  join?: (id: number, next: Message) => boolean;
  /** What the last go-away said against the peer. */
  goAwayReason: ProxyStatus | null = null;
  #failed = false;

  get heads(): M[] {
    return this.events.flatMap((event) => (event.kind === 'head' ? [event.head] : []));
  }

  get headIds(): number[] {
    return this.events.flatMap((event) => (event.kind === 'head' ? [event.id] : []));
  }

  /** The status of `onError`; null while the connection is usable. */
  get error(): ProxyStatus | null {
    return this.events.flatMap((event) => (event.kind === 'error' ? [event.status] : []))[0] ?? null;
  }

  get goneAway(): boolean {
    return this.events.some((event) => event.kind === 'go-away');
  }

  /** Every message with all that came of it, in the order of their heads. */
  get messages(): Received<M>[] {
    const messages: Growing<M>[] = [];
    let interim: M[] = [];
    const of = (id: number) => messages.findLast((message) => message.id === id);
    for (const event of this.events) {
      if (event.kind === 'head') {
        const { id, head } = event;
        if ((head.flags & Flag.Informational) !== 0) {
          interim.push(head);
          continue;
        }
        messages.push({
          id,
          interim,
          head,
          chunks: [],
          trailers: null,
          ended: (head.flags & Flag.End) !== 0,
          reset: null,
        });
        interim = [];
      } else if (event.kind === 'data' || event.kind === 'trailers' || event.kind === 'reset') {
        const message = of(event.id);
        if (message === undefined) continue;
        // A caller may still go away while it waits for its answer.
        if (message.ended && event.kind !== 'reset')
          throw new Error(`codec emitted ${event.kind} of a message that had ended`);
        message.ended = event.kind !== 'data' || event.end;
        if (event.kind === 'data') message.chunks.push({ chunk: event.chunk, end: event.end });
        else if (event.kind === 'trailers') message.trailers = event.trailers;
        else message.reset = event.status;
      }
    }
    return messages;
  }

  /** The data of one stream, joined. */
  dataOf(id: number): Buffer {
    return Buffer.concat(
      this.events.flatMap((event) => (event.kind === 'data' && event.id === id ? [event.chunk] : [])),
    );
  }

  onHead(id: number, head: Message): void {
    head.keep();
    this.#record({ kind: 'head', id, head: head as M });
  }

  onData(id: number, chunk: Buffer, end: boolean): void {
    this.#record({ kind: 'data', id, chunk: Buffer.from(chunk), end });
  }

  onTrailers(id: number, trailers: Trailers): void {
    this.#record({ kind: 'trailers', id, trailers });
  }

  onReset(id: number, status: ProxyStatus): void {
    this.#record({ kind: 'reset', id, status });
  }

  onWritable(id: number): void {
    this.#record({ kind: 'writable', id });
  }

  onGoAway(why?: ProxyStatus): void {
    this.goAwayReason = why ?? null;
    this.#record({ kind: 'go-away' });
  }

  onReady(maxStreams: number): void {
    this.#record({ kind: 'ready', maxStreams });
  }

  onError(status: ProxyStatus): void {
    this.#record({ kind: 'error', status });
    this.#failed = true;
    this.closed = true;
  }

  #record(event: SinkEvent<M>): void {
    if (this.#failed) throw new Error(`codec emitted ${event.kind} after onError`);
    if (this.closed) throw new Error(`codec emitted ${event.kind} into a closed sink`);
    this.events.push(event);
    this.onEvent(event);
  }
}
