/** Subject: the codec under test with its samples, and the steps that checks share. */
import type { CodecFactory, FrameId } from '../metaprotocol/codec.ts';
import { Flag, type Message, type RequestMessage, type ResponseMessage } from '../metaprotocol/message.ts';
import { Status } from '../metaprotocol/status.ts';
import { benchClient, benchServer, type CodecBench } from './codec-bench.ts';
import { expectThat, fail } from './expect.ts';
import { feed, feedBytewise } from './feed.ts';
import { frameIdOf } from './frame-ids.ts';
import { type Received, writeBody } from './received.ts';
import type { RecordingOutput } from './recording-output.ts';
import type { Exchange, Sample, Samples } from './sample.ts';

export interface Conformance {
  readonly factory: CodecFactory;
  readonly samples: Samples;
  /** Of random input; a failure names it. Default: 1. */
  readonly seed?: number;
  /** How many random and mutated inputs. Default: 2,000. */
  readonly fuzzInputs?: number;
}

const DEFAULT_SEED = 1;
const DEFAULT_FUZZ_INPUTS = 2_000;

export type ServerBench = ReturnType<typeof benchServer>;
export type ClientBench = ReturnType<typeof benchClient>;
export type AnsweredExchange = Exchange & { readonly response: Sample };

/** What went over a connection: its bytes, and whether it ended behind them. */
export interface Wire {
  readonly bytes: Buffer;
  readonly fin: boolean;
}

/** A request as it was received, with the codec and the sink that received it. */
export interface ReceivedRequest extends CodecBench<ServerBench['codec'], RequestMessage> {
  readonly message: Received<RequestMessage>;
  readonly head: RequestMessage;
}

export class Subject {
  readonly factory: CodecFactory;
  readonly samples: Samples;
  readonly seed: number;
  readonly fuzzInputs: number;
  /** How frames carry their ids; null: nobody tells, or they have none. */
  readonly frameId: FrameId | null;
  #opensAtStart: boolean | null = null;

  constructor({ factory, samples, seed, fuzzInputs }: Conformance) {
    this.factory = factory;
    this.samples = samples;
    this.seed = seed ?? DEFAULT_SEED;
    this.fuzzInputs = fuzzInputs ?? DEFAULT_FUZZ_INPUTS;
    const [first] = samples.exchanges;
    this.frameId = first === undefined ? null : frameIdOf(factory, first.request.bytes);
  }

  get exchanges(): readonly Exchange[] {
    return this.samples.exchanges;
  }

  /** Those that are routed and answered. */
  get answered(): readonly AnsweredExchange[] {
    const answered = this.exchanges.filter((exchange) => exchange.response !== null && this.routed(exchange));
    if (answered.length === 0) fail('the samples hold no request with its response');
    return answered as readonly AnsweredExchange[];
  }

  /** Those of which several fit on one connection. */
  get repeatable(): readonly AnsweredExchange[] {
    return this.answered.filter(({ request, response }) => request.end === undefined && response.end === undefined);
  }

  /** Bytes without messages: each connection is one stream, which begins before any byte came. */
  get isOpaque(): boolean {
    this.#opensAtStart ??= this.server().sink.heads.length > 0;
    return this.#opensAtStart;
  }

  /** How many requests a connection to a server may carry at once. */
  get upstreamStreams(): number {
    const { events } = this.client().sink;
    return Math.max(0, ...events.map((event) => (event.kind === 'ready' ? event.maxStreams : 0)));
  }

