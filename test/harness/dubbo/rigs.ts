/** A server and a client codec on recording ends, for tests. */

import { DubboClientCodec, DubboServerCodec } from '../../../src/codecs/dubbo/codec.ts';
import type { DubboRequest, DubboResponse } from '../../../src/codecs/dubbo/message.ts';
import { parseDubboOptions } from '../../../src/codecs/dubbo/options.ts';
import { RecordingOutput } from '../../../src/conformance/recording-output.ts';
import { RecordingSink } from '../../../src/conformance/recording-sink.ts';
import type { ClientCodec, ServerCodec } from '../../../src/metaprotocol/codec.ts';
import type { ProxyStatus } from '../../../src/metaprotocol/status.ts';

export class ServerRig {
  readonly sink = new ReasonSink<DubboRequest>();
  readonly out = new RecordingOutput();
  readonly codec: ServerCodec & DubboServerCodec;

  constructor(options?: unknown) {
    this.codec = new DubboServerCodec(this.sink, this.out, parseDubboOptions(options));
    this.codec.start();
  }
}

export class ClientRig {
  readonly sink = new ReasonSink<DubboResponse>();
  readonly out = new RecordingOutput();
  readonly codec: ClientCodec & DubboClientCodec;

  constructor(options?: unknown) {
    this.codec = new DubboClientCodec(this.sink, this.out, parseDubboOptions(options));
    this.codec.start();
  }
}

/** Writes down why a codec asked to close behind its answers. */
class ReasonSink<M extends DubboRequest | DubboResponse> extends RecordingSink<M> {
  reason: ProxyStatus | null = null;

  override onGoAway(why?: ProxyStatus): void {
    this.reason = why ?? null;
    super.onGoAway();
  }
}

/** What tells two messages apart, for comparing runs. */
export function describeHead(head: DubboRequest | DubboResponse): string {
  const attributes: string[] = [];
  head.entries((key, value) => attributes.push(`${key}=${value}`));
  return `${head.flags} ${attributes.join(' ')} ${head.raw?.toString('hex') ?? 'no bytes'}`;
}

export function attributesOf(head: DubboRequest | DubboResponse): Record<string, string> {
  const attributes: Record<string, string> = {};
  head.entries((key, value) => {
    attributes[key] = value;
  });
  return attributes;
}
