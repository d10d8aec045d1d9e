/** What configuration may set on the Dubbo codec, checked and defaulted. */
import { ConfigError, type ConfigIssue } from '../../metaprotocol/config-error.ts';
import type { OptionSchema } from '../../metaprotocol/manifest.ts';

export interface DubboOptions {
  readonly frameLimitBytes: number;
  readonly eventLimitBytes: number;
  readonly checkArguments: boolean;
  readonly nestingLimit: number;
  readonly valueLimit: number;
  readonly classLimit: number;
}

interface IntegerOption extends OptionSchema {
  readonly type: 'integer';
  readonly minimum: number;
  readonly maximum: number;
}

interface BooleanOption extends OptionSchema {
  readonly type: 'boolean';
}

export const DUBBO_OPTIONS: readonly (IntegerOption | BooleanOption)[] = [
  {
    key: 'frameLimitBytes',
    type: 'integer',
    minimum: 1,
    maximum: 0x3fff_ffff,
    default: 8_388_608,
    description: "Largest body of a message: Dubbo's `payload`.",
  },
  {
    key: 'eventLimitBytes',
    type: 'integer',
    minimum: 1,
    maximum: 65_536,
    default: 15,
    description: 'Largest body of an event (heartbeat, read-only).',
  },
  {
    key: 'checkArguments',
    type: 'boolean',
    default: true,
    description:
      'Walk the arguments of every hessian2 call and refuse it if they are malformed or over a limit. False: only where attachments are asked for.',
  },
  {
    key: 'nestingLimit',
    type: 'integer',
    minimum: 1,
    maximum: 10_000,
    default: 512,
    description: 'Deepest nesting of lists, maps and objects.',
  },
  {
    key: 'valueLimit',
    type: 'integer',
    minimum: 1,
    maximum: 100_000_000,
    default: 2_000_000,
    description: 'Most hessian2 values in one message.',
  },
  {
    key: 'classLimit',
    type: 'integer',
    minimum: 1,
    maximum: 65_536,
    default: 4_096,
    description: 'Most class definitions in one message, and most fields of one.',
  },
];

/** `raw` is JSON from config or undefined. Throws ConfigError with every bad field. */
export function parseDubboOptions(raw: unknown): DubboOptions {
  const issues: ConfigIssue[] = [];
  const given = new Map<string, unknown>();
  if (typeof raw === 'object' && raw !== null && !Array.isArray(raw)) {
    for (const [key, value] of Object.entries(raw)) given.set(key, value);
  } else if (raw !== undefined && raw !== null) {
    issues.push({ path: '', message: `${JSON.stringify(raw)} is not an object of codec options` });
  }
  const options: Record<string, unknown> = {};
  for (const schema of DUBBO_OPTIONS) {
    const value = given.get(schema.key) ?? schema.default;
    given.delete(schema.key);
    const expected = mismatch(schema, value);
    if (expected !== null) issues.push({ path: schema.key, message: `${JSON.stringify(value)} is not ${expected}` });
    options[schema.key] = value;
  }
  const known = DUBBO_OPTIONS.map((schema) => schema.key).join(', ');
  for (const key of given.keys()) issues.push({ path: key, message: `is not an option of dubbo; there are ${known}` });
  if (issues.length > 0) throw new ConfigError(issues);
  return options as unknown as DubboOptions;
}

/** What was expected; null: the value is good. */
function mismatch(schema: IntegerOption | BooleanOption, value: unknown): string | null {
  if (schema.type === 'boolean') return typeof value === 'boolean' ? null : 'true or false';
  const { minimum, maximum } = schema;
  const good = Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum;
  return good ? null : `an integer from ${minimum} to ${maximum}`;
}
