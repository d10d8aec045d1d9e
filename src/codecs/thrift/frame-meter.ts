/** ThriftMeter: where a Thrift message ends, by the connection's transport, which its first bytes may have to tell. */
import type { Detection } from '../../metaprotocol/codec.ts';
import { Status } from '../../metaprotocol/status.ts';
import { BAD_FRAME, type FrameFault, type FrameMeter, LengthPrefix } from '../framing.ts';
import type { ThriftOptions } from './options.ts';
import { StructWalker } from './struct-walker.ts';
import {
  BINARY_MAGIC,
  BINARY_VERSION,
  COMPACT_MAGIC,
  COMPACT_VERSION,
  isHeaderMagic,
  LENGTH_BYTES,
  MAX_FRAME_BYTES,
  readInt32,
} from './wire.ts';

/** Enough to tell a transport: a length field and the first two bytes behind it. No framed message is shorter. */
const DETECT_BYTES = LENGTH_BYTES + 2;

/** Whether these are the first bytes of a Thrift connection. Old binary carries no mark and is never detected. */
export function detectThrift(head: Buffer): Detection {
  if (head.length < 2) return 'more';
  if (head[0]! >= 0x80) return isMessage(head, 0) ? 'match' : 'reject';
  if (head.length < LENGTH_BYTES) return 'more';
  if (readInt32(head, 0) > MAX_FRAME_BYTES) return 'reject';
  if (head.length < DETECT_BYTES) return 'more';
  return isMessage(head, LENGTH_BYTES) || isHeaderMagic(head, LENGTH_BYTES) ? 'match' : 'reject';
}

function isMessage(bytes: Buffer, at: number): boolean {
  if (bytes[at] === BINARY_MAGIC) return bytes[at + 1] === BINARY_VERSION;
  return bytes[at] === COMPACT_MAGIC && (bytes[at + 1]! & 0x1f) === COMPACT_VERSION;
}

export class ThriftMeter implements FrameMeter {
  readonly #options: ThriftOptions;
  readonly #prefix: LengthPrefix;
  #walker: StructWalker | null = null;
  #detecting: boolean;
  #fault: FrameFault | null = null;

  constructor(options: ThriftOptions) {
    this.#options = options;
    this.#prefix = new LengthPrefix({
      headBytes: LENGTH_BYTES,
      lengthOffset: 0,
      lengthWidth: LENGTH_BYTES,
      endian: 'big',
      adjustment: LENGTH_BYTES,
      limit: options.frameLimitBytes,
      limitName: 'frameLimitBytes',
      tooLarge: Status.too_large,
      malformed: Status.malformed,
    });
    this.#detecting = options.transport === 'detect';
    if (options.transport === 'unframed') this.#walker = new StructWalker(options);
  }

  get fault(): FrameFault | null {
    return this.#fault ?? this.#walker?.fault ?? this.#prefix.fault;
  }

  /** The connection's messages have no length field. Framed and THeader may take turns on one connection. */
  get unframed(): boolean {
    return this.#walker !== null;
  }

  measure(bytes: Buffer, from: number, to: number): number {
    if (this.#detecting) {
      const wanted = this.#detect(bytes, from, to);
      if (wanted !== 0) return wanted;
      this.#detecting = false;
    }
    return this.#walker === null ? this.#prefix.measure(bytes, from, to) : this.#walker.measure(bytes, from, to);
  }

  /** 0 when it is known; else as `measure`. */
  #detect(bytes: Buffer, from: number, to: number): number {
    if (to - from < 2) return 2;
    if (bytes[from]! >= 0x80) {
      if (!isMessage(bytes, from)) return this.#unknown(bytes.toString('hex', from, from + 2));
      this.#walker = new StructWalker(this.#options);
      return 0;
    }
    if (to - from < DETECT_BYTES) return DETECT_BYTES;
    const at = from + LENGTH_BYTES;
    if (isMessage(bytes, at) || isHeaderMagic(bytes, at)) return 0;
    if (this.#options.oldBinary && bytes[from] === 0) {
      // A framed message begins with the high byte of its name's length, an unframed one has its name here.
      if (bytes[at] !== 0) this.#walker = new StructWalker(this.#options);
      return 0;
    }
    // A length, and that of a name behind it.
    const seemsOld = readInt32(bytes, from) > 0 && bytes[from] === 0 && bytes[at] === 0;
    const hint = seemsOld ? ' (binary without a version has to be configured: oldBinary)' : '';
    return this.#unknown(bytes.toString('hex', from, from + DETECT_BYTES), hint);
  }

  #unknown(found: string, hint = ''): number {
    this.#fault = { status: Status.malformed, text: `first bytes ${found} are no Thrift transport${hint}`, at: 0 };
    return BAD_FRAME;
  }
}
