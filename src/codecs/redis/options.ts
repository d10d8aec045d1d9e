/** What configuration may set on the Redis codec, checked and defaulted. */
import { ConfigError, type ConfigIssue } from '../../metaprotocol/config-error.ts';
import type { OptionSchema } from '../../metaprotocol/manifest.ts';

export interface RedisOptions {
  readonly frameLimitBytes: number;
  readonly bulkLimitBytes: number;
  readonly argumentLimit: number;
  readonly nestingLimit: number;
  readonly heldLimitBytes: number;
  /** '' = the default user, by whichever name. */
  readonly downstreamUsername: string;
  /** '' = callers are not asked: AUTH goes to the upstream. */
  readonly downstreamPassword: string;
  readonly upstreamUsername: string;
  /** '' = none: connections begin as they are. */
  readonly upstreamPassword: string;
}

const GIBIBYTE = 1_073_741_824;

export const REDIS_OPTIONS: readonly OptionSchema[] = [
  {
    key: 'frameLimitBytes',
    type: 'integer',
    minimum: 1_024,
    maximum: GIBIBYTE,
    default: 67_108_864,
    description: 'Largest command or answer. Each is held whole.',
  },
  {
    key: 'bulkLimitBytes',
    type: 'integer',
    minimum: 1,
    maximum: GIBIBYTE,
    default: 536_870_912,
    description: "Largest argument of a command, as Redis's proto-max-bulk-len.",
  },
  {
    key: 'argumentLimit',
    type: 'integer',
    minimum: 1,
    maximum: 2_147_483_647,
    default: 1_048_576,
    description: 'Most words of a command.',
  },
  {
    key: 'nestingLimit',
    type: 'integer',
    minimum: 1,
    maximum: 10_000,
    default: 128,
    description: 'Deepest nesting of an answer.',
  },
  {
    key: 'heldLimitBytes',
    type: 'integer',
    minimum: 0,
    maximum: GIBIBYTE,
    default: 65_536,
    description: 'Bytes of a caller that may wait behind SELECT, AUTH or HELLO before its connection is not read.',
  },
  {
    key: 'downstreamUsername',
    type: 'string',
    default: '',
    description: 'User that callers authenticate as; empty: the default user.',
  },
  {
    key: 'downstreamPassword',
    type: 'string',
    default: '',
    description: 'Password that callers must say; empty: AUTH goes to the upstream.',
  },
  {
    key: 'upstreamUsername',
    type: 'string',
    default: '',
    description: 'User that the proxy authenticates as; empty: the default user.',
  },
  {
    key: 'upstreamPassword',
    type: 'string',
    default: '',
    description: 'Password that the proxy says to the upstream; empty: none.',
  },
];

/** `raw` is JSON from config or undefined. Throws ConfigError with every bad field, without its value if that may be a secret. */
export function parseRedisOptions(raw: unknown): RedisOptions {
  const issues: ConfigIssue[] = [];
  const given = new Map<string, unknown>();
  if (typeof raw === 'object' && raw !== null && !Array.isArray(raw)) {
    for (const [key, value] of Object.entries(raw)) given.set(key, value);
  } else if (raw !== undefined && raw !== null) {
    issues.push({ path: '', message: 'codec options are not an object' });
  }
  const options: Record<string, unknown> = {};
  for (const schema of REDIS_OPTIONS) {
    const value = given.get(schema.key) ?? schema.default;
    given.delete(schema.key);
    options[schema.key] = value;
    if (schema.type === 'string') {
      if (typeof value !== 'string') issues.push({ path: schema.key, message: `a ${typeof value} is not a string` });
      continue;
    }
    const { minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = schema;
    if (!Number.isInteger(value) || (value as number) < minimum || (value as number) > maximum) {
      const message = `${JSON.stringify(value)} is not an integer from ${minimum} to ${maximum}`;
      issues.push({ path: schema.key, message });
    }
  }
  const known = REDIS_OPTIONS.map((schema) => schema.key).join(', ');
  for (const key of given.keys()) issues.push({ path: key, message: `is not an option of redis; there are ${known}` });
  if (issues.length > 0) throw new ConfigError(issues);
  return options as unknown as RedisOptions;
}
