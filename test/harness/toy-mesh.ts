/** Meshes of one toy protocol each, with the peers that speak it. */
import { type Filter, FilterStatus, type Stream } from '../../src/metaprotocol/filter.ts';
import type { RequestMessage, ResponseMessage } from '../../src/metaprotocol/message.ts';
import { Mesh, type MeshOptions } from './mesh.ts';
import {
  FramePeer,
  LinePeer,
  type StreamCaller,
  type StreamUpstream,
  streamCaller,
  streamUpstream,
} from './toy-peers.ts';
import { toyId } from './toys/toy-id.ts';
import { toyOrder } from './toys/toy-order.ts';
import { toyStream } from './toys/toy-stream.ts';

type Options<P extends FramePeer | LinePeer | StreamUpstream> = Partial<MeshOptions<P>>;

export class IdMesh extends Mesh<FramePeer> {
  constructor(options: Options<FramePeer> = {}) {
    super({ factory: toyId, upstreamPeer: (wire) => new FramePeer(wire), ...options });
  }

  newCaller(): FramePeer {
    return this.caller((wire) => new FramePeer(wire));
  }
}

export class OrderMesh extends Mesh<LinePeer> {
  constructor(options: Options<LinePeer> = {}) {
    super({ factory: toyOrder, upstreamPeer: (wire) => new LinePeer(wire), ...options });
  }

  newCaller(): LinePeer {
    return this.caller((wire) => new LinePeer(wire));
  }
}

export class StreamMesh extends Mesh<StreamUpstream> {
  constructor(options: Options<StreamUpstream> = {}) {
    super({ factory: toyStream, upstreamPeer: (wire) => streamUpstream(wire), ...options });
  }

  newCaller(codecOptions: unknown = undefined): StreamCaller {
    const caller = this.caller((wire) => streamCaller(wire, codecOptions));
    this.settle();
    return caller;
  }
}

/** A filter whose hooks a test sets, also while streams run. */
export class ScriptedFilter implements Filter {
  request: (stream: Stream, request: RequestMessage) => FilterStatus = () => FilterStatus.Continue;
  response: (stream: Stream, response: ResponseMessage) => FilterStatus = () => FilterStatus.Continue;
  end: (stream: Stream) => void = () => {};
  /** Statuses of the streams that ended, in order. */
  readonly ended: string[] = [];

  onRequest(stream: Stream, request: RequestMessage): FilterStatus {
    return this.request(stream, request);
  }

  onResponse(stream: Stream, response: ResponseMessage): FilterStatus {
    return this.response(stream, response);
  }

  onEnd(stream: Stream): void {
    this.ended.push(stream.status.name);
    this.end(stream);
  }
}
