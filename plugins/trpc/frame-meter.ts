/** TrpcMeter: where a frame ends, and which are refused by their fixed head, before anything behind it is stored. */
import { BAD_FRAME, type Detection, type FrameFault, type FrameMeter, type ProxyStatus, Status } from 'meltemi/codec';
import {
  FIXED_BYTES,
  FrameType,
  MAGIC_HIGH,
  MAGIC_LOW,
  META_BYTES_AT,
  readUint16,
  readUint32,
  STREAM_TYPE_AT,
  StreamType,
  TOTAL_AT,
  TYPE_AT,
} from './wire.ts';

export interface TrpcOptions {
  readonly frameLimitBytes: number;
}

/** Magic and frame type: two bytes alone are too common. */
export function detectTrpc(head: Buffer): Detection {
  if (head.length > 0 && head[0] !== MAGIC_HIGH) return 'reject';
  if (head.length > 1 && head[1] !== MAGIC_LOW) return 'reject';
  if (head.length > TYPE_AT && head[TYPE_AT]! > FrameType.Stream) return 'reject';
  return head.length > TYPE_AT ? 'match' : 'more';
}

export class TrpcMeter implements FrameMeter {
  fault: FrameFault | null = null;
  readonly #limitBytes: number;

  constructor({ frameLimitBytes }: TrpcOptions) {
    this.#limitBytes = frameLimitBytes;
  }

  measure(bytes: Buffer, from: number, to: number): number {
    const there = to - from;
    if (bytes[from] !== MAGIC_HIGH || (there > 1 && bytes[from + 1] !== MAGIC_LOW)) {
      const actual = bytes.toString('hex', from, Math.min(to, from + 2));
      return this.#bad(Status.malformed, `magic ${actual}, 0930 expected`, 0);
    }
    if (there < FIXED_BYTES) return FIXED_BYTES;
    const type = bytes[from + TYPE_AT]!;
    if (type > FrameType.Stream) return this.#bad(Status.malformed, `frame type ${type}, 0 or 1 expected`, TYPE_AT);
    const total = readUint32(bytes, from + TOTAL_AT);
    if (total > this.#limitBytes) {
      return this.#bad(Status.too_large, `frame of ${total} bytes > frameLimitBytes ${this.#limitBytes}`, TOTAL_AT);
    }
    const metaBytes = readUint16(bytes, from + META_BYTES_AT);
    if (total < FIXED_BYTES + metaBytes) {
      const text = `frame of ${total} bytes < its heads of ${FIXED_BYTES} and ${metaBytes}`;
      return this.#bad(Status.malformed, text, TOTAL_AT);
    }
    if (type === FrameType.Unary && metaBytes === 0) {
      return this.#bad(Status.malformed, 'a unary frame without protobuf', META_BYTES_AT);
    }
    const streamType = bytes[from + STREAM_TYPE_AT]!;
    if (type === FrameType.Stream && (streamType < StreamType.Init || streamType > StreamType.Close)) {
      return this.#bad(Status.malformed, `stream frame type ${streamType}, 1 to 4 expected`, STREAM_TYPE_AT);
    }
    return total;
  }

  #bad(status: ProxyStatus, text: string, at: number): number {
    this.fault = { status, text, at };
    return BAD_FRAME;
  }
}
