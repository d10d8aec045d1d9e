/** The HTTP/1.1 protocol as the product sees it: its manifest, its factory, its plugin. */
import type { CodecFactory, Detection } from '../../metaprotocol/codec.ts';
import type { ProtocolManifest } from '../../metaprotocol/manifest.ts';
import type { Plugin } from '../../metaprotocol/plugin.ts';
import { Http1ClientCodec } from './client-codec.ts';
import { HTTP1_OPTIONS, type Http1Options, parseHttp1Options } from './options.ts';
import { Http1ServerCodec } from './server-codec.ts';
import { REASONS } from './wire.ts';

const VERSION = '1.0.0';
/** Longer than any registered method. */
const METHOD_BYTES = 24;

export const http1Manifest: ProtocolManifest = {
  name: 'http1',
  version: VERSION,
  aliases: ['http'],
  family: 'http',
  attributes: {
    fixed: [
      { key: ':method', description: 'Request method.', mutable: false },
      { key: ':path', description: 'Path and query of a request; CONNECT has none.', mutable: true },
      { key: ':pathname', description: 'Path without the query.', mutable: false },
      { key: ':authority', description: 'Host and port that the request is for: its target or Host.', mutable: true },
      { key: ':scheme', description: '`http`, or what an absolute target says.', mutable: false },
      { key: ':status', description: 'Status code of a response.', mutable: false },
      ...[
        'connection',
        'content-length',
        'expect',
        'keep-alive',
        'proxy-connection',
        'te',
        'trailer',
        'transfer-encoding',
        'upgrade',
      ].map((key) => ({ key, description: 'Written by the codec alone.', mutable: false })),
    ],
    open: { description: 'Header fields; `?name` is the query parameter `name`, undecoded.', mutable: true },
    keyCase: 'insensitive',
    hostKey: ':authority',
  },
  codes: Object.entries(REASONS).map(([code, name]) => ({ name, code: Number(code) })),
  options: HTTP1_OPTIONS,
  capabilities: {
    requestMutation: true,
    responseMutation: true,
    oneway: false,
    streaming: true,
    errorReply: true,
    idempotencyHint: true,
    serverFirst: false,
    multiplexing: false,
  },
};

export const http1Factory: CodecFactory<Http1Options> = {
  manifest: http1Manifest,
  alpn: ['http/1.1'],
  // One stream at a time, by Hold, so there is nothing to put in order.
  replies: 'any-order',
  affinity: false,
  concurrency: { downstream: 100, upstream: 1 },
  detect: detectHttp1,
  parseOptions: parseHttp1Options,
  createServerCodec: (sink, out, options) => new Http1ServerCodec(sink, out, options),
  createClientCodec: (sink, out, options) => new Http1ClientCodec(sink, out, options),
};

export const http1Plugin: Plugin = {
  name: 'http1',
  version: VERSION,
  codecApi: '^1.0.0',
  codecs: [http1Factory],
};

/** A method in capitals and a target; HTTP/2's preface begins the same way and is not it. */
export function detectHttp1(head: Buffer): Detection {
  const text = head.toString('latin1', 0, METHOD_BYTES + 2);
  if (/^PRI \*/.test(text)) return 'reject';
  if (/^[A-Z-]{1,24} [/*hH[0-9A-Za-z]/.test(text)) return text.startsWith('PRI ') ? 'more' : 'match';
  return /^[A-Z-]{0,24} ?$/.test(text) ? 'more' : 'reject';
}
