/** The Redis protocol as the product sees it: its manifest, its factory, its plugin. */
import type { CodecFactory, Detection } from '../../metaprotocol/codec.ts';
import type { ProtocolManifest } from '../../metaprotocol/manifest.ts';
import type { Plugin } from '../../metaprotocol/plugin.ts';
import { RedisClientCodec } from './client-codec.ts';
import { ErrorCode } from './codes.ts';
import { CommandTable } from './commands.ts';
import { redisFields } from './fields-of.ts';
import { KeptBytes } from './kept-bytes.ts';
import { parseRedisOptions, REDIS_OPTIONS, type RedisOptions } from './options.ts';
import { RedisServerCodec } from './server-codec.ts';
import { redisRouteFilter } from './strip-prefix-filter.ts';
import { Type } from './wire.ts';

const VERSION = '1.0.0';

export const redisManifest: ProtocolManifest = {
  name: 'redis',
  version: VERSION,
  aliases: [],
  family: 'redis',
  attributes: {
    fixed: [
      { key: 'command', description: 'Name of the command, upper case.', mutable: false },
      { key: 'key', description: 'First key; absent where there is none.', mutable: true },
      {
        key: 'hash-key',
        description: 'What is hashed of the first key: the part in {braces}, else all of it.',
        mutable: false,
      },
      { key: 'key-count', description: 'How many keys the command names.', mutable: false },
      { key: 'db', description: 'Number of the selected database.', mutable: false },
      { key: 'user', description: 'User that the caller authenticated as upstream, else empty.', mutable: false },
      { key: 'read-only', description: '`true` for commands that only read, outside of transactions.', mutable: false },
      { key: 'error', description: "First word of an answer's error.", mutable: false },
    ],
    open: null,
    keyCase: 'sensitive',
    hostKey: null,
    placementKey: 'hash-key',
  },
  codes: Object.entries(ErrorCode).map(([name, code]) => ({ name, code })),
  options: REDIS_OPTIONS,
  capabilities: {
    requestMutation: true,
    responseMutation: false,
    oneway: false,
    streaming: false,
    errorReply: true,
    idempotencyHint: true,
    serverFirst: false,
    multiplexing: true,
  },
};

const commands = new CommandTable();
/** Memory of this worker, not a word of what its connections are doing. */
const kept = new KeptBytes();

export const redisFactory: CodecFactory<RedisOptions> = {
  manifest: redisManifest,
  alpn: [],
  replies: 'in-order',
  affinity: true,
  concurrency: { downstream: 1_024, upstream: 8_192 },
  detect: detectRedis,
  parseOptions: parseRedisOptions,
  createServerCodec: (sink, out, options) => new RedisServerCodec(commands, sink, out, kept, options),
  createClientCodec: (sink, out, options, key) => new RedisClientCodec(sink, out, kept, options, key),
  fieldsOf: redisFields,
};

/** `*<digit>`: a line of words could be anything. */
function detectRedis(head: Buffer): Detection {
  if (head.length > 0 && head[0] !== Type.Array) return 'reject';
  if (head.length < 2) return 'more';
  return head[1]! >= 0x31 && head[1]! <= 0x39 ? 'match' : 'reject';
}

export const redisPlugin: Plugin = {
  name: 'redis',
  version: VERSION,
  codecApi: '^1.0.0',
  codecs: [redisFactory],
  filters: [redisRouteFilter],
};
