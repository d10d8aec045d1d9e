/** Subject: the codec under test with its samples, and the steps that checks share. */
import type { CodecFactory } from '../metaprotocol/codec.ts';
import { Flag, type Message, type RequestMessage, type ResponseMessage } from '../metaprotocol/message.ts';
import { expectThat, fail } from './check.ts';
import { benchClient, benchServer, type CodecBench } from './codec-bench.ts';
import { feed } from './feed.ts';
import type { Exchange, Samples } from './sample.ts';

/** Where a frame carries its id. */
export interface IdPlace {
  readonly at: number;
  readonly bytes: number;
}

/** An id whose size depends on its value (a varint): written anew, with the lengths around it. */
export interface IdValue {
  /** Of the widest id. */
  readonly bytes: number;
  /** `frame` may be followed by other bytes. */
  readonly read: (frame: Buffer) => bigint;
  /** A copy of `frame` under this id. */
  readonly write: (frame: Buffer, id: bigint) => Buffer;
}

export interface Conformance {
  readonly factory: CodecFactory;
  readonly samples: Samples;
  /** Raw codec options, as from configuration. */
  readonly codecOptions?: Readonly<Record<string, unknown>>;
  /** Of random input; a failure names it. Default: 1. */
  readonly seed?: number;
  /** How many random and mutated inputs. Default: 2,000. */
  readonly fuzzInputs?: number;
  /** Every place of a frame where its id lies, for codecs without `fieldsOf`. All samples have as many, of the same size. */
  readonly idOf?: (frame: Buffer) => readonly IdPlace[];
  /** Instead of `idOf`, where ids have no fixed size. */
  readonly idValue?: IdValue;
  /** Attributes that are worked out from another one and change with it: Redis's `hash-key` from `key`. */
  readonly followers?: Readonly<Record<string, readonly string[]>>;
  /** The protocol's servers drop half a request in front of a caller's end without a word, and so does the codec. */
  readonly dropsHalfRequests?: boolean;
  /** The part of a frame that a mutation must never touch, for codecs without `fieldsOf`. */
  readonly bodyOf?: (frame: Buffer) => Buffer;
}

const DEFAULT_SEED = 1;
const DEFAULT_FUZZ_INPUTS = 2_000;

export type ServerBench = ReturnType<typeof benchServer>;
export type ClientBench = ReturnType<typeof benchClient>;

export class Subject {
  readonly factory: CodecFactory;
  readonly samples: Samples;
  readonly seed: number;
  readonly fuzzInputs: number;
  readonly #conformance: Conformance;

  constructor(conformance: Conformance) {
    this.#conformance = conformance;
    this.factory = conformance.factory;
    this.samples = conformance.samples;
    this.seed = conformance.seed ?? DEFAULT_SEED;
    this.fuzzInputs = conformance.fuzzInputs ?? DEFAULT_FUZZ_INPUTS;
  }

  get exchanges(): readonly Exchange[] {
    return this.samples.exchanges;
  }

  /** Those that are routed and answered. */
  get answered(): readonly (Exchange & { readonly response: NonNullable<Exchange['response']> })[] {
    const answered = this.exchanges.filter((exchange) => exchange.response !== null && this.routed(exchange));
    if (answered.length === 0) fail('the samples hold no request with its response');
    return answered as readonly (Exchange & { readonly response: NonNullable<Exchange['response']> })[];
  }

