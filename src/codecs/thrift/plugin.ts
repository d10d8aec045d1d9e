/** The Thrift protocol as the product sees it: its manifest, its factory, its plugin. */
import type { CodecFactory } from '../../metaprotocol/codec.ts';
import type { ProtocolManifest } from '../../metaprotocol/manifest.ts';
import type { Plugin } from '../../metaprotocol/plugin.ts';
import { ThriftClientCodec, ThriftServerCodec } from './codec.ts';
import { thriftFields } from './fields-of.ts';
import { frameId } from './frame-id.ts';
import { detectThrift } from './frame-meter.ts';
import { parseThriftOptions, THRIFT_OPTIONS, type ThriftOptions } from './options.ts';
import { ExceptionType } from './wire.ts';

const VERSION = '1.0.0';
/** Only a THeader frame has somewhere to put a header. */
const ONLY_THEADER = { option: 'transport', always: ['theader'], sometimes: ['detect'] };

export const thriftManifest: ProtocolManifest = {
  name: 'thrift',
  version: VERSION,
  aliases: ['aeraki.meta_protocol.codec.thrift'],
  family: 'thrift',
  attributes: {
    fixed: [
      { key: 'service', description: 'Service of a multiplexed call (`Service:method`).', mutable: false },
      { key: 'method', description: 'Method, without the service of a multiplexed call.', mutable: false },
      { key: 'message-type', description: '`call`, `oneway`, `reply` or `exception`.', mutable: false },
      { key: 'transport', description: '`framed`, `unframed` or `theader`.', mutable: false },
      { key: 'protocol', description: '`binary` or `compact`.', mutable: false },
    ],
    open: { description: 'Headers of a THeader frame.', mutable: true },
    keyCase: 'sensitive',
    hostKey: null,
  },
  codes: Object.entries(ExceptionType).map(([name, code]) => ({ name, code })),
  options: THRIFT_OPTIONS,
  capabilities: {
    requestMutation: ONLY_THEADER,
    responseMutation: ONLY_THEADER,
    oneway: true,
    streaming: false,
    errorReply: true,
    idempotencyHint: false,
    serverFirst: false,
    multiplexing: true,
  },
};

export const thriftFactory: CodecFactory<ThriftOptions> = {
  manifest: thriftManifest,
  alpn: [],
  replies: 'any-order',
  affinity: false,
  concurrency: { downstream: 1_024, upstream: 1 },
  detect: detectThrift,
  parseOptions: parseThriftOptions,
  fieldsOf: thriftFields,
  frameId,
  createServerCodec: (sink, out, options) => new ThriftServerCodec(sink, out, options),
  createClientCodec: (sink, out, options) => new ThriftClientCodec(sink, out, options),
};

export const thriftPlugin: Plugin = {
  name: 'thrift',
  version: VERSION,
  codecApi: '^1.0.0',
  codecs: [thriftFactory],
};
