/**
 * toy-order: lines of text, answered in order, over connections that have state (user and database).
 *
 *     request   COMMAND word word\n
 *     answer    +text\n   or   -error text\n
 *     push      >channel text\n          `>goaway` asks for no new requests
 *
 * Answered by the codec: PING, QUIT, AUTH user, MULTI. Split over endpoints: MGET. Bound to a connection: MULTI…EXEC,
 * SUBSCRIBE…UNSUBSCRIBE, BLOCK. Held back until answered: SELECT. All else passes through.
 */

import { WIPED } from '../../../src/conformance/feed.ts';
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
import { Flag, type Message, type RequestMessage, type ResponseMessage } from '../../../src/metaprotocol/message.ts';
import { type ProxyStatus, Status, statusOf } from '../../../src/metaprotocol/status.ts';
import { TOY_CODES } from './toy-codes.ts';
import { parseIntegerOptions } from './toy-options.ts';
import { lineOf, ToyOrderRequest, ToyOrderResponse, toyOrderAnswer } from './toy-order-message.ts';

const NEWLINE = 0x0a;
const EMPTY = Buffer.alloc(0);
const KEYED = ['GET', 'SET', 'BLOCK'];

export interface ToyOrderOptions {
  /** Longest line, its newline included. */
  readonly lineLimitBytes: number;
  /** Parked behind a Hold before reading stops. */
  readonly heldLimitBytes: number;
  readonly [key: string]: number;
}

function connectionKeyOf(user: string, database: string): string {
  return user === '' && database === '' ? '' : `${user}:${database}`;
}

/** Cuts lines and parks what is not a line yet, or must wait. */
abstract class ToyOrderCodec<M extends Message> {
  protected readonly sink: Sink<M>;
  protected readonly out: Output;
  protected readonly options: ToyOrderOptions;
  /** Malformed: nothing more is read. */
  protected dead = false;
  #bytes: Buffer = EMPTY;
  #at = 0;
  #draining = false;
  #paused = false;
  protected held = false;

  constructor(sink: Sink<M>, out: Output, options: ToyOrderOptions) {
    this.sink = sink;
    this.out = out;
    this.options = options;
  }

  /** `line` ends with its newline; it may be overwritten after this returns. */
  protected abstract onLine(line: Buffer): void;
  protected abstract onMalformed(detail: string): void;

  decode(chunk: Buffer, _lent: boolean): void {
    if (this.dead) return;
    this.#bytes = Buffer.concat([this.#bytes.subarray(this.#at), chunk]);
    this.#at = 0;
    this.#drain();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.held = false;
    this.#drain();
  }

  get reading(): boolean {
    if (this.#paused) return false;
    return !this.held || this.parkedBytes <= this.options.heldLimitBytes;
  }

  get parkedBytes(): number {
    return this.#bytes.length - this.#at;
  }

  credit(_id: number, _bytes: number): void {}

  data(id: number, _chunk: Buffer, _end: boolean, _lent: boolean): boolean {
    throw new Error(`toy-order: data for stream ${id}, but its messages are whole`);
  }

  trailers(id: number): boolean {
    throw new Error(`toy-order: trailers for stream ${id}, but its messages are whole`);
  }

  room(): void {}

  protected writeLine(line: Buffer | string): void {
    const bytes = typeof line === 'string' ? Buffer.from(`${line}\n`) : line;
    this.out.append(bytes, 0, bytes.length);
  }

  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    while (!this.#paused && !this.held && !this.dead && !this.sink.closed) {
      const newline = this.#bytes.indexOf(NEWLINE, this.#at);
      const lineBytes = (newline === -1 ? this.#bytes.length : newline + 1) - this.#at;
      if (lineBytes > this.options.lineLimitBytes || (newline === -1 && lineBytes === this.options.lineLimitBytes)) {
        this.dead = true;
        this.onMalformed(
          `toy-order: line of ${lineBytes} bytes or more > lineLimitBytes ${this.options.lineLimitBytes}`,
        );
        break;
      }
      if (newline === -1) break;
      const line = this.#bytes.subarray(this.#at, newline + 1);
      this.#at = newline + 1;
      this.onLine(line);
      // Lent like any read buffer: a message that nobody kept shows it.
      line.fill(WIPED);
    }
    if (this.dead) this.#at = this.#bytes.length;
    this.#draining = false;
  }
}

class ToyOrderServerCodec extends ToyOrderCodec<RequestMessage> implements ServerCodec {
  #lastId = 0;
  #user = '';
  #database = '';
  /** MULTI was answered here; the first keyed command takes it upstream. */
  #openMulti = false;
  #inMulti = false;
  /** Commands whose answer changes what later lines mean. */
  readonly #selecting = new Map<number, string>();

