/** parseIntegerOptions: the toys' options are positive integers with defaults. */
import { ConfigError, type ConfigIssue } from '../../../src/metaprotocol/config-error.ts';

export function parseIntegerOptions<O extends Readonly<Record<string, number>>>(raw: unknown, defaults: O): O {
  if (raw === undefined || raw === null) return defaults;
  if (typeof raw !== 'object') throw new ConfigError([{ path: '', message: `${typeof raw}, expected an object` }]);
  const issues: ConfigIssue[] = [];
  for (const [key, value] of Object.entries(raw)) {
    if (!Object.hasOwn(defaults, key)) {
      issues.push({ path: key, message: `unknown option, expected one of ${Object.keys(defaults).join(', ')}` });
    } else if (!Number.isSafeInteger(value) || (value as number) < 0) {
      issues.push({ path: key, message: `${JSON.stringify(value)}, expected an integer >= 0` });
    }
  }
  if (issues.length > 0) throw new ConfigError(issues);
  return { ...defaults, ...raw };
}
