/** Peers that speak the toys: lines, frames and streams, from either end of a connection. */

import { benchClient, benchServer } from '../../src/conformance/codec-bench.ts';
import type { ClientCodec, ServerCodec } from '../../src/metaprotocol/codec.ts';
import type { RequestMessage, ResponseMessage } from '../../src/metaprotocol/message.ts';
import { CodecPeer } from './codec-peer.ts';
import type { MemoryWire } from './memory-wire.ts';
import { RawPeer } from './raw-peer.ts';
import { Kind, type ToyIdFrame, toyIdFrame } from './toys/toy-id.ts';
import { toyStream } from './toys/toy-stream.ts';

/** Speaks lines: a caller or an upstream of toy-order. */
export class LinePeer extends RawPeer {
  /** Whole lines that came, without their newlines. */
  readonly lines: string[] = [];
  /** Upstreams answer at once what this returns. */
  respond: (line: string) => string | null = () => null;
  #rest = '';

  /** Upstream: answers as a store whose value of key k is `v-k`. */
  static echo(wire: MemoryWire): LinePeer {
    const peer = new LinePeer(wire);
    peer.respond = (line) =>
      `+${line
        .split(' ')
        .slice(1)
        .map((key) => `v-${key}`)
        .join(' ')}`;
    return peer;
  }

  sendLines(...lines: string[]): void {
    this.send(lines.map((line) => `${line}\n`).join(''));
  }

  takeLines(): string[] {
    return this.lines.splice(0);
  }

  protected override onBytes(bytes: Buffer): void {
    const parts = (this.#rest + bytes.toString()).split('\n');
    this.#rest = parts.pop()!;
    for (const line of parts) {
      this.lines.push(line);
      const answer = this.respond(line);
      if (answer !== null) this.sendLines(answer);
    }
  }
}

export interface ReceivedFrame {
  readonly kind: Kind;
  readonly status: number;
  readonly id: bigint;
  readonly head: string;
  readonly body: string;
}

/** Speaks toy-id frames. */
export class FramePeer extends RawPeer {
  readonly frames: ReceivedFrame[] = [];
  /** Upstreams answer at once what this returns. */
  respond: (frame: ReceivedFrame) => Buffer | null = () => null;
  #rest: Buffer = Buffer.alloc(0);

  /** Upstream: answers each call with its own body. */
  static echo(wire: MemoryWire): FramePeer {
    const peer = new FramePeer(wire);
    peer.respond = (frame) => (frame.kind === Kind.Request ? answerTo(frame) : null);
    return peer;
  }

  call(id: bigint, body = '', attributes: Readonly<Record<string, string>> = { method: 'get' }): void {
    this.send(toyIdFrame({ kind: Kind.Request, id, attributes, body }));
  }

  answer(frame: ReceivedFrame, more: Partial<ToyIdFrame> = {}): void {
    this.send(answerTo(frame, more));
  }

  takeFrames(): ReceivedFrame[] {
    return this.frames.splice(0);
  }

  /** Id and body of what came, as text: `7 hello`. */
  takeTexts(): string[] {
    return this.takeFrames().map((frame) => `${frame.id} ${frame.body}`);
  }

  protected override onBytes(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length >= 4) {
      const length = this.#rest.readUInt32BE(0) + 4;
      if (this.#rest.length < length) return;
      const frame = parse(this.#rest.subarray(0, length));
      this.#rest = this.#rest.subarray(length);
      if (frame.kind === Kind.Heartbeat) {
        this.send(toyIdFrame({ kind: Kind.HeartbeatAnswer, id: frame.id }));
        continue;
      }
      this.frames.push(frame);
      const answer = this.respond(frame);
      if (answer !== null) this.send(answer);
    }
  }
}

export function answerTo(frame: ReceivedFrame, more: Partial<ToyIdFrame> = {}): Buffer {
  return toyIdFrame({ kind: Kind.Response, id: frame.id, body: frame.body, ...more });
}

function parse(bytes: Buffer): ReceivedFrame {
  const headEnd = 16 + bytes.readUInt16BE(14);
  return {
    kind: bytes[4] as Kind,
    status: bytes[5]!,
    id: bytes.readBigUInt64BE(6),
    head: bytes.toString('utf8', 16, headEnd),
    body: bytes.toString('utf8', headEnd),
  };
}

export type StreamCaller = CodecPeer<ClientCodec, ResponseMessage>;
export type StreamUpstream = CodecPeer<ServerCodec, RequestMessage>;

export function streamCaller(wire: MemoryWire, options: unknown = undefined): StreamCaller {
  return new CodecPeer(wire, benchClient(toyStream, options));
}

export function streamUpstream(wire: MemoryWire, options: unknown = undefined, maxStreams = 100): StreamUpstream {
  return new CodecPeer(wire, benchServer(toyStream, options, maxStreams));
}
