/** DubboMeter: where a Dubbo message ends, and which lengths are refused before anything of their body is stored. */
import type { Detection } from '../../metaprotocol/codec.ts';
import { type ProxyStatus, Status } from '../../metaprotocol/status.ts';
import { BAD_FRAME, type FrameFault, type FrameMeter } from '../framing.ts';
import type { DubboOptions } from './options.ts';
import { FLAGS_AT, FrameFlag, HEADER_BYTES, LENGTH_AT, MAGIC_HIGH, MAGIC_LOW, readInt32 } from './wire.ts';

const MAGIC_BYTES = 2;

/** Whether these are the first bytes of a Dubbo connection. */
export function detectDubbo(head: Buffer): Detection {
  if (head.length === 0) return 'more';
  if (head[0] !== MAGIC_HIGH) return 'reject';
  if (head.length < MAGIC_BYTES) return 'more';
  return head[1] === MAGIC_LOW ? 'match' : 'reject';
}

export class DubboMeter implements FrameMeter {
  fault: FrameFault | null = null;
  readonly #options: DubboOptions;

  constructor(options: DubboOptions) {
    this.#options = options;
  }

  measure(bytes: Buffer, from: number, to: number): number {
    if (to - from < MAGIC_BYTES) {
      if (bytes[from] === MAGIC_HIGH) return MAGIC_BYTES;
      return this.#noMagic(bytes, from, to);
    }
    if (bytes[from] !== MAGIC_HIGH || bytes[from + 1] !== MAGIC_LOW) return this.#noMagic(bytes, from, to);
    if (to - from < HEADER_BYTES) return HEADER_BYTES;
    const length = readInt32(bytes, from + LENGTH_AT);
    const { frameLimitBytes, eventLimitBytes } = this.#options;
    if (length < 0) return this.#bad(Status.malformed, `body length ${length} < 0`, LENGTH_AT);
    if (length > frameLimitBytes) {
      return this.#bad(Status.too_large, `body length ${length} > frameLimitBytes ${frameLimitBytes}`, LENGTH_AT);
    }
    if ((bytes[from + FLAGS_AT]! & FrameFlag.Event) !== 0 && length > eventLimitBytes) {
      return this.#bad(Status.too_large, `event length ${length} > eventLimitBytes ${eventLimitBytes}`, LENGTH_AT);
    }
    return HEADER_BYTES + length;
  }

  #noMagic(bytes: Buffer, from: number, to: number): number {
    const found = bytes.toString('hex', from, Math.min(to, from + MAGIC_BYTES));
    return this.#bad(Status.malformed, `first bytes ${found} where dabb is expected`, 0);
  }

  #bad(status: ProxyStatus, text: string, at: number): number {
    this.fault = { status, text, at };
    return BAD_FRAME;
  }
}
