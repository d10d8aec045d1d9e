/** Reads codec options by their schema, which is also what the manifest publishes: one list, one reading. */
import { ConfigError, type ConfigIssue } from '../metaprotocol/config-error.ts';
import type { OptionSchema } from '../metaprotocol/manifest.ts';

interface ValueTypes {
  readonly integer: number;
  readonly boolean: boolean;
  readonly string: string;
}

/** What a schema that is written down `as const` is read as. */
export type CodecOptions<Schemas extends readonly OptionSchema[]> = {
  readonly [Schema in Schemas[number] as Schema['key']]: Schema extends { readonly values: readonly (infer Value)[] }
    ? Value
    : ValueTypes[Schema['type']];
};

/**
 * Every option of `schemas`, given or default. `raw` is JSON from config or undefined. Throws ConfigError with every bad field.
 */
export function parseCodecOptions<const Schemas extends readonly OptionSchema[]>(
  protocol: string,
  schemas: Schemas,
  raw: unknown,
): CodecOptions<Schemas> {
  const issues: ConfigIssue[] = [];
  const given = new Map<string, unknown>();
  if (typeof raw === 'object' && raw !== null && !Array.isArray(raw)) {
    for (const [key, value] of Object.entries(raw)) given.set(key, value);
  } else if (raw !== undefined && raw !== null) {
    issues.push({ path: '', message: `${JSON.stringify(raw)} is not an object of codec options` });
  }
  const options: Record<string, unknown> = {};
  for (const schema of schemas) {
    const value = given.get(schema.key) ?? schema.default;
    given.delete(schema.key);
    const expected = mismatch(schema, value);
    if (expected !== null) issues.push({ path: schema.key, message: `${JSON.stringify(value)} is not ${expected}` });
    options[schema.key] = value;
  }
  for (const { key, needs, default: absent } of schemas) {
    if (needs === undefined || options[key] === absent || options[needs.option] === needs.value) continue;
    if (issues.some(({ path }) => path === key)) continue;
    const actual = JSON.stringify(options[needs.option]);
    issues.push({ path: key, message: `${options[key]} needs ${needs.option} "${needs.value}", which is ${actual}` });
  }
  const known = schemas.map((schema) => schema.key).join(', ');
  for (const key of given.keys()) {
    issues.push({ path: key, message: `is not an option of ${protocol}; there are ${known}` });
  }
  if (issues.length > 0) throw new ConfigError(issues);
  return options as CodecOptions<Schemas>;
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
