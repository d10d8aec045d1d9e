/** Dubbo messages written and read with npm's hessian.js. */
import { createRequire } from 'node:module';
import type * as Hessian from 'hessian.js';

// A CommonJS module without named exports.
const { EncoderV2, DecoderV2 } = createRequire(import.meta.url)('hessian.js') as typeof Hessian;

export interface StockCall {
  readonly id?: bigint;
  readonly oneway?: boolean;
  readonly dubboVersion?: string;
  readonly path?: string;
  readonly version?: string;
  readonly method?: string;
  readonly types?: string;
  readonly args?: readonly unknown[];
  /** null is written as null. */
  readonly attachments?: Readonly<Record<string, unknown>> | null;
}

export interface StockAnswer {
  readonly id?: bigint;
  readonly status?: number;
  readonly tag?: number;
  readonly value?: unknown;
  readonly attachments?: Readonly<Record<string, unknown>>;
}

export function frame(flags: number, status: number, id: bigint, body: Buffer): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt16BE(0xdabb, 0);
  header[2] = flags;
  header[3] = status;
  header.writeBigInt64BE(id, 4);
  header.writeInt32BE(body.length, 12);
  return Buffer.concat([header, body]);
}

export function stockCall(call: StockCall = {}): Buffer {
  const { id = 1n, oneway = false, dubboVersion = '2.0.2', path = 'meltemi.Wind', version = '0.0.0' } = call;
  const {
    method = 'echo',
    args = ['hello'],
    types = 'Ljava/lang/String;'.repeat(args.length),
    attachments = {},
  } = call;
  const encoder = new EncoderV2();
  for (const text of [dubboVersion, path, version, method, types]) encoder.writeString(text);
  for (const argument of args) encoder.write(argument);
  encoder.write(attachments === null ? null : { $class: 'java.util.HashMap', $: attachments });
  return frame(oneway ? 0x82 : 0xc2, 0, id, encoder.get());
}

export function stockAnswer({ id = 1n, status = 20, tag = 1, value = 'hello', attachments = {} }: StockAnswer): Buffer {
  const encoder = new EncoderV2();
  if (status === 20) {
    encoder.writeInt(tag);
    if (tag !== 2 && tag !== 5) encoder.write(value);
    if (tag >= 3) encoder.write({ $class: 'java.util.HashMap', $: attachments });
  } else {
    encoder.write(value);
  }
  return frame(0x02, status, id, encoder.get());
}

export interface ReadCall {
  readonly id: bigint;
  readonly strings: unknown[];
  readonly args: unknown[];
  readonly attachments: Record<string, unknown>;
}

/** `argumentCount`, which may depend on the method: hessian.js does not know the types. */
export function readCall(bytes: Buffer, argumentCount: number | ((method: string) => number)): ReadCall {
  const decoder = decoderOf(bytes);
  const strings = Array.from({ length: 5 }, () => decoder.read());
  const length = typeof argumentCount === 'number' ? argumentCount : argumentCount(String(strings[3]));
  const args = Array.from({ length }, () => decoder.read());
  return { id: bytes.readBigInt64BE(4), strings, args, attachments: decoder.read() as Record<string, unknown> };
}

export interface ReadAnswer {
  readonly id: bigint;
  readonly status: number;
  readonly tag: number;
  readonly value: unknown;
  readonly attachments: Record<string, unknown> | null;
}

export function readAnswer(bytes: Buffer): ReadAnswer {
  const decoder = decoderOf(bytes);
  const id = bytes.readBigInt64BE(4);
  const status = bytes[3]!;
  if (status !== 20) return { id, status, tag: -1, value: decoder.read(), attachments: null };
  const tag = decoder.read() as number;
  const value = tag === 2 || tag === 5 ? null : decoder.read();
  return { id, status, tag, value, attachments: tag >= 3 ? (decoder.read() as Record<string, unknown>) : null };
}

function decoderOf(bytes: Buffer): Hessian.DecoderV2 {
  if (bytes.readUInt16BE(0) !== 0xdabb) throw new Error('no Dubbo frame');
  if (bytes.readInt32BE(12) !== bytes.length - 16) throw new Error('body length does not fit');
  return new DecoderV2(bytes.subarray(16));
}
