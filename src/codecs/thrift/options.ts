/** What configuration may set on the Thrift codec, checked and defaulted. */
import type { OptionSchema } from '../../metaprotocol/manifest.ts';
import { parseCodecOptions } from '../codec-options.ts';
import { LENGTH_BYTES, MAX_FRAME_BYTES, MAX_HEADER_BYTES, type ThriftProtocol, type ThriftTransport } from './wire.ts';

export interface ThriftOptions {
  readonly transport: ThriftTransport | 'detect';
  readonly protocol: ThriftProtocol | 'detect';
  readonly oldBinary: boolean;
  readonly frameLimitBytes: number;
  readonly nestingLimit: number;
  readonly headerLimitBytes: number;
}

export const THRIFT_OPTIONS: readonly OptionSchema[] = [
  {
    key: 'transport',
    type: 'string',
    values: ['detect', 'framed', 'unframed', 'theader'],
    default: 'detect',
    description: 'How messages are delimited. The upstream is spoken to as the caller speaks.',
  },
  {
    key: 'protocol',
    type: 'string',
    values: ['detect', 'binary', 'compact'],
    default: 'detect',
    description: 'How messages are encoded. Told from each message by default.',
  },
  {
    key: 'oldBinary',
    type: 'boolean',
    default: false,
    needs: { option: 'protocol', value: 'binary' },
    description: 'Accept binary messages without the version word. They carry no magic, so nothing else may be meant.',
  },
  {
    key: 'frameLimitBytes',
    type: 'integer',
    minimum: LENGTH_BYTES,
    maximum: MAX_FRAME_BYTES,
    default: 16_384_000,
    description: 'Largest frame, without its length field; unframed: largest message.',
  },
  {
    key: 'nestingLimit',
    type: 'integer',
    minimum: 1,
    maximum: 10_000,
    default: 64,
    description: 'Deepest nesting of structs and containers where they are walked (unframed).',
  },
  {
    key: 'headerLimitBytes',
    type: 'integer',
    minimum: LENGTH_BYTES,
    maximum: MAX_HEADER_BYTES,
    default: 65_536,
    description: 'Largest header block of a THeader frame.',
  },
];

/** `raw` is JSON from config or undefined. Throws ConfigError with every bad field. */
export function parseThriftOptions(raw: unknown): ThriftOptions {
  return parseCodecOptions('thrift', THRIFT_OPTIONS, raw) as unknown as ThriftOptions;
}
