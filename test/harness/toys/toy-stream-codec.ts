/** ToyStreamCodec: what both sides of toy-stream share: streams, windows, held events, resets. */
import { type Codec, type Output, Reset, type Sink } from '../../../src/metaprotocol/codec.ts';
import type { Message, Trailers } from '../../../src/metaprotocol/message.ts';
import { type ProxyStatus, statusOf } from '../../../src/metaprotocol/status.ts';
import { AttributeBlock } from './attribute-block.ts';
import { FrameReader } from './frame-reader.ts';
import { blockOf, ToyStreamTrailers } from './toy-stream-message.ts';
import {
  DATA_FRAME_BYTES,
  EMPTY,
  FrameFlag,
  HEAD_BYTES,
  numbersPayload,
  resetCodeOf,
  Type,
  writeFrame,
} from './toy-stream-wire.ts';

export interface ToyStreamOptions {
  readonly frameLimitBytes: number;
  /** What a peer may send on one stream before it is credited. */
  readonly windowBytes: number;
  readonly connectionWindowBytes: number;
  /** Parked while paused before reading stops. */
  readonly heldLimitBytes: number;
  /** 0: the protocol has no reset frames, as HTTP/1: a stream is given up by closing its connection. */
  readonly resetFrames: number;
  readonly [key: string]: number;
}

/** Waits for window or room: data, or trailers if `trailers`. */
interface Outgoing {
  bytes: Buffer;
  lent: boolean;
  readonly end: boolean;
  readonly trailers: boolean;
}

/** One stream as the codec knows it. */
export interface Lane {
  readonly id: number;
  readonly wireId: number;
  sendWindow: number;
  receiveWindow: number;
  readonly queue: Outgoing[];
  /** data() or trailers() returned false and onWritable has not come. */
  waiting: boolean;
  localEnded: boolean;
  remoteEnded: boolean;
  /** The sink has seen its head, or made it. */
  announced: boolean;
}

interface Held {
  readonly lane: Lane;
  readonly type: Type;
  readonly flags: number;
  readonly payload: Buffer;
}

export abstract class ToyStreamCodec<M extends Message> implements Codec {
  protected readonly sink: Sink<M>;
  protected readonly out: Output;
  protected readonly options: ToyStreamOptions;
  protected readonly lanes = new Map<number, Lane>();
  readonly #lanesById = new Map<number, Lane>();
  readonly #reader: FrameReader;
  readonly #maxStreams: number;
  #held: Held[] = [];
  #heldBytes = 0;
  #paused = false;
  #releasing = false;
  #sendWindow = 0;
  #peerWindow: number | null = null;

