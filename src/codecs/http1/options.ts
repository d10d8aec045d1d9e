/** What configuration may set on the HTTP/1.1 codec, checked and defaulted. */
import { ConfigError, type ConfigIssue } from '../../metaprotocol/config-error.ts';
import type { OptionSchema } from '../../metaprotocol/manifest.ts';

export interface Http1Options {
  readonly headLimitBytes: number;
  readonly headerLimit: number;
  readonly chunkLineLimitBytes: number;
  readonly windowBytes: number;
  readonly heldLimitBytes: number;
  readonly halfClose: 'abort' | 'answer';
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
];

/** `raw` is JSON from config or undefined. Throws ConfigError with every bad field. */
export function parseHttp1Options(raw: unknown): Http1Options {
  const issues: ConfigIssue[] = [];
  const given = new Map<string, unknown>();
  if (typeof raw === 'object' && raw !== null && !Array.isArray(raw)) {
    for (const [key, value] of Object.entries(raw)) given.set(key, value);
  } else if (raw !== undefined && raw !== null) {
    issues.push({ path: '', message: `${JSON.stringify(raw)} is not an object of codec options` });
  }
  const options: Record<string, unknown> = {};
  for (const schema of HTTP1_OPTIONS) {
    const value = given.get(schema.key) ?? schema.default;
    given.delete(schema.key);
    const expected = mismatch(schema, value);
    if (expected !== null) issues.push({ path: schema.key, message: `${JSON.stringify(value)} is not ${expected}` });
    options[schema.key] = value;
  }
  const known = HTTP1_OPTIONS.map((schema) => schema.key).join(', ');
  for (const key of given.keys()) issues.push({ path: key, message: `is not an option of http1; there are ${known}` });
  if (issues.length > 0) throw new ConfigError(issues);
  return options as unknown as Http1Options;
}

/** What was expected; null: the value is good. */
function mismatch(schema: OptionSchema, value: unknown): string | null {
  if (schema.type === 'string') {
    const values = schema.values ?? [];
    return typeof value === 'string' && values.includes(value) ? null : `one of ${values.join(', ')}`;
  }
  const { minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = schema;
  const good = Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum;
  return good ? null : `an integer from ${minimum} to ${maximum}`;
}
