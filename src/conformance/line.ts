/**
 * Line: a server and a client codec of one connection each, joined as the core joins them when nobody has to wait: every event is
 * written on while its bytes are lent. It keeps nothing but the request in flight.
 */
import type { ClientCodec, CodecFactory, ServerCodec, UpstreamSink } from '../metaprotocol/codec.ts';
import type { Message, RequestMessage, ResponseMessage, Trailers } from '../metaprotocol/message.ts';
import type { ProxyStatus } from '../metaprotocol/status.ts';
import { ScratchOutput } from './scratch-output.ts';

export class Line {
  readonly server: ServerCodec;
  readonly client: ClientCodec;
  /** What the caller reads, and what the upstream does. */
  readonly toCaller = new ScratchOutput();
  readonly toUpstream = new ScratchOutput();
  /** Of the request in flight. */
  coreId = 0;
  readonly #serverSink: RelaySink;
  readonly #clientSink: RelaySink;
  #head: RequestMessage | null = null;
  #downstreamId = 0;

  constructor(factory: CodecFactory, rawOptions: unknown, connectionKey: string) {
    const options = factory.parseOptions(rawOptions);
    this.#serverSink = new RelaySink((head) => {
      this.#downstreamId = this.#serverSink.id;
      this.#head = head as RequestMessage;
      this.client.encode(++this.coreId, head as RequestMessage);
    });
    this.#clientSink = new RelaySink((head) => {
      this.server.encode(this.#downstreamId, head as ResponseMessage, this.#head);
    });
    const { downstream } = factory.concurrency;
    this.client = factory.createClientCodec(this.#clientSink, this.toUpstream, options, connectionKey);
    this.server = factory.createServerCodec(this.#serverSink, this.toCaller, options, downstream);
    this.#serverSink.onBody = (chunk, end, trailers) => {
      if (trailers !== null) this.client.trailers(this.coreId, trailers);
      else this.client.data(this.coreId, chunk, end, true);
      this.server.credit(this.#downstreamId, chunk.length);
    };
    this.#clientSink.onBody = (chunk, end, trailers) => {
      if (trailers !== null) this.server.trailers(this.#downstreamId, trailers);
      else this.server.data(this.#downstreamId, chunk, end, true);
      this.client.credit(this.coreId, chunk.length);
    };
    this.client.start();
    this.toUpstream.lend();
    this.server.start();
  }
}

const EMPTY = Buffer.alloc(0);

/** Throws what the codec finds wrong: nothing is expected to be. */
class RelaySink implements UpstreamSink {
  readonly closed = false;
  /** Of the head that came last. */
  id = 0;
  onBody: (chunk: Buffer, end: boolean, trailers: Trailers | null) => void = () => {};
  readonly #onHead: (head: Message) => void;

  constructor(onHead: (head: Message) => void) {
    this.#onHead = onHead;
  }

  onHead(id: number, head: Message): void {
    this.id = id;
    this.#onHead(head);
  }

  onData(_id: number, chunk: Buffer, end: boolean): void {
    this.onBody(chunk, end, null);
  }

  onTrailers(_id: number, trailers: Trailers): void {
    this.onBody(EMPTY, true, trailers);
  }

  onReset(_id: number, status: ProxyStatus): void {
    throw new Error(status.detail);
  }

  onWritable(): void {}

  onGoAway(): void {}

  onReady(): void {}

  onError(status: ProxyStatus): void {
    throw new Error(status.detail);
  }
}
