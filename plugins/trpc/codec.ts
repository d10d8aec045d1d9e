/** The tRPC plugin: its manifest and the factory of its codecs. The wire is in wire.ts. */
import {
  type CodecFactory,
  MiB,
  type OptionSchema,
  type Plugin,
  type ProtocolManifest,
  parseOptions,
} from 'meltemi/codec';
import { ATTRIBUTES } from './attributes.ts';
import { trpcFields } from './fields.ts';
import { frameId } from './frame-id.ts';
import { detectTrpc, type TrpcOptions } from './frame-meter.ts';
import { TrpcClientCodec, TrpcServerCodec } from './trpc-codec.ts';
import { FIXED_BYTES, RetCode } from './wire.ts';

const VERSION = '1.0.0';

const OPTIONS = [
  {
    key: 'frameLimitBytes',
    type: 'integer',
    minimum: FIXED_BYTES,
    maximum: 0x3fff_ffff,
    default: 10 * MiB,
    description: 'Largest frame, all of it.',
  },
] as const satisfies readonly OptionSchema[];

const manifest: ProtocolManifest = {
  name: 'trpc',
  version: VERSION,
  aliases: ['aeraki.meta_protocol.codec.trpc'],
  family: 'trpc',
  attributes: ATTRIBUTES,
  codes: Object.entries(RetCode).map(([name, code]) => ({ name, code })),
  options: OPTIONS,
  capabilities: {
    requestMutation: true,
    responseMutation: true,
    oneway: true,
    streaming: false,
    errorReply: true,
    idempotencyHint: false,
    serverFirst: false,
    multiplexing: true,
  },
};

const factory: CodecFactory<TrpcOptions> = {
  manifest,
  alpn: [],
  replies: 'any-order',
  affinity: false,
  concurrency: { downstream: 1_024, upstream: 1_024 },
  detect: detectTrpc,
  parseOptions: (raw) => parseOptions('trpc', OPTIONS, raw),
  fieldsOf: trpcFields,
  frameId,
  createServerCodec: (sink, out, options) => new TrpcServerCodec(sink, out, options),
  createClientCodec: (sink, out, options) => new TrpcClientCodec(sink, out, options),
};

const plugin = { name: 'trpc', version: VERSION, codecApi: '^1.0.0', codecs: [factory] } as const satisfies Plugin;

export default plugin;
