/** What configuration may set on the codec. */
import { type CodecOptions, KiB, MiB, type OptionSchema, parseOptions } from 'meltemi/codec';

export const BRPC_OPTIONS = [
  {
    key: 'frameLimitBytes',
    type: 'integer',
    minimum: 1,
    maximum: 0x7fff_ff00,
    default: 64 * MiB,
    description: "Largest body (meta, payload and attachment): brpc's `max_body_size`.",
  },
  {
    key: 'metaLimitBytes',
    type: 'integer',
    minimum: 1,
    maximum: 16 * MiB,
    default: 64 * KiB,
    description: 'Largest RpcMeta, which holds all that routes read and change.',
  },
] as const satisfies readonly OptionSchema[];

export type BrpcOptions = CodecOptions<typeof BRPC_OPTIONS>;

/** Throws ConfigError with every bad field. */
export function parseBrpcOptions(raw: unknown): BrpcOptions {
  return parseOptions('brpc', BRPC_OPTIONS, raw);
}
