/**
 * toy-id: a whole-message protocol whose frames carry 64-bit ids, oneway calls, heartbeats and an error status.
 *
 *      0        4      5        6            14           16          16+h
 *     +--------+------+--------+------------+------------+-----------+------
 *     | length | kind | status | id (u64be) | h (u16be)  | key=value | body
 *     +--------+------+--------+------------+------------+-----------+------
 *      u32be, of what follows it
 */
import {
  type ClientCodec,
  type CodecFactory,
  type Output,
  Reset,
  type ServerCodec,
  type Sink,
  type UpstreamSink,
} from '../../../src/metaprotocol/codec.ts';
import type { ProtocolManifest } from '../../../src/metaprotocol/manifest.ts';
import {
  Flag,
  type Message,
  type Outcome,
  type RequestMessage,
  type ResponseMessage,
} from '../../../src/metaprotocol/message.ts';
import { type ProxyStatus, Status, statusOf } from '../../../src/metaprotocol/status.ts';
import { AttributeBlock } from './attribute-block.ts';
import { FrameReader } from './frame-reader.ts';
import { codeOf, TOY_CODES } from './toy-codes.ts';
import { parseIntegerOptions } from './toy-options.ts';

export const Kind = { Request: 0, Response: 1, Oneway: 2, Heartbeat: 3, HeartbeatAnswer: 4 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

const HEAD_BYTES = 16;
const ID_AT = 6;
const EMPTY = Buffer.alloc(0);

export interface ToyIdOptions {
  readonly frameLimitBytes: number;
  readonly [key: string]: number;
}

export interface ToyIdFrame {
  readonly kind: Kind;
  readonly id: bigint;
  readonly status?: number;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
}

/** One frame as a peer writes it. */
export function toyIdFrame({ kind, id, status = 0, attributes = {}, body = EMPTY }: ToyIdFrame): Buffer {
  return joinFrame(kind, status, id, AttributeBlock.of(Object.entries(attributes)).encoded(), Buffer.from(body));
}

function joinFrame(kind: Kind, status: number, id: bigint, head: Buffer, body: Buffer): Buffer {
  const frame = Buffer.alloc(HEAD_BYTES + head.length + body.length);
  frame.writeUInt32BE(frame.length - 4, 0);
  frame[4] = kind;
  frame[5] = status;
  frame.writeBigUInt64BE(id, ID_AT);
  frame.writeUInt16BE(head.length, 14);
  head.copy(frame, HEAD_BYTES);
  body.copy(frame, HEAD_BYTES + head.length);
  return frame;
}

abstract class ToyIdMessage implements Message {
  readonly family = 'toy-id';
  raw: Buffer;
  protected block: AttributeBlock;
  #kept = false;

  constructor(raw: Buffer, block?: AttributeBlock) {
    this.raw = raw;
    this.block = block ?? new AttributeBlock(headOf(raw));
  }

  get flags(): number {
    return this.raw[4] === Kind.Oneway ? Flag.End | Flag.Oneway : Flag.End;
  }

  /** The frame to send but for its id. */
  get frame(): Buffer {
    if (!this.block.edited) return this.raw;
    return joinFrame(this.raw[4] as Kind, this.raw[5]!, 0n, this.block.encoded(), this.body);
  }

  get id(): bigint {
    return this.raw.readBigUInt64BE(ID_AT);
  }

  get body(): Buffer {
    return this.raw.subarray(HEAD_BYTES + this.raw.readUInt16BE(14));
  }

  keep(): void {
    if (this.#kept) return;
    this.#kept = true;
    this.raw = Buffer.from(this.raw);
    this.block.rebase(headOf(this.raw));
  }

  get(key: string): string | undefined {
    return this.block.get(key);
  }

  entries(visit: (key: string, value: string) => void): void {
    this.block.entries(visit);
  }

  set(key: string, value: string): boolean {
    return this.block.set(key, value);
  }

  add(key: string, value: string): boolean {
    return this.block.add(key, value);
  }

  remove(key: string): boolean {
    return this.block.remove(key);
  }

  abstract fork(): this;
}

function headOf(frame: Buffer): Buffer {
  return frame.subarray(HEAD_BYTES, HEAD_BYTES + frame.readUInt16BE(14));
}

export class ToyIdRequest extends ToyIdMessage implements RequestMessage {
  readonly connectionKey = '';
  readonly answer = null;

  get replaySafe(): boolean {
    return this.get('method')?.startsWith('get') === true;
  }

  fork(): this {
    return new ToyIdRequest(this.raw, this.block.fork()) as this;
  }
}

export class ToyIdResponse extends ToyIdMessage implements ResponseMessage {
  get outcome(): Outcome {
    return { code: this.raw[5]!, ok: this.raw[5] === 0 };
  }

  fork(): this {
    return new ToyIdResponse(this.raw, this.block.fork()) as this;
  }
}

/** What both sides share: frames in, heartbeats answered, pause. */
abstract class ToyIdCodec<M extends Message> {
  protected readonly sink: Sink<M>;
  protected readonly out: Output;
  protected readonly reader: FrameReader;
  #paused = false;

  constructor(sink: Sink<M>, out: Output, options: ToyIdOptions, oversize: ProxyStatus) {
    this.sink = sink;
    this.out = out;
    this.reader = new FrameReader({
      frameLimitBytes: options.frameLimitBytes,
      stopped: () => this.#paused || sink.closed,
      onOversize: (detail) => sink.onError(statusOf(oversize, `toy-id: ${detail}`)),
      onFrame: (frame) => this.#onFrame(frame),
    });
  }

  protected abstract readonly malformed: ProxyStatus;
  protected abstract onMessage(kind: Kind, frame: Buffer): void;

  decode(chunk: Buffer, _lent: boolean): void {
    this.reader.push(chunk);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.reader.drain();
  }

  get reading(): boolean {
    return !this.#paused;
  }

  credit(_id: number, _bytes: number): void {}

  data(id: number, _chunk: Buffer, _end: boolean, _lent: boolean): boolean {
    throw new Error(`toy-id: data for stream ${id}, but its messages are whole`);
  }

  trailers(id: number): boolean {
    throw new Error(`toy-id: trailers for stream ${id}, but its messages are whole`);
  }

  room(): void {}

  goAway(): void {}

  /** Appends first: nothing is registered if this throws. */
  protected write(frame: Buffer, id: bigint): void {
    const offset = this.out.append(frame, 0, frame.length);
    this.out.slab.writeBigUInt64BE(id, offset + ID_AT);
  }

  protected beat(kind: Kind, id: bigint): void {
    const frame = toyIdFrame({ kind, id });
    this.out.append(frame, 0, frame.length);
  }

  #onFrame(frame: Buffer): void {
    if (frame.length < HEAD_BYTES || HEAD_BYTES + frame.readUInt16BE(14) > frame.length) {
      this.sink.onError(statusOf(this.malformed, `toy-id: frame of ${frame.length} bytes is too short for its head`));
      return;
    }
    const kind = frame[4] as Kind;
    if (kind === Kind.Heartbeat) this.beat(Kind.HeartbeatAnswer, frame.readBigUInt64BE(ID_AT));
    else if (kind !== Kind.HeartbeatAnswer) this.onMessage(kind, frame);
  }
}

class ToyIdServerCodec extends ToyIdCodec<RequestMessage> implements ServerCodec {
  protected readonly malformed = Status.malformed;
  /** Caller's own id by ours. Oneway calls have no entry. */
  readonly #callerIds = new Map<number, bigint>();
  #lastId = 0;

  get midHead(): boolean {
    return this.reading && this.reader.parkedBytes > 0;
  }

  constructor(sink: Sink<RequestMessage>, out: Output, options: ToyIdOptions) {
    super(sink, out, options, Status.too_large);
  }

  start(): void {}

  keepalive(): void {
    this.beat(Kind.Heartbeat, 0n);
  }

  peerEnded(): void {
    if (this.reader.parkedBytes > 0 && this.reading) {
      const detail = `toy-id: connection ended ${this.reader.parkedBytes} bytes into a frame`;
      this.sink.onError(statusOf(Status.malformed, detail));
    }
  }

  encode(id: number, response: ResponseMessage, _request: RequestMessage | null): void {
    const callerId = this.#callerIds.get(id);
    if (callerId === undefined) throw new Error(`toy-id: answer for stream ${id}, which awaits none`);
    this.write(frameOf(response, Kind.Response), callerId);
    this.#callerIds.delete(id);
  }

  reply(status: ProxyStatus, _request: RequestMessage | null): ResponseMessage {
    const attributes = { error: status.name, detail: status.detail };
    return new ToyIdResponse(toyIdFrame({ kind: Kind.Response, id: 0n, status: codeOf(status), attributes }));
  }

  reset(id: number, _status: ProxyStatus): Reset {
    // The protocol has no word for it: the caller just never gets an answer.
    this.#callerIds.delete(id);
    return Reset.Done;
  }

  protected onMessage(kind: Kind, frame: Buffer): void {
    if (kind !== Kind.Request && kind !== Kind.Oneway) {
      this.sink.onError(statusOf(Status.malformed, `toy-id: kind ${kind} from a caller, expected 0 or 2`));
      return;
    }
    const id = ++this.#lastId;
    const request = new ToyIdRequest(frame);
    if (kind === Kind.Request) this.#callerIds.set(id, request.id);
    this.sink.onHead(id, request);
  }
}

class ToyIdClientCodec extends ToyIdCodec<ResponseMessage> implements ClientCodec {
  protected readonly malformed = Status.upstream_malformed;
  readonly #ready: UpstreamSink;
  /** Requests whose answers have not come. */
  readonly #owed = new Set<number>();

  constructor(sink: UpstreamSink, out: Output, options: ToyIdOptions) {
    super(sink, out, options, Status.upstream_malformed);
    this.#ready = sink;
  }

  start(): void {
    this.#ready.onReady(Number.MAX_SAFE_INTEGER);
  }

  keepalive(): void {
    this.beat(Kind.Heartbeat, 0n);
  }

  peerEnded(): void {
    this.sink.onGoAway();
    for (const id of [...this.#owed]) {
      if (this.sink.closed) return;
      this.#owed.delete(id);
      this.sink.onReset(id, statusOf(Status.upstream_reset, 'toy-id: the upstream ended before its answer'));
    }
  }

  encode(id: number, request: RequestMessage): void {
    const oneway = (request.flags & Flag.Oneway) !== 0;
    this.write(frameOf(request, oneway ? Kind.Oneway : Kind.Request), BigInt(id));
    if (!oneway) this.#owed.add(id);
  }

  reset(id: number, _status: ProxyStatus): Reset {
    return this.#owed.has(id) ? Reset.Owed : Reset.Done;
  }

  protected onMessage(kind: Kind, frame: Buffer): void {
    if (kind !== Kind.Response) {
      this.sink.onError(statusOf(Status.upstream_malformed, `toy-id: kind ${kind} from an upstream, expected 1`));
      return;
    }
    const response = new ToyIdResponse(frame);
    // Above 2^53 the number is not exact, but it is never one of ours: those end at 2^31.
    const id = Number(response.id);
    this.#owed.delete(id);
    this.sink.onHead(id, response);
  }
}

function frameOf(message: Message, kind: Kind): Buffer {
  if (message instanceof ToyIdMessage) return message.frame;
  return joinFrame(kind, 0, 0n, AttributeBlock.from(message).encoded(), EMPTY);
}

const manifest: ProtocolManifest = {
  name: 'toy-id',
  version: '1.0.0',
  aliases: [],
  family: 'toy-id',
  attributes: {
    fixed: [{ key: 'method', description: 'What is called', mutable: true }],
    open: { description: 'Any other line of the head', mutable: true },
    keyCase: 'sensitive',
    hostKey: null,
  },
  codes: TOY_CODES,
  options: [
    { key: 'frameLimitBytes', type: 'integer', minimum: 16, default: 65_536, description: 'Longest frame, all of it' },
  ],
  capabilities: {
    requestMutation: true,
    responseMutation: true,
    oneway: true,
    streaming: false,
    errorReply: true,
    idempotencyHint: true,
    serverFirst: false,
    multiplexing: true,
  },
};

export const toyId: CodecFactory<ToyIdOptions> = {
  manifest,
  alpn: [],
  replies: 'any-order',
  affinity: false,
  concurrency: { downstream: 1_024, upstream: 64 },
  parseOptions: (raw) => parseIntegerOptions<ToyIdOptions>(raw, { frameLimitBytes: 65_536 }),
  createServerCodec: (sink, out, options) => new ToyIdServerCodec(sink, out, options),
  createClientCodec: (sink, out, options) => new ToyIdClientCodec(sink, out, options),
};
