/** brpc as the proxy sees it: its manifest, its factory, its plugin. wire.ts has the diagram. */
import type { CodecFactory, Plugin, ProtocolManifest } from 'meltemi/codec';
import { FIXED_ATTRIBUTES } from './attributes.ts';
import { BrpcClientCodec, BrpcServerCodec } from './connection.ts';
import { fieldsOf } from './fields-of.ts';
import { frameId } from './frame-id.ts';
import { detectPrpc } from './frame-meter.ts';
import { BRPC_OPTIONS, type BrpcOptions, parseBrpcOptions } from './options.ts';
import { codes } from './wire.ts';

const VERSION = '1.0.0';

const manifest: ProtocolManifest = {
  name: 'brpc',
  version: VERSION,
  aliases: ['aeraki.meta_protocol.codec.brpc'],
  family: 'brpc',
  attributes: {
    fixed: FIXED_ATTRIBUTES,
    open: {
      description: 'User fields (Apache brpc), and ext_fields (brpc-java), which cannot be changed.',
      mutable: true,
    },
    keyCase: 'sensitive',
    hostKey: null,
  },
  codes: Object.entries(codes).map(([name, code]) => ({ name, code })),
  options: BRPC_OPTIONS,
  capabilities: {
    requestMutation: true,
    responseMutation: true,
    oneway: false,
    streaming: false,
    errorReply: true,
    idempotencyHint: false,
    serverFirst: false,
    multiplexing: true,
  },
};

const factory: CodecFactory<BrpcOptions> = {
  manifest,
  alpn: [],
  replies: 'any-order',
  affinity: false,
  concurrency: { downstream: 1_024, upstream: 1_024 },
  detect: detectPrpc,
  parseOptions: parseBrpcOptions,
  fieldsOf,
  frameId,
  createServerCodec: (sink, out, options) => new BrpcServerCodec(sink, out, options),
  createClientCodec: (sink, out, options, connectionKey) => new BrpcClientCodec(sink, out, options, connectionKey),
};

const plugin: Plugin & { readonly codecs: readonly [CodecFactory<BrpcOptions>] } = {
  name: 'brpc',
  version: VERSION,
  codecApi: '^1.0.0',
  codecs: [factory],
};

export default plugin;
