/** CodecPeer: the other end of a MemoryWire, spoken to through a codec: a caller has a client codec, an upstream a server codec. */

import { decodeLent } from '../../src/conformance/feed.ts';
import type { RecordingOutput } from '../../src/conformance/recording-output.ts';
import type { RecordingSink, SinkEvent } from '../../src/conformance/recording-sink.ts';
import type { Codec } from '../../src/metaprotocol/codec.ts';
import type { Message } from '../../src/metaprotocol/message.ts';
import type { MemoryWire } from './memory-wire.ts';
import { RawPeer } from './raw-peer.ts';

export class CodecPeer<C extends Codec, M extends Message> extends RawPeer {
  readonly codec: C;
  readonly sink: RecordingSink<M>;
  readonly out: RecordingOutput;
  /** Data is credited as it comes. */
  crediting = true;
  /** Called for each event of the codec: where a scripted upstream answers. */
  onEvent: (event: SinkEvent<M>) => void = () => {};
  /** Stopped: nothing that the codec wrote leaves. */
  writing = true;
  #endTold = false;

  constructor(
    wire: MemoryWire,
    bench: { readonly codec: C; readonly sink: RecordingSink<M>; readonly out: RecordingOutput },
  ) {
    super(wire);
    this.codec = bench.codec;
    this.sink = bench.sink;
    this.out = bench.out;
    this.sink.onEvent = (event) => {
      if (event.kind === 'data' && this.crediting && event.chunk.length > 0)
        this.codec.credit(event.id, event.chunk.length);
      this.onEvent(event);
    };
  }

  override pump(): boolean {
    const moved = super.pump();
    // The FIN stands behind the last byte.
    if (this.wire.ended && this.wire.takeableBytes === 0 && !this.#endTold && !this.sink.closed) {
      this.#endTold = true;
      this.codec.peerEnded();
    }
    if (this.out.queuedBytes === 0 || !this.writing) return moved;
    this.wire.send(this.out.take());
    return true;
  }

  protected override onBytes(bytes: Buffer): void {
    if (!this.sink.closed) decodeLent(this.codec, bytes);
  }
}