  start(): void {}
  keepalive(): void {}

  peerEnded(): void {
    if (this.parkedBytes > 0 && !this.held && this.reading) {
      this.onMalformed(`toy-order: connection ended ${this.parkedBytes} bytes into a line`);
    }
  }

  goAway(): void {
    this.writeLine('>goaway');
  }

  encode(id: number, response: ResponseMessage, _request: RequestMessage | null): void {
    this.writeLine(lineOf(response));
    const database = this.#selecting.get(id);
    if (database === undefined) return;
    this.#selecting.delete(id);
    if (response.outcome?.ok === true) this.#database = database;
  }

  reply(status: ProxyStatus, _request: RequestMessage | null): ResponseMessage {
    if (status.name === 'no_error') return toyOrderAnswer(`+${status.detail}`);
    return toyOrderAnswer(`-${status.name} ${status.detail.replaceAll('\n', ' ')}`);
  }

  reset(_id: number, _status: ProxyStatus): Reset {
    return Reset.Close;
  }

  protected onMalformed(detail: string): void {
    this.dead = true;
    const reply = this.reply(statusOf(Status.malformed, detail), null);
    this.#emit(new ToyOrderRequest(Buffer.from('?\n'), Flag.End, '', '', reply));
    if (!this.sink.closed) this.sink.onGoAway();
  }

  protected onLine(line: Buffer): void {
    const words = line.toString('utf8', 0, line.length - 1).split(' ');
    const argument = words[1] ?? '';
    switch (words[0]) {
      case 'PING':
        this.#answer(line, '+PONG');
        break;
      case 'AUTH':
        this.#user = argument;
        this.#answer(line, '+OK');
        break;
      case 'QUIT':
        this.dead = true;
        this.#answer(line, '+BYE');
        if (!this.sink.closed) this.sink.onGoAway();
        break;
      case 'MULTI':
        this.#openMulti = true;
        this.#answer(line, '+OK');
        break;
      case 'EXEC':
        this.#exec(line);
        break;
      case 'SUBSCRIBE':
        this.#emit(this.#request(line, Flag.Bind));
        break;
      case 'BLOCK':
        this.#emit(this.#request(line, Flag.Bind | Flag.Unbind));
        break;
      case 'SELECT':
        this.held = true;
        this.#selecting.set(this.#lastId + 1, argument);
        this.#emit(this.#request(line, Flag.Hold));
        break;
      default:
        this.#route(line, words[0]!);
    }
  }

  #exec(line: Buffer): void {
    if (this.#inMulti) {
      const exec = this.#request(line, Flag.Unbind);
      this.#inMulti = false;
      this.#emit(exec);
    } else {
      this.#answer(line, this.#openMulti ? '+' : '-error EXEC without MULTI');
      this.#openMulti = false;
    }
  }

  #route(line: Buffer, command: string): void {
    if (this.#openMulti && KEYED.includes(command)) {
      this.#openMulti = false;
      this.#inMulti = true;
      this.#emit(this.#request(line, Flag.Bind, 'MULTI'));
    } else {
      this.#emit(this.#request(line, 0));
    }
  }

  #request(line: Buffer, flags: number, prefix = ''): ToyOrderRequest {
    const request = new ToyOrderRequest(line, Flag.End | flags, connectionKeyOf(this.#user, this.#database), prefix);
    request.needsBinding = this.#inMulti && prefix === '';
    return request;
  }

  #answer(line: Buffer, text: string): void {
    this.#emit(new ToyOrderRequest(line, Flag.End, '', '', toyOrderAnswer(text)));
  }

  #emit(request: ToyOrderRequest): void {
    this.sink.onHead(++this.#lastId, request);
  }
}

/** Answers that belong to no request of the core. */
const SWALLOWED = 0;

class ToyOrderClientCodec extends ToyOrderCodec<ResponseMessage> implements ClientCodec {
  readonly #ready: UpstreamSink;
  /** Lines of the handshake whose answers have not come. */
  #handshake: string[];
  /** Core ids in the order of their lines. */
  readonly #owed: number[] = [];

  constructor(sink: UpstreamSink, out: Output, options: ToyOrderOptions, connectionKey: string) {
    super(sink, out, options);
    this.#ready = sink;
    const [user = '', database = ''] = connectionKey.split(':');
    this.#handshake = [];
    if (user !== '') this.#handshake.push(`AUTH ${user}`);
    if (database !== '') this.#handshake.push(`SELECT ${database}`);
  }

