import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../metaprotocol/config-error.ts';
import { parseThriftOptions } from './options.ts';

function issues(raw: unknown): string[] {
  try {
    parseThriftOptions(raw);
  } catch (error) {
    if (error instanceof ConfigError) return error.issues.map((issue) => `${issue.path}: ${issue.message}`);
    throw error;
  }
  return [];
}

describe('parseThriftOptions', () => {
  it('defaults every limit', () => {
    expect(parseThriftOptions(undefined)).toEqual({
      transport: 'detect',
      protocol: 'detect',
      oldBinary: false,
      frameLimitBytes: 16_384_000,
      nestingLimit: 64,
      headerLimitBytes: 65_536,
    });
    expect(parseThriftOptions({ transport: 'theader' }).transport).toBe('theader');
  });

  it('collects all that is wrong', () => {
    expect(issues({ transport: 'http', frameLimitBytes: 0.5, nestingLimit: '64', oldBinary: 1, extra: true })).toEqual([
      'transport: "http" is not one of detect, framed, unframed, theader',
      'oldBinary: 1 is not true or false',
      'frameLimitBytes: 0.5 is not an integer from 4 to 1073741823',
      'nestingLimit: "64" is not an integer from 1 to 10000',
      'extra: is not an option of thrift; there are transport, protocol, oldBinary, frameLimitBytes, nestingLimit, headerLimitBytes',
    ]);
    expect(issues('framed')).toEqual([': "framed" is not an object of codec options']);
  });

  it('takes old binary only where the protocol is configured', () => {
    expect(issues({ oldBinary: true })).toEqual(['oldBinary: true needs protocol "binary", which is "detect"']);
    expect(issues({ oldBinary: true, protocol: 'binary' })).toEqual([]);
  });
});
