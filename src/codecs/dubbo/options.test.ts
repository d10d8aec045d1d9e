import { expect, it } from 'vitest';
import { ConfigError } from '../../metaprotocol/config-error.ts';
import { DUBBO_OPTIONS, parseDubboOptions } from './options.ts';

const DEFAULTS = Object.fromEntries(DUBBO_OPTIONS.map(({ key, default: value }) => [key, value]));

it('has defaults for all options', () => {
  for (const raw of [undefined, null, {}]) expect(parseDubboOptions(raw)).toEqual(DEFAULTS);
  expect(parseDubboOptions({ nestingLimit: 7, checkArguments: false })).toEqual({
    ...DEFAULTS,
    nestingLimit: 7,
    checkArguments: false,
  });
});

it.each([
  ['text', '"text" is not an object of codec options'],
  [[], '[] is not an object of codec options'],
  [{ frameLimitBytes: 0 }, 'frameLimitBytes: 0 is not an integer from 1 to 1073741823'],
  [{ frameLimitBytes: '1' }, 'frameLimitBytes: "1" is not an integer from 1 to 1073741823'],
  [{ nestingLimit: 1.5 }, 'nestingLimit: 1.5 is not an integer from 1 to 10000'],
  [{ checkArguments: 1 }, 'checkArguments: 1 is not true or false'],
  [{ frameLimit: 1 }, `frameLimit: is not an option of dubbo; there are ${Object.keys(DEFAULTS).join(', ')}`],
  [
    { eventLimitBytes: -1, classLimit: 0 },
    'eventLimitBytes: -1 is not an integer from 1 to 65536; classLimit: 0 is not an integer from 1 to 65536',
  ],
])('refuses %j', (raw, text) => {
  let error: unknown;
  try {
    parseDubboOptions(raw);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(ConfigError);
  const found = (error as ConfigError).issues.map(({ path, message }) =>
    path === '' ? message : `${path}: ${message}`,
  );
  expect(found.join('; ')).toBe(text);
});
