/** toy-stream: HTTP/2 in miniature: streams with windows, trailers, resets and GOAWAY. Its frames are in toy-stream-wire.ts. */
import type {
  ClientCodec,
  CodecFactory,
  Output,
  ServerCodec,
  Sink,
  UpstreamSink,
} from '../../../src/metaprotocol/codec.ts';
import type { ProtocolManifest } from '../../../src/metaprotocol/manifest.ts';
import { Flag, type RequestMessage, type ResponseMessage } from '../../../src/metaprotocol/message.ts';
import { type ProxyStatus, Status, statusOf } from '../../../src/metaprotocol/status.ts';
import { AttributeBlock } from './attribute-block.ts';
import { codeOf, TOY_CODES } from './toy-codes.ts';
import { parseIntegerOptions } from './toy-options.ts';
import { type Lane, ToyStreamCodec, type ToyStreamOptions } from './toy-stream-codec.ts';
import { blockOf, frameFlagsOf, messageFlagsOf, ToyStreamRequest, ToyStreamResponse } from './toy-stream-message.ts';
import { numbersPayload, ResetCode, resetStatusOf, Type, writeFrame } from './toy-stream-wire.ts';

class ToyStreamServerCodec extends ToyStreamCodec<RequestMessage> implements ServerCodec {
  protected readonly malformed = Status.malformed;
  readonly #maxStreams: number;
  #lastId = 0;
  #lastWireId = 0;
  #goingAway = false;

  constructor(sink: Sink<RequestMessage>, out: Output, options: ToyStreamOptions, maxStreams: number) {
    super(sink, out, options, maxStreams);
    this.#maxStreams = maxStreams;
  }

