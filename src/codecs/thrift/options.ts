/** What configuration may set on the Thrift codec, checked and defaulted. */
import { ConfigError, type ConfigIssue } from '../../metaprotocol/config-error.ts';
import type { OptionSchema } from '../../metaprotocol/manifest.ts';
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
  const issues: ConfigIssue[] = [];
  const given = new Map<string, unknown>();
  if (typeof raw === 'object' && raw !== null && !Array.isArray(raw)) {
    for (const [key, value] of Object.entries(raw)) given.set(key, value);
  } else if (raw !== undefined && raw !== null) {
    issues.push({ path: '', message: `${JSON.stringify(raw)} is not an object of codec options` });
  }
  const options: Record<string, unknown> = {};
  for (const schema of THRIFT_OPTIONS) {
    const value = given.get(schema.key) ?? schema.default;
    given.delete(schema.key);
    const expected = mismatch(schema, value);
    if (expected !== null) issues.push({ path: schema.key, message: `${JSON.stringify(value)} is not ${expected}` });
    options[schema.key] = value;
  }
  const known = THRIFT_OPTIONS.map((schema) => schema.key).join(', ');
  for (const key of given.keys()) issues.push({ path: key, message: `is not an option of thrift; there are ${known}` });
  if (issues.length > 0) throw new ConfigError(issues);
  const parsed = options as unknown as ThriftOptions;
  if (parsed.oldBinary && parsed.protocol !== 'binary') {
    throw new ConfigError([
      { path: 'oldBinary', message: `true needs protocol "binary", which is "${parsed.protocol}"` },
    ]);
  }
  return parsed;
}

/** What was expected; null: the value is good. */
function mismatch(schema: OptionSchema, value: unknown): string | null {
  switch (schema.type) {
    case 'boolean':
      return typeof value === 'boolean' ? null : 'true or false';
    case 'string':
      if (typeof value === 'string' && (schema.values === undefined || schema.values.includes(value))) return null;
      return schema.values === undefined ? 'a string' : `one of ${schema.values.join(', ')}`;
    case 'integer': {
      const least = schema.minimum ?? Number.MIN_SAFE_INTEGER;
      const most = schema.maximum ?? Number.MAX_SAFE_INTEGER;
      const good = Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
      return good ? null : `an integer from ${least} to ${most}`;
    }
  }
}
