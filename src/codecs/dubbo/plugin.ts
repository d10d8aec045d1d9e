/** The Dubbo protocol as the product sees it: its manifest, its factory, its plugin. */
import type { CodecFactory } from '../../metaprotocol/codec.ts';
import type { ProtocolManifest } from '../../metaprotocol/manifest.ts';
import type { Plugin } from '../../metaprotocol/plugin.ts';
import { DubboClientCodec, DubboServerCodec } from './codec.ts';
import { dubboFields } from './fields-of.ts';
import { detectDubbo } from './frame-meter.ts';
import { DUBBO_OPTIONS, type DubboOptions, parseDubboOptions } from './options.ts';
import { ResponseStatus } from './wire.ts';

const VERSION = '1.0.0';

export const dubboManifest: ProtocolManifest = {
  name: 'dubbo',
  version: VERSION,
  aliases: ['aeraki.meta_protocol.codec.dubbo'],
  family: 'dubbo',
  attributes: {
    fixed: [
      { key: 'interface', description: "The call's path, usually the interface's full name.", mutable: false },
      { key: 'method', description: 'Method; `$invoke` of a generic call.', mutable: false },
      { key: 'version', description: 'Version of the service; `0.0.0` if it has none.', mutable: false },
      { key: 'group', description: 'Group of the service: the attachment of that name.', mutable: true },
      { key: 'dubbo-version', description: "Version of the caller's protocol: `2.0.2`.", mutable: false },
      { key: 'parameter-types', description: 'JVM descriptors: `Ljava/lang/String;I`.', mutable: false },
      {
        key: 'serialization',
        description: '`hessian2`, `fastjson2`, …; a number where it has no name.',
        mutable: false,
      },
    ],
    open: { description: 'Attachments whose value is a string.', mutable: true },
    keyCase: 'sensitive',
    hostKey: null,
  },
  codes: Object.entries(ResponseStatus).map(([name, code]) => ({ name, code })),
  options: DUBBO_OPTIONS,
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

export const dubboFactory: CodecFactory<DubboOptions> = {
  manifest: dubboManifest,
  alpn: [],
  replies: 'any-order',
  affinity: false,
  concurrency: { downstream: 1_024, upstream: 1_024 },
  detect: detectDubbo,
  parseOptions: parseDubboOptions,
  fieldsOf: dubboFields,
  createServerCodec: (sink, out, options) => new DubboServerCodec(sink, out, options),
  createClientCodec: (sink, out, options) => new DubboClientCodec(sink, out, options),
};

export const dubboPlugin: Plugin = {
  name: 'dubbo',
  version: VERSION,
  codecApi: '^1.0.0',
  codecs: [dubboFactory],
};
