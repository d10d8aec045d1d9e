/** What configuration may set on the HTTP/1.1 codec, checked and defaulted. */
import type { OptionSchema } from '../../metaprotocol/manifest.ts';
import { parseCodecOptions } from '../codec-options.ts';

export interface Http1Options {
  readonly headLimitBytes: number;
  readonly headerLimit: number;
  readonly chunkLineLimitBytes: number;
  readonly windowBytes: number;
  readonly heldLimitBytes: number;
  readonly halfClose: 'abort' | 'answer';
  readonly pathNormalization: 'none' | 'base';
}

export const HTTP1_OPTIONS: readonly OptionSchema[] = [
  {
    key: 'headLimitBytes',
    type: 'integer',
    minimum: 64,
    maximum: 65_535,
    default: 61_440,
    description: 'Largest head, and largest trailer section.',
  },
  {
    key: 'headerLimit',
    type: 'integer',
    minimum: 1,
    maximum: 10_000,
    default: 100,
    description: 'Most header fields of a head, and of a trailer section.',
  },
  {
    key: 'chunkLineLimitBytes',
    type: 'integer',
    minimum: 16,
    maximum: 65_535,
    default: 256,
    description: 'Longest chunk size line, its extensions included. Extensions are dropped.',
  },
  {
    key: 'windowBytes',
    type: 'integer',
    minimum: 1_024,
    maximum: 0x3fff_ffff,
    default: 65_536,
    description: 'Body bytes that the other side has not taken yet, above which a connection is not read.',
  },
  {
    key: 'heldLimitBytes',
    type: 'integer',
    minimum: 1_024,
    maximum: 0x3fff_ffff,
    default: 65_536,
    description: 'Bytes behind the current request, above which its connection is not read.',
  },
  {
    key: 'halfClose',
    type: 'string',
    values: ['abort', 'answer'],
    default: 'abort',
    description: 'What the FIN of a caller that waits for an answer means: it left, or it only sends nothing more.',
  },
  {
    key: 'pathNormalization',
    type: 'string',
    values: ['none', 'base'],
    default: 'none',
    description:
      'Whether paths are normalized before routes see them: dot segments, backslashes, unreserved characters.',
  },
];

/** `raw` is JSON from config or undefined. Throws ConfigError with every bad field. */
export function parseHttp1Options(raw: unknown): Http1Options {
  return parseCodecOptions('http1', HTTP1_OPTIONS, raw) as unknown as Http1Options;
}
