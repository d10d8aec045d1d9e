/** Opaque TCP as the product sees it: its manifest, its factory, its plugin. */
import type { CodecFactory } from '../../metaprotocol/codec.ts';
import type { ProtocolManifest } from '../../metaprotocol/manifest.ts';
import type { Plugin } from '../../metaprotocol/plugin.ts';
import { TcpClientCodec, TcpServerCodec } from './codec.ts';
import { parseTcpOptions, TCP_OPTIONS, type TcpOptions } from './options.ts';

const VERSION = '1.0.0';

export const tcpManifest: ProtocolManifest = {
  name: 'tcp',
  version: VERSION,
  aliases: [],
  family: 'tcp',
  attributes: { fixed: [], open: null, keyCase: 'sensitive', hostKey: null },
  codes: [],
  options: TCP_OPTIONS,
  capabilities: {
    requestMutation: false,
    responseMutation: false,
    oneway: false,
    streaming: true,
    errorReply: false,
    idempotencyHint: false,
    serverFirst: true,
    multiplexing: false,
  },
};

export const tcpFactory: CodecFactory<TcpOptions> = {
  manifest: tcpManifest,
  alpn: [],
  replies: 'any-order',
  affinity: false,
  concurrency: { downstream: 2, upstream: 1 },
  parseOptions: parseTcpOptions,
  createServerCodec: (sink, out, options) => new TcpServerCodec(sink, out, options),
  createClientCodec: (sink, out, options) => new TcpClientCodec(sink, out, options),
};

export const tcpPlugin: Plugin = {
  name: 'tcp',
  version: VERSION,
  codecApi: '^1.0.0',
  codecs: [tcpFactory],
};
