/** What configuration may set on the codec. */
import { KiB, MiB, type OptionSchema, parseOptions } from 'meltemi/codec';

export interface BrpcOptions {
  readonly frameLimitBytes: number;
  readonly metaLimitBytes: number;
}

export const BRPC_OPTIONS: readonly OptionSchema[] = [
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
];

/** Throws ConfigError with every bad field. */
export function parseBrpcOptions(raw: unknown): BrpcOptions {
  const options = parseOptions('brpc', BRPC_OPTIONS, raw);
  return {
    frameLimitBytes: options.get('frameLimitBytes') as number,
    metaLimitBytes: options.get('metaLimitBytes') as number,
  };
}
