/** PrpcMeter: where a frame ends, and which lengths are refused before anything behind the head is stored. */
import { BAD_FRAME, type Detection, type FrameFault, type FrameMeter, type ProxyStatus, Status } from 'meltemi/codec';
import type { BrpcOptions } from './options.ts';
import { BODY_BYTES_AT, HEAD_BYTES, MAGIC, META_BYTES_AT } from './wire.ts';

/** Whether these are the first bytes of a connection that speaks baidu_std. */
export function detectPrpc(head: Buffer): Detection {
  const there = Math.min(head.length, MAGIC.length);
  if (head.compare(MAGIC, 0, there, 0, there) !== 0) return 'reject';
  return there < MAGIC.length ? 'more' : 'match';
}

export class PrpcMeter implements FrameMeter {
  fault: FrameFault | null = null;
  readonly #options: BrpcOptions;

  constructor(options: BrpcOptions) {
    this.#options = options;
  }

  measure(bytes: Buffer, from: number, to: number): number {
    const there = Math.min(to - from, MAGIC.length);
    for (let at = 0; at < there; at++) {
      if (bytes[from + at] === MAGIC[at]) continue;
      const found = bytes.toString('hex', from, from + there);
      return this.#bad(Status.malformed, `first bytes ${found}, "PRPC" expected`, 0);
    }
    if (to - from < HEAD_BYTES) return HEAD_BYTES;
    const { frameLimitBytes, metaLimitBytes } = this.#options;
    const body = readUint32(bytes, from + BODY_BYTES_AT);
    const meta = readUint32(bytes, from + META_BYTES_AT);
    if (body > frameLimitBytes) {
      return this.#bad(Status.too_large, `body length ${body} > frameLimitBytes ${frameLimitBytes}`, BODY_BYTES_AT);
    }
    if (meta > body) return this.#bad(Status.malformed, `meta length ${meta} > body length ${body}`, META_BYTES_AT);
    if (meta > metaLimitBytes) {
      return this.#bad(Status.too_large, `meta length ${meta} > metaLimitBytes ${metaLimitBytes}`, META_BYTES_AT);
    }
    return HEAD_BYTES + body;
  }

  #bad(status: ProxyStatus, text: string, at: number): number {
    this.fault = { status, text, at };
    return BAD_FRAME;
  }
}

/** The caller has checked that four bytes are there. */
export function readUint32(bytes: Buffer, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
