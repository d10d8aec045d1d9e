/** breaking: takes a good codec and changes how its parts behave, so that a check of the kit has something to find. */
import type {
  ClientCodec,
  CodecFactory,
  Output,
  ServerCodec,
  Sink,
  UpstreamSink,
} from '../../../src/metaprotocol/codec.ts';
import type { Message, RequestMessage, ResponseMessage, Trailers } from '../../../src/metaprotocol/message.ts';
import type { ProxyStatus } from '../../../src/metaprotocol/status.ts';

/** Each function gets the good part and may replace methods of it. */
export interface Breakage {
  readonly factory?: (good: CodecFactory) => Partial<CodecFactory>;
  readonly server?: (codec: ServerCodec, sink: Sink<RequestMessage>, out: Output) => void;
  readonly client?: (codec: ClientCodec, sink: UpstreamSink, out: Output) => void;
  readonly request?: (head: RequestMessage) => void;
  readonly response?: (head: ResponseMessage) => void;
  readonly serverSink?: (sink: PassingSink<RequestMessage>) => void;
  readonly clientSink?: (sink: PassingSink<ResponseMessage>) => void;
}

export function breaking(good: CodecFactory, breakage: Breakage): CodecFactory {
  return {
    ...good,
    createServerCodec(sink, out, options, maxStreams) {
      const passing = new PassingSink<RequestMessage>(sink as unknown as UpstreamSink, breakage.request);
      breakage.serverSink?.(passing);
      const codec = good.createServerCodec(passing, out, options, maxStreams);
      breakage.server?.(codec, sink, out);
      return codec;
    },
    createClientCodec(sink, out, options, connectionKey) {
      const passing = new PassingSink<ResponseMessage>(sink, breakage.response);
      breakage.clientSink?.(passing);
      const codec = good.createClientCodec(passing, out, options, connectionKey);
      breakage.client?.(codec, sink, out);
      return codec;
    },
    ...breakage.factory?.(good),
  };
}

export interface BrokenCodec {
  readonly mistake: string;
  /** Name of the check that finds it. */
  readonly check: string;
  readonly reason: RegExp;
  readonly good: CodecFactory;
  readonly factory: CodecFactory;
}

export function brokenFrom(good: CodecFactory) {
  return (check: string, mistake: string, reason: RegExp, breakage: Breakage): BrokenCodec => {
    return { mistake, check, reason, good, factory: breaking(good, breakage) };
  };
}

/** Hands everything on; its methods may be replaced. */
export class PassingSink<M extends Message> implements UpstreamSink {
  readonly sink: UpstreamSink;
  readonly join: (id: number, next: Message) => boolean;
  readonly #onMessage: ((head: M) => void) | undefined;

  constructor(sink: UpstreamSink, onMessage: ((head: M) => void) | undefined) {
    this.sink = sink;
    this.#onMessage = onMessage;
    this.join = (id, next) => sink.join?.(id, next as unknown as ResponseMessage) === true;
  }

  get closed(): boolean {
    return this.sink.closed;
  }

  onHead(id: number, head: Message): void {
    this.#onMessage?.(head as M);
    this.sink.onHead(id, head as unknown as ResponseMessage);
  }

  onData(id: number, chunk: Buffer, end: boolean): void {
    this.sink.onData(id, chunk, end);
  }

  onTrailers(id: number, trailers: Trailers): void {
    this.sink.onTrailers(id, trailers);
  }

  onReset(id: number, status: ProxyStatus): void {
    this.sink.onReset(id, status);
  }

  onWritable(id: number): void {
    this.sink.onWritable(id);
  }

  onGoAway(why?: ProxyStatus): void {
    this.sink.onGoAway(why);
  }

  onReady(maxStreams: number): void {
    this.sink.onReady(maxStreams);
  }

  onError(status: ProxyStatus): void {
    this.sink.onError(status);
  }
}