  /** Options as configured, with these besides. */
  options(more: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
    return { ...this.#conformance.codecOptions, ...more };
  }

  server(more?: Readonly<Record<string, unknown>>): ServerBench {
    return benchServer(this.factory, this.options(more));
  }

  /** Ready to send: what it said before is taken off its output. */
  client(connectionKey = '', more?: Readonly<Record<string, unknown>>): ClientBench {
    const bench = benchClient(this.factory, this.options(more), connectionKey);
    expectThat(
      bench.sink.events.some(({ kind }) => kind === 'ready'),
      'the client codec did not say onReady in start(), so that no request may be sent',
    );
    bench.out.take();
    return bench;
  }

  /** The only request in these bytes. */
  requestIn(
    bytes: Buffer,
    what: string,
  ): CodecBench<ServerBench['codec'], RequestMessage> & { readonly head: RequestMessage } {
    const bench = this.server();
    feed(bench.codec, bytes);
    const { heads, error } = bench.sink;
    expectThat(error === null, `${what}: refused: ${error?.detail}`);
    expectThat(heads.length === 1, `${what}: ${heads.length} requests, expected 1`);
    return { ...bench, head: heads[0]! };
  }

  request(exchange: Exchange): ReturnType<Subject['requestIn']> {
    return this.requestIn(exchange.request.bytes, `request of ${exchange.name}`);
  }

  /** The only response in these bytes, which answer `exchange`'s request. */
  responseIn(bytes: Buffer, exchange: Exchange, what: string): ResponseMessage {
    const { head } = this.request(exchange);
    const client = this.client(head.connectionKey);
    client.codec.encode(1, head);
    feed(client.codec, this.withIdOf(bytes, client.out.take()));
    const { heads, error } = client.sink;
    expectThat(error === null, `${what}: refused: ${error?.detail}`);
    expectThat(heads.length === 1, `${what}: ${heads.length} responses, expected 1`);
    return heads[0]!;
  }

  response(exchange: Exchange): ResponseMessage {
    return this.responseIn(exchange.response!.bytes, exchange, `response of ${exchange.name}`);
  }

  /** Not answered by the codec itself. */
  routed(exchange: Exchange): boolean {
    return this.request(exchange).head.answer === null;
  }

  /** What goes upstream for this request. */
  sent(request: RequestMessage, id = 1): Buffer {
    const { codec, out } = this.client(request.connectionKey);
    codec.encode(id, request);
    return out.take();
  }

  followersOf(key: string): readonly string[] {
    const { followers = {} } = this.#conformance;
    return Object.hasOwn(followers, key) ? followers[key]! : [];
  }

  get dropsHalfRequests(): boolean {
    return this.#conformance.dropsHalfRequests ?? false;
  }

  /** Of ids without a fixed size. */
  get idValue(): IdValue | null {
    return this.#conformance.idValue ?? null;
  }

  /** Bytes of an id; 0: the protocol has none. */
  idBytesOf(frame: Buffer): number {
    return this.idValue?.bytes ?? this.idOf(frame)[0]?.bytes ?? 0;
  }

  /** None: the protocol has no ids, or they have no fixed size. */
  idOf(frame: Buffer): readonly IdPlace[] {
    if (this.idValue !== null) return [];
    if (this.#conformance.idOf !== undefined) return this.#conformance.idOf(frame);
    return this.factory.fieldsOf?.(frame).filter(({ name }) => name === 'id') ?? [];
  }

  /** The body of a frame; null: nobody says where it is. */
  bodyOf(frame: Buffer): Buffer | null {
    if (this.#conformance.bodyOf !== undefined) return this.#conformance.bodyOf(frame);
    if (this.factory.fieldsOf === undefined) return null;
    const body = this.factory.fieldsOf(frame).find(({ name }) => name === 'body');
    return body === undefined ? Buffer.alloc(0) : frame.subarray(body.at, body.at + body.bytes);
  }

  /** A copy of `frame` under the id that `other` carries. */
  withIdOf(frame: Buffer, other: Buffer): Buffer {
    if (this.idValue !== null) return this.idValue.write(frame, this.idValue.read(other));
    const from = this.idOf(other);
    const copy = Buffer.from(frame);
    for (const [index, { at }] of this.idOf(frame).entries()) {
      const place = from[index];
      if (place !== undefined) other.copy(copy, at, place.at, place.at + place.bytes);
    }
    return copy;
  }

  /** A copy of `frame` under this id. */
  withId(frame: Buffer, id: Buffer): Buffer {
    if (this.idValue !== null) return this.idValue.write(frame, BigInt(`0x${id.toString('hex')}`));
    const copy = Buffer.from(frame);
    for (const { at, bytes } of this.idOf(frame)) id.copy(copy, at, 0, bytes);
    return copy;
  }

  /** The whole way: caller, server codec, client codec, an upstream, and back. Gives what the upstream and the caller read. */
  roundTrip(
    requestBytes: Buffer,
    exchange: Exchange,
    coreId: number,
  ): { upstream: Buffer; caller: Buffer; id: number } {
    const server = this.requestIn(requestBytes, `request of ${exchange.name}`);
    const client = this.client(server.head.connectionKey);
    client.codec.encode(coreId, server.head);
    const upstream = client.out.take();
    const peer = this.requestIn(upstream, `request of ${exchange.name} as sent upstream`);
    peer.codec.encode(1, this.response(exchange), peer.head);
    feed(client.codec, peer.out.take());
    const { heads, headIds, error } = client.sink;
    expectThat(error === null, `response of ${exchange.name}: refused: ${error?.detail}`);
    expectThat(heads.length === 1, `response of ${exchange.name}: ${heads.length} responses, expected 1`);
    server.codec.encode(1, heads[0]!, server.head);
    return { upstream, caller: server.out.take(), id: headIds[0]! };
  }
}

/** Attributes in wire order. */
export function attributesOf(message: Message): [key: string, value: string][] {
  const attributes: [string, string][] = [];
  message.entries((key, value) => attributes.push([key, value]));
  return attributes;
}

export function isOneway(message: Message): boolean {
  return (message.flags & Flag.Oneway) !== 0;
}

/** A codec that holds after each head goes on at once. */
export function goOn(
  codec: { resume(): void },
  sink: { readonly heads: readonly Message[]; readonly closed: boolean },
): void {
  for (let before = -1; before !== sink.heads.length && !sink.closed; ) {
    const last = sink.heads.at(-1);
    if (last === undefined || (last.flags & Flag.Hold) === 0) return;
    before = sink.heads.length;
    codec.resume();
  }
}