  goAway(): void {
    this.#goingAway = true;
    writeFrame(this.out, Type.GoAway, 0, numbersPayload(this.#lastWireId));
  }

  peerEnded(): void {
    for (const lane of [...this.lanes.values()]) {
      if (this.sink.closed) return;
      if (lane.remoteEnded) continue;
      this.forget(lane);
      this.#giveUp(lane, 'toy-stream: the caller ended in the middle of its request');
    }
  }

  encode(id: number, response: ResponseMessage, _request: RequestMessage | null): void {
    const lane = this.laneOf(id);
    if (lane === undefined) throw new Error(`toy-stream: answer for stream ${id}, which is not open`);
    writeFrame(this.out, Type.Head, lane.wireId, blockOf(response), frameFlagsOf(response.flags));
    if ((response.flags & (Flag.End | Flag.Informational)) === Flag.End) this.endLocal(lane);
  }

  reply(status: ProxyStatus, _request: RequestMessage | null): ResponseMessage {
    const block = AttributeBlock.of([
      ['status', `${codeOf(status)}`],
      ['error', status.name],
      ['detail', status.detail.replaceAll('\n', ' ')],
    ]);
    return new ToyStreamResponse(block, Flag.End);
  }

  protected open(wireId: number): Lane | undefined {
    // Heads of streams that were reset meanwhile are late, not new.
    if (wireId <= this.#lastWireId) return undefined;
    this.#lastWireId = wireId;
    if (this.#goingAway || this.lanes.size >= this.#maxStreams) {
      writeFrame(this.out, Type.Reset, wireId, Buffer.of(ResetCode.Refused));
      return undefined;
    }
    return this.addLane(++this.#lastId, wireId);
  }

  protected messageOf(block: AttributeBlock, frameFlags: number): RequestMessage {
    return new ToyStreamRequest(block, messageFlagsOf(frameFlags));
  }

  protected onHello(_maxStreams: number): void {}

  protected onGoAwayFrame(_lastWireId: number): void {
    this.sink.onGoAway();
  }

  protected onResetFrame(lane: Lane, code: number): void {
    this.#giveUp(lane, `toy-stream: reset by the caller with code ${code}`);
  }

  #giveUp(lane: Lane, detail: string): void {
    if (lane.announced) this.sink.onReset(lane.id, statusOf(Status.downstream_reset, detail));
  }
}

class ToyStreamClientCodec extends ToyStreamCodec<ResponseMessage> implements ClientCodec {
  protected readonly malformed = Status.upstream_malformed;
  readonly #ready: UpstreamSink;

  constructor(sink: UpstreamSink, out: Output, options: ToyStreamOptions) {
    super(sink, out, options, 0);
    this.#ready = sink;
  }

  /** Servers open no streams here, so there is nothing to refuse. */
  goAway(): void {}

  peerEnded(): void {
    this.sink.onGoAway();
    for (const lane of [...this.lanes.values()]) {
      if (this.sink.closed) return;
      if (lane.remoteEnded) continue;
      this.forget(lane);
      this.sink.onReset(lane.id, statusOf(Status.upstream_reset, 'toy-stream: the upstream ended before its answer'));
    }
  }

  encode(id: number, request: RequestMessage): void {
    writeFrame(this.out, Type.Head, id, blockOf(request), frameFlagsOf(request.flags));
    const lane = this.addLane(id, id);
    lane.announced = true;
    if ((request.flags & Flag.End) !== 0) this.endLocal(lane);
  }

  protected open(_wireId: number): undefined {
    return undefined;
  }

  protected messageOf(block: AttributeBlock, frameFlags: number): ResponseMessage {
    return new ToyStreamResponse(block, messageFlagsOf(frameFlags));
  }

  protected onHello(maxStreams: number): void {
    this.#ready.onReady(maxStreams);
  }

  protected onGoAwayFrame(lastWireId: number): void {
    this.sink.onGoAway();
    for (const lane of [...this.lanes.values()]) {
      if (this.sink.closed) return;
      if (lane.wireId <= lastWireId) continue;
      this.forget(lane);
      this.sink.onReset(lane.id, Status.refused);
    }
  }

  protected onResetFrame(lane: Lane, code: number): void {
    const early = code === ResetCode.NoError && !lane.remoteEnded;
    this.sink.onReset(lane.id, early ? Status.upstream_reset : resetStatusOf(code));
  }
}

const DEFAULTS: ToyStreamOptions = {
  frameLimitBytes: 16_384,
  windowBytes: 4_096,
  connectionWindowBytes: 16_384,
  heldLimitBytes: 16_384,
  resetFrames: 1,
};

const manifest: ProtocolManifest = {
  name: 'toy-stream',
  version: '1.0.0',
  aliases: [],
  family: 'toy-stream',
  attributes: {
    fixed: [
      { key: 'host', description: 'Whom the request is for', mutable: true },
      { key: 'method', description: 'What is asked', mutable: true },
      { key: 'status', description: 'Outcome of an answer, in its head or its trailers', mutable: true },
    ],
    open: { description: 'Any other line of the head', mutable: true },
    keyCase: 'sensitive',
    hostKey: 'host',
  },
  codes: TOY_CODES,
  options: Object.entries(DEFAULTS).map(([key, value]) => ({
    key,
    type: 'integer',
    minimum: 0,
    default: value,
    description: `See ToyStreamOptions.${key}`,
  })),
  capabilities: {
    requestMutation: true,
    responseMutation: true,
    oneway: false,
    streaming: true,
    errorReply: true,
    idempotencyHint: true,
    serverFirst: false,
    multiplexing: true,
  },
};

export const toyStream: CodecFactory<ToyStreamOptions> = {
  manifest,
  alpn: ['toy-stream'],
  replies: 'any-order',
  affinity: false,
  concurrency: { downstream: 100, upstream: 1_024 },
  parseOptions: (raw) => parseIntegerOptions<ToyStreamOptions>(raw, DEFAULTS),
  createServerCodec: (sink, out, options, maxStreams) => new ToyStreamServerCodec(sink, out, options, maxStreams),
  createClientCodec: (sink, out, options) => new ToyStreamClientCodec(sink, out, options),
};
