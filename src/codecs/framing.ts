/**
 * Framing: cuts a connection's bytes into frames under a size limit. The only place that joins buffers.
 * It knows no protocol: where a frame ends is told by a FrameMeter.
 */
import type { ProxyStatus } from '../metaprotocol/status.ts';

/** `measure` found that no frame can start here; `fault` says why. */
export const BAD_FRAME = -1;

/** Why bytes are no frame. */
export interface FrameFault {
  readonly status: ProxyStatus;
  /** Actual and expected, in words. */
  readonly text: string;
  /** Offset from the start of the frame. */
  readonly at: number;
}

export interface FrameMeter {
  /**
   * Asked again and again for the frame that starts at `from`, with ever more of it, until it is complete; its bytes may move
   * between two calls. Returns its length if that is at most `to - from`; else the number of bytes, greater than that, that it
   * needs at least; or BAD_FRAME. A frame over the limit must be told by its head, before its body is buffered.
   */
  measure(bytes: Buffer, from: number, to: number): number;
  /** Set when `measure` returned BAD_FRAME. */
  readonly fault: FrameFault | null;
}

export interface FrameReceiver {
  /** One frame. `lent`: the bytes are reused when `Framer.decode` returns; else nobody writes to them any more. */
  onFrame(bytes: Buffer, from: number, to: number, lent: boolean): void;
  /** Once, the last call: what begins at `from` is no frame. The framer drops all that follows. */
  onBadFrame(fault: FrameFault, bytes: Buffer, from: number, to: number): void;
}

/** A length field at a fixed place. */
export interface LengthPrefixFormat {
  /** Bytes of a frame that must be there before its length is read; no frame is shorter. */
  readonly headBytes: number;
  readonly lengthOffset: number;
  readonly lengthWidth: 1 | 2 | 3 | 4;
  readonly endian: 'big' | 'little';
  /** Bytes of the frame = value of the length field + adjustment. */
  readonly adjustment: number;
  /** The largest value of the length field. */
  readonly limit: number;
  /** Option that the limit came from, for the error's text: `frameLimitBytes`. */
  readonly limitName: string;
  readonly tooLarge: ProxyStatus;
  readonly malformed: ProxyStatus;
}

export class LengthPrefix implements FrameMeter {
  fault: FrameFault | null = null;
  readonly #format: LengthPrefixFormat;
  readonly #minimum: number;

  constructor(format: LengthPrefixFormat) {
    this.#format = format;
    this.#minimum = format.headBytes - format.adjustment;
  }

  measure(bytes: Buffer, from: number, to: number): number {
    const format = this.#format;
    if (to - from < format.headBytes) return format.headBytes;
    const at = from + format.lengthOffset;
    const length =
      format.endian === 'big' ? bytes.readUIntBE(at, format.lengthWidth) : bytes.readUIntLE(at, format.lengthWidth);
    if (length > format.limit) {
      return this.#bad(format.tooLarge, `frame length ${length} > ${format.limitName} ${format.limit}`);
    }
    if (length < this.#minimum) return this.#bad(format.malformed, `frame length ${length} < ${this.#minimum}`);
    return length + format.adjustment;
  }

  #bad(status: ProxyStatus, text: string): number {
    this.fault = { status, text, at: this.#format.lengthOffset };
    return BAD_FRAME;
  }
}

const EMPTY = Buffer.alloc(0);
/** The smallest room for a parked frame, and how much more room than received bytes a declared length may claim. */
const FIRST_ROOM_BYTES = 1_024;
const ROOM_FACTOR = 4;

/**
 * One per connection and direction. Frames that lie whole in a chunk are handed out where they are; what is left over is
 * parked: copied once into a buffer that grows with what has come, never by a declared length alone.
 */
export class Framer {
  readonly #meter: FrameMeter;
  readonly #receiver: FrameReceiver;
  #parked: Buffer = EMPTY;
  #from = 0;
  #used = 0;
  #held = false;
  #stopped = false;
  #running = false;
  #frameOffset = 0;
  #nextOffset = 0;

  constructor(meter: FrameMeter, receiver: FrameReceiver) {
    this.#meter = meter;
    this.#receiver = receiver;
  }

  /** Bytes that wait here: of an unfinished frame, or held. At most one frame and one chunk. */
  get parkedBytes(): number {
    return this.#used - this.#from;
  }

  /** Where the frame looked at last starts (given, bad or unfinished), counted from the connection's first byte. */
  get frameOffset(): number {
    return this.#frameOffset;
  }

  /** Must not be called by the receiver. */
  decode(chunk: Buffer, lent: boolean): void {
    this.#run(chunk, lent);
  }

  /** No further frame from now on, also from inside `onFrame`. Bytes are parked. */
  hold(): void {
    this.#held = true;
  }

  /**
   * Ends `hold` and gives out what was held. True: all of it. False: held again on the way, or called from inside `onFrame`,
   * where the running call goes on.
   */
  release(): boolean {
    this.#held = false;
    if (this.#running) return false;
    this.#run(EMPTY, false);
    return !this.#held;
  }

  /** A frame has begun and is not whole. */
  get midFrame(): boolean {
    return !this.#held && this.#used > this.#from;
  }

  get held(): boolean {
    return this.#held;
  }

  /** No further frame, ever: all bytes are dropped. */
  stop(): void {
    this.#stopped = true;
    this.#drop();
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  #run(chunk: Buffer, lent: boolean): void {
    if (this.#stopped) return;
    const end = chunk.length;
    let at = 0;
    this.#running = true;
    while (!this.#held) {
      const parked = this.#used > this.#from;
      const bytes = parked ? this.#parked : chunk;
      const from = parked ? this.#from : at;
      const to = parked ? this.#used : end;
      if (from === to) break;
      this.#frameOffset = this.#nextOffset;
      const size = this.#meter.measure(bytes, from, to);
      if (size <= to - from) {
        if (size === BAD_FRAME) {
          this.stop();
          this.#receiver.onBadFrame(this.#meter.fault as FrameFault, bytes, from, to);
          break;
        }
        this.#nextOffset += size;
        if (parked) {
          this.#from += size;
          if (this.#from === this.#used) this.#drop();
        } else {
          at += size;
        }
        this.#receiver.onFrame(bytes, from, from + size, lent && !parked);
        if (this.#stopped) break;
      } else {
        if (at === end) break;
        const missing = size - (to - from);
        const take = parked ? Math.min(missing, end - at) : end - at;
        this.#park(chunk, at, at + take, size);
        at += take;
      }
    }
    this.#running = false;
    if (at < end && !this.#stopped) this.#park(chunk, at, end, 0);
  }

  /** Bytes already handed out of the parked buffer are never written to: what comes goes behind them or elsewhere. */
  #park(chunk: Buffer, from: number, to: number, frameBytes: number): void {
    const waiting = this.#used - this.#from;
    const wanted = waiting + to - from;
    if (this.#used + to - from > this.#parked.length) {
      const room = Math.min(frameBytes, Math.max(wanted * ROOM_FACTOR, FIRST_ROOM_BYTES));
      // A meter that knows no more than the next line asks for little, again and again: all of it must not be copied each time.
      const parked = Buffer.allocUnsafe(Math.max(wanted, room, waiting * 2));
      this.#parked.copy(parked, 0, this.#from, this.#used);
      this.#parked = parked;
      this.#from = 0;
      this.#used = waiting;
    }
    chunk.copy(this.#parked, this.#used, from, to);
    this.#used += to - from;
  }

  #drop(): void {
    this.#parked = EMPTY;
    this.#from = 0;
    this.#used = 0;
  }
}