  /** Options as configured, with these besides. */
  options(more: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
    return { ...this.samples.traits?.codecOptions, ...more };
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

  /** A client that has sent this request, and what it sent. */
  asking(request: Received<RequestMessage>, id = 1): ClientBench & { readonly sent: Wire } {
    const client = this.client(request.head.connectionKey);
    client.codec.encode(id, request.head);
    writeBody(client.codec, id, request);
    return { ...client, sent: takeWire(client.out) };
  }

  /** The only request on this connection. */
  requestIn(wire: Wire, what: string): ReceivedRequest {
    const bench = this.server();
    feedWire(bench, wire);
    const message = onlyMessage(bench, what, 'requests');
    return { ...bench, message, head: message.head };
  }

  request(exchange: Exchange): ReceivedRequest {
    return this.requestIn(wireOf(exchange.request), `request of ${exchange.name}`);
  }

  /** The only response on this connection, which answers `exchange`'s request. */
  responseIn(wire: Wire, exchange: Exchange, what: string): Received<ResponseMessage> {
    const { message } = this.request(exchange);
    const client = this.asking(message);
    feedWire(client, { ...wire, bytes: this.withIdOf(wire.bytes, client.sent.bytes) });
    return onlyMessage(client, what, 'responses');
  }

  response(exchange: AnsweredExchange): Received<ResponseMessage> {
    return this.responseIn(wireOf(exchange.response), exchange, `response of ${exchange.name}`);
  }

  /** What the caller gets for this response; a codec that held behind the request goes on. */
  delivered(request: ReceivedRequest, response: Received<ResponseMessage>): Wire {
    const { codec, out, sink, head } = request;
    answerWith(request, response);
    if ((head.flags & Flag.Hold) !== 0) codec.resume();
    // Who takes no further request is closed behind its answer.
    return { bytes: out.take(), fin: out.ended || sink.goneAway };
  }

  /** Not answered by the codec itself. */
  routed(exchange: Exchange): boolean {
    return this.request(exchange).head.answer === null;
  }

  /** What goes upstream for this request. */
  sent(request: Received<RequestMessage>, id = 1): Wire {
    return this.asking(request, id).sent;
  }

  followersOf(key: string): readonly string[] {
    const { followers = {} } = this.samples.traits ?? {};
    return Object.hasOwn(followers, key) ? followers[key]! : [];
  }

  get followers(): readonly string[] {
    return Object.values(this.samples.traits?.followers ?? {}).flat();
  }

  get dropsHalfRequests(): boolean {
    return this.samples.traits?.dropsHalfRequests ?? false;
  }

  /** Bytes of an id; 0: the protocol has none. */
  get idBytes(): number {
    return this.frameId?.bytes ?? 0;
  }

  /** The body of a frame; null: nobody says where it is. */
  bodyOf(frame: Buffer): Buffer | null {
    if (this.factory.fieldsOf === undefined) return null;
    const body = this.factory.fieldsOf(frame).find(({ name }) => name === 'body');
    return body === undefined ? Buffer.alloc(0) : frame.subarray(body.at, body.at + body.bytes);
  }

  /** A copy of `frame` under the id that `other` carries. */
  withIdOf(frame: Buffer, other: Buffer): Buffer {
    return this.frameId === null ? frame : this.frameId.write(frame, this.frameId.read(other));
  }

  /** The whole way: caller, server codec, client codec, an upstream, and back. Gives what the upstream and the caller read. */
  roundTrip(
    request: Wire,
    exchange: AnsweredExchange,
    coreId: number,
  ): { readonly upstream: Wire; readonly caller: Wire; readonly id: number } {
    const server = this.requestIn(request, `request of ${exchange.name}`);
    const client = this.asking(server.message, coreId);
    const answer = wireOf(exchange.response);
    feedWire(client, { ...answer, bytes: this.withIdOf(answer.bytes, client.sent.bytes) });
    const response = onlyMessage(client, `response of ${exchange.name}`, 'responses');
    return { upstream: client.sent, caller: this.delivered(server, response), id: response.id };
  }
}

/** Has a server codec write a response. */
export function answerWith({ codec, message }: ReceivedRequest, response: Received<ResponseMessage>): void {
  for (const interim of response.interim) codec.encode(message.id, interim, message.head);
  codec.encode(message.id, response.head, message.head);
  writeBody(codec, message.id, response);
}

/** Of a sample as its sender puts it on a connection. */
export function wireOf({ bytes, end }: Sample): Wire {
  return { bytes, fin: end === 'fin' };
}

/** Of a sample as the other side gets it. */
export function sentBytesOf({ bytes, sent }: Sample): Buffer {
  return sent ?? bytes;
}

export function takeWire(out: RecordingOutput): Wire {
  return { bytes: out.take(), fin: out.ended };
}

/** `sizes` as in `feed`; 'bytewise': one byte after the other. */
export function feedWire(
  { codec, sink }: ServerBench | ClientBench,
  { bytes, fin }: Wire,
  sizes: readonly number[] | 'bytewise' = [],
): void {
  if (sizes === 'bytewise') feedBytewise(codec, bytes);
  else feed(codec, bytes, sizes);
  if (fin && !sink.closed) codec.peerEnded();
}

export function isOneway(message: Message): boolean {
  return (message.flags & Flag.Oneway) !== 0;
}

/** All of it came, or it became a tunnel, whose bytes are not its own. */
export function isWhole({ head, ended, reset }: Received<Message>): boolean {
  return (ended && reset === null) || (head.flags & Flag.Tunnel) !== 0;
}

function onlyMessage<M extends RequestMessage | ResponseMessage>(
  { sink }: CodecBench<unknown, M>,
  what: string,
  kind: string,
): Received<M> {
  const { messages, error } = sink;
  expectThat(error === null, `${what}: refused: ${error?.detail}`);
  expectThat(messages.length === 1, `${what}: ${messages.length} ${kind}, expected 1`);
  const [message] = messages as [Received<M>];
  expectThat(message.reset === null, `${what}: given up: ${message.reset?.detail}`);
  expectThat(isWhole(message), `${what}: it did not end with its last byte`);
  return message;
}

/** A codec that holds behind a request goes on: when it is resumed, or else when the request has got an answer too. */
export function goOn({ codec, sink }: ServerBench): void {
  for (;;) {
    const { messages } = sink;
    const last = messages.at(-1);
    if (sink.closed || last === undefined || (last.head.flags & Flag.Hold) === 0) return;
    codec.resume();
    if (sink.messages.length > messages.length) continue;
    if (!last.ended) return;
    codec.encode(last.id, last.head.answer ?? codec.reply(Status.no_route, last.head), last.head);
    codec.resume();
    if (sink.messages.length === messages.length) return;
  }
}