  constructor(sink: Sink<M>, out: Output, options: ToyStreamOptions, maxStreams: number) {
    this.sink = sink;
    this.out = out;
    this.options = options;
    this.#maxStreams = maxStreams;
    this.#reader = new FrameReader({
      frameLimitBytes: options.frameLimitBytes,
      stopped: () => sink.closed,
      onOversize: (detail) => this.fail(detail),
      onFrame: (frame) => this.#onFrame(frame),
    });
  }

  protected abstract readonly malformed: ProxyStatus;
  protected abstract onHello(maxStreams: number): void;
  protected abstract onGoAwayFrame(lastWireId: number): void;
  protected abstract onResetFrame(lane: Lane, code: number): void;
  /** A head for a stream that is not open: opens it, or ignores the frame with undefined. */
  protected abstract open(wireId: number): Lane | undefined;
  protected abstract messageOf(block: AttributeBlock, frameFlags: number): M;
  abstract peerEnded(): void;
  abstract goAway(): void;

  start(): void {
    const { windowBytes, connectionWindowBytes } = this.options;
    writeFrame(this.out, Type.Hello, 0, numbersPayload(this.#maxStreams, windowBytes, connectionWindowBytes));
  }

  keepalive(): void {
    writeFrame(this.out, Type.Ping, 0, EMPTY);
  }

  decode(chunk: Buffer, _lent: boolean): void {
    this.#reader.push(chunk);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    if (this.#releasing) return;
    this.#releasing = true;
    while (!this.#paused && !this.sink.closed) {
      const next = this.#held.shift();
      if (next === undefined) break;
      this.#heldBytes -= next.payload.length;
      this.#deliver(next.lane, next.type, next.flags, next.payload);
    }
    this.#releasing = false;
  }

  get reading(): boolean {
    return this.#heldBytes <= this.options.heldLimitBytes;
  }

  credit(id: number, bytes: number): void {
    const lane = this.#lanesById.get(id);
    if (lane === undefined || lane.remoteEnded) return;
    lane.receiveWindow += bytes;
    writeFrame(this.out, Type.Window, lane.wireId, numbersPayload(bytes));
  }

  data(id: number, chunk: Buffer, end: boolean, lent: boolean): boolean {
    return this.#send(id, { bytes: chunk, lent, end, trailers: false });
  }

  trailers(id: number, trailers: Trailers): boolean {
    return this.#send(id, { bytes: blockOf(trailers), lent: false, end: true, trailers: true });
  }

  room(): void {
    let progressed = true;
    while (progressed) {
      progressed = false;
      for (const lane of [...this.lanes.values()]) {
        if (this.sink.closed) return;
        if (this.lanes.get(lane.wireId) === lane && this.#sendOne(lane)) progressed = true;
      }
    }
  }

  reset(id: number, status: ProxyStatus): Reset {
    const lane = this.#lanesById.get(id);
    if (lane === undefined) return Reset.Done;
    this.forget(lane);
    if (this.options.resetFrames === 0) return Reset.Close;
    writeFrame(this.out, Type.Reset, lane.wireId, Buffer.of(resetCodeOf(status)));
    return Reset.Done;
  }

  protected addLane(id: number, wireId: number): Lane {
    const lane: Lane = {
      id,
      wireId,
      sendWindow: this.#peerWindow!,
      receiveWindow: this.options.windowBytes,
      queue: [],
      waiting: false,
      localEnded: false,
      remoteEnded: false,
      announced: false,
    };
    this.lanes.set(wireId, lane);
    this.#lanesById.set(id, lane);
    return lane;
  }

  protected laneOf(id: number): Lane | undefined {
    return this.#lanesById.get(id);
  }

  protected forget(lane: Lane): void {
    this.lanes.delete(lane.wireId);
    this.#lanesById.delete(lane.id);
    const held = this.#held.filter((event) => event.lane !== lane);
    this.#heldBytes -= this.#held.reduce(
      (sum, { lane: owner, payload }) => sum + (owner === lane ? payload.length : 0),
      0,
    );
    this.#held = held;
  }

  protected endLocal(lane: Lane): void {
    lane.localEnded = true;
    if (lane.remoteEnded) this.forget(lane);
  }

  protected fail(detail: string): void {
    this.sink.onError(statusOf(this.malformed, `toy-stream: ${detail}`));
  }

  #send(id: number, outgoing: Outgoing): boolean {
    const lane = this.#lanesById.get(id);
    if (lane === undefined) return true;
    if (lane.localEnded) throw new Error(`toy-stream: data for stream ${id}, which has ended`);
    lane.queue.push(outgoing);
    while (this.#sendOne(lane));
    if (lane.queue.length === 0) return true;
    if (outgoing.lent) {
      outgoing.bytes = Buffer.from(outgoing.bytes);
      outgoing.lent = false;
    }
    lane.waiting = true;
    return false;
  }

  /** One frame of one stream, so that all get their turn. False: nothing to send, or it must wait. */
  #sendOne(lane: Lane): boolean {
    const next = lane.queue[0];
    if (next === undefined || this.out.full) return false;
    let last = true;
    if (next.trailers) {
      writeFrame(this.out, Type.Trailers, lane.wireId, next.bytes);
    } else {
      const bytes = Math.min(next.bytes.length, lane.sendWindow, this.#sendWindow, DATA_FRAME_BYTES);
      if (bytes === 0 && next.bytes.length > 0) return false;
      last = bytes === next.bytes.length;
      this.#writeData(lane, next, bytes, last && next.end);
      lane.sendWindow -= bytes;
      this.#sendWindow -= bytes;
      next.bytes = next.bytes.subarray(bytes);
    }
    if (!last) return true;
    lane.queue.shift();
    if (next.end) this.endLocal(lane);
    if (lane.waiting && lane.queue.length === 0) {
      lane.waiting = false;
      this.sink.onWritable(lane.id);
    }
    return true;
  }

  #writeData(lane: Lane, next: Outgoing, bytes: number, end: boolean): void {
    const flags = end ? FrameFlag.End : 0;
    if (next.lent) {
      writeFrame(this.out, Type.Data, lane.wireId, next.bytes.subarray(0, bytes), flags);
      return;
    }
    const offset = this.out.reserve(HEAD_BYTES);
    this.out.slab.writeUInt32BE(HEAD_BYTES - 4 + bytes, offset);
    this.out.slab[offset + 4] = Type.Data;
    this.out.slab[offset + 5] = flags;
    this.out.slab.writeUInt32BE(lane.wireId, offset + 6);
    if (bytes > 0) this.out.view(next.bytes.subarray(0, bytes));
  }

  #onFrame(frame: Buffer): void {
    if (frame.length < HEAD_BYTES) {
      this.fail(`frame of ${frame.length} bytes < its head of ${HEAD_BYTES}`);
      return;
    }
    const type = frame[4] as Type;
    const wireId = frame.readUInt32BE(6);
    const payload = frame.subarray(HEAD_BYTES);
    const numbers = type === Type.Hello ? 3 : type === Type.Window || type === Type.GoAway ? 1 : 0;
    if (payload.length < numbers * 4) {
      this.fail(`frame of type ${type} has ${payload.length} bytes, expected ${numbers * 4}`);
    } else if (this.#peerWindow === null && type !== Type.Hello) {
      this.fail(`frame of type ${type} before the hello`);
    } else {
      this.#dispatch(type, wireId, frame[5]!, payload);
    }
  }

  #dispatch(type: Type, wireId: number, flags: number, payload: Buffer): void {
    switch (type) {
      case Type.Hello:
        if (this.#peerWindow === null) {
          this.#peerWindow = payload.readUInt32BE(4);
          this.#sendWindow = payload.readUInt32BE(8);
        }
        this.onHello(payload.readUInt32BE(0));
        break;
      case Type.Window:
        this.#onWindow(wireId, payload.readUInt32BE(0));
        break;
      case Type.GoAway:
        this.onGoAwayFrame(payload.readUInt32BE(0));
        break;
      case Type.Ping:
        writeFrame(this.out, Type.Pong, 0, EMPTY);
        break;
      case Type.Pong:
        break;
      case Type.Reset: {
        const lane = this.lanes.get(wireId);
        if (lane === undefined) break;
        this.forget(lane);
        this.onResetFrame(lane, payload[0] ?? 0);
        break;
      }
      case Type.Head:
      case Type.Data:
      case Type.Trailers:
        this.#onStreamFrame(type, wireId, flags, payload);
        break;
      default:
        this.fail(`unknown frame type ${type as number}`);
    }
  }

  #onWindow(wireId: number, bytes: number): void {
    if (wireId === 0) {
      this.#sendWindow += bytes;
      this.room();
      return;
    }
    const lane = this.lanes.get(wireId);
    if (lane === undefined) return;
    lane.sendWindow += bytes;
    while (!this.sink.closed && this.#sendOne(lane));
  }

  #onStreamFrame(type: Type, wireId: number, flags: number, payload: Buffer): void {
    // The connection's window opens on receipt: a slow stream never stops the others.
    if (type === Type.Data && payload.length > 0) {
      writeFrame(this.out, Type.Window, 0, numbersPayload(payload.length));
    }
    let lane = this.lanes.get(wireId);
    if (lane === undefined && type === Type.Head) lane = this.open(wireId);
    // Late frames of a stream that was reset.
    if (lane === undefined) return;
    if (type === Type.Data) {
      lane.receiveWindow -= payload.length;
      if (lane.receiveWindow < 0) {
        this.fail(`stream ${wireId} sent ${-lane.receiveWindow} bytes more than its window`);
        return;
      }
    }
    if (this.#paused || this.#held.length > 0 || this.#releasing) {
      this.#held.push({ lane, type, flags, payload: Buffer.from(payload) });
      this.#heldBytes += payload.length;
    } else {
      this.#deliver(lane, type, flags, payload);
    }
  }

  #deliver(lane: Lane, type: Type, flags: number, payload: Buffer): void {
    if (type === Type.Trailers || (flags & FrameFlag.End) !== 0) {
      lane.remoteEnded = true;
      if (lane.localEnded) this.forget(lane);
    }
    if (type === Type.Head) {
      lane.announced = true;
      this.sink.onHead(lane.id, this.messageOf(new AttributeBlock(payload), flags));
    } else if (type === Type.Data) {
      this.sink.onData(lane.id, payload, (flags & FrameFlag.End) !== 0);
    } else {
      // Trailers cannot be kept, so they are never lent.
      this.sink.onTrailers(lane.id, new ToyStreamTrailers(new AttributeBlock(Buffer.from(payload))));
    }
  }
}
