/** parseOptions: checks codec options from configuration against their schema and fills in defaults; every fault is named. */
import { ConfigError, type ConfigIssue } from '../metaprotocol/config-error.ts';
import type { OptionSchema } from '../metaprotocol/manifest.ts';

/** `raw` is JSON from configuration, or undefined. Throws ConfigError with every bad field. */
export function parseOptions(
  codec: string,
  schemas: readonly OptionSchema[],
  raw: unknown,
): Map<string, string | number | boolean> {
  const issues: ConfigIssue[] = [];
  const given = new Map<string, unknown>();
  if (typeof raw === 'object' && raw !== null && !Array.isArray(raw)) {
    for (const [key, value] of Object.entries(raw)) given.set(key, value);
  } else if (raw !== undefined && raw !== null) {
    issues.push({ path: '', message: `${JSON.stringify(raw)} is not an object of codec options` });
  }
  const parsed = new Map<string, string | number | boolean>();
  for (const schema of schemas) {
    const value = given.get(schema.key) ?? schema.default;
    given.delete(schema.key);
    const expected = expectationOf(schema, value);
    if (expected !== null) issues.push({ path: schema.key, message: `${JSON.stringify(value)} is not ${expected}` });
    parsed.set(schema.key, value as string | number | boolean);
  }
  const known = schemas.map(({ key }) => key).join(', ');
  for (const key of given.keys()) {
    issues.push({ path: key, message: `is not an option of ${codec}; there are ${known}` });
  }
  if (issues.length > 0) throw new ConfigError(issues);
  return parsed;
}

/** What was expected; null: the value is good. */
function expectationOf(schema: OptionSchema, value: unknown): string | null {
  switch (schema.type) {
    case 'boolean':
      return typeof value === 'boolean' ? null : 'true or false';
    case 'string':
      if (typeof value === 'string' && (schema.values?.includes(value) ?? true)) return null;
      return schema.values === undefined ? 'a string' : `one of ${schema.values.join(', ')}`;
    case 'integer': {
      const { minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER } = schema;
      const isGood = Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum;
      return isGood ? null : `an integer from ${minimum} to ${maximum}`;
    }
  }
}