  start(): void {
    for (const line of this.#handshake) this.writeLine(line);
    if (this.#handshake.length === 0) this.#ready.onReady(Number.MAX_SAFE_INTEGER);
  }

  keepalive(): void {
    this.writeLine('PING');
    this.#owed.push(SWALLOWED);
  }

  goAway(): void {}

  peerEnded(): void {
    if (this.#owed.length === 0 && this.#handshake.length === 0) {
      this.sink.onGoAway();
      return;
    }
    const detail = `toy-order: the upstream ended with ${this.#owed.length} answers owed`;
    this.sink.onError(statusOf(Status.upstream_reset, detail));
  }

  encode(id: number, request: RequestMessage): void {
    const prefix = request instanceof ToyOrderRequest ? request.prefix : '';
    const line = lineOf(request);
    if (prefix !== '') this.writeLine(prefix);
    this.writeLine(line);
    // Registered last: if a write throws, nothing is owed.
    if (prefix !== '') this.#owed.push(SWALLOWED);
    this.#owed.push(id);
  }

  reset(id: number, _status: ProxyStatus): Reset {
    return this.#owed.includes(id) ? Reset.Owed : Reset.Done;
  }

  protected onMalformed(detail: string): void {
    this.sink.onError(statusOf(Status.upstream_malformed, detail));
  }

  protected onLine(line: Buffer): void {
    const sign = String.fromCharCode(line[0]!);
    if (sign === '>') {
      if (line.toString() === '>goaway\n') this.sink.onGoAway();
      else this.sink.onHead(0, new ToyOrderResponse(line, Flag.End | Flag.Unsolicited));
      return;
    }
    if (sign !== '+' && sign !== '-') this.#fail(`answer begins with ${JSON.stringify(sign)}, expected + - or >`);
    else if (this.#handshake.length > 0) this.#onHandshakeAnswer(sign === '+', line);
    else this.#onAnswer(line);
  }

  #onAnswer(line: Buffer): void {
    const id = this.#owed.shift();
    if (id === undefined) {
      this.#fail('an answer came that no request asked for');
    } else if (id !== SWALLOWED) {
      // The binding of SUBSCRIBE ends when the upstream says so.
      const unbind = line.toString() === '+unsubscribed\n' ? Flag.Unbind : 0;
      this.sink.onHead(id, new ToyOrderResponse(line, Flag.End | unbind));
    }
  }

  #onHandshakeAnswer(ok: boolean, line: Buffer): void {
    const asked = this.#handshake.shift()!;
    if (!ok) {
      const detail = `toy-order: ${asked} was answered ${line.toString('utf8', 0, line.length - 1)}`;
      this.sink.onError(statusOf(Status.denied, detail));
    } else if (this.#handshake.length === 0) this.#ready.onReady(Number.MAX_SAFE_INTEGER);
  }

  #fail(detail: string): void {
    this.dead = true;
    this.sink.onError(statusOf(Status.upstream_malformed, `toy-order: ${detail}`));
  }
}

const manifest: ProtocolManifest = {
  name: 'toy-order',
  version: '1.0.0',
  aliases: [],
  family: 'toy-order',
  attributes: {
    fixed: [
      { key: 'command', description: 'First word of a request', mutable: false },
      { key: 'key', description: 'Second word of a request', mutable: true },
      { key: 'text', description: 'What an answer says', mutable: false },
    ],
    open: null,
    keyCase: 'sensitive',
    hostKey: null,
  },
  codes: TOY_CODES,
  options: [
    { key: 'lineLimitBytes', type: 'integer', minimum: 2, default: 1_024, description: 'Longest line' },
    { key: 'heldLimitBytes', type: 'integer', minimum: 0, default: 4_096, description: 'Parked behind a Hold' },
  ],
  capabilities: {
    requestMutation: true,
    responseMutation: false,
    oneway: false,
    streaming: false,
    errorReply: true,
    idempotencyHint: true,
    serverFirst: false,
    multiplexing: true,
  },
};

export const toyOrder: CodecFactory<ToyOrderOptions> = {
  manifest,
  alpn: [],
  replies: 'in-order',
  affinity: true,
  concurrency: { downstream: 256, upstream: 64 },
  parseOptions: (raw) => parseIntegerOptions<ToyOrderOptions>(raw, { lineLimitBytes: 1_024, heldLimitBytes: 4_096 }),
  createServerCodec: (sink, out, options) => new ToyOrderServerCodec(sink, out, options),
  createClientCodec: (sink, out, options, connectionKey) => new ToyOrderClientCodec(sink, out, options, connectionKey),
};
