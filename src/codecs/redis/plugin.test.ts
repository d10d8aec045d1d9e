import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../metaprotocol/config-error.ts';
import { errorName } from './codes.ts';
import { parseRedisOptions } from './options.ts';
import { redisFactory, redisManifest } from './plugin.ts';
import { ERROR_OF_STATUS } from './reply.ts';
import { redisRouteFilter } from './strip-prefix-filter.ts';

const page = readFileSync(new URL('../../../docs/codecs/redis.md', import.meta.url), 'utf8');

function issuesOf(parse: () => unknown): string[] {
  try {
    parse();
  } catch (error) {
    if (error instanceof ConfigError) return error.issues.map((issue) => `${issue.path}: ${issue.message}`);
    throw error;
  }
  return [];
}

describe('the Redis plugin', () => {
  it('states a manifest that survives JSON', () => {
    expect(JSON.parse(JSON.stringify(redisManifest))).toEqual(redisManifest);
    expect(redisManifest.codes).toContainEqual({ name: 'LOADING', code: 6 });
  });

  it('detects commands, not lines of words', () => {
    const detect = (text: string) => redisFactory.detect!(Buffer.from(text));
    expect(['', '*', '*3\r\n', '*x', 'GET k\r\n'].map(detect)).toEqual(['more', 'more', 'match', 'reject', 'reject']);
  });

  it('names every bad option, and shows no password', () => {
    const raw = { frameLimitBytes: 1, nestingLimit: 'x', downstreamPassword: ['hidden'], nope: 1 };
    const issues = issuesOf(() => parseRedisOptions(raw));
    expect(issues).toEqual([
      'frameLimitBytes: 1 is not an integer from 1024 to 1073741824',
      'nestingLimit: "x" is not an integer from 1 to 10000',
      'downstreamPassword: a object is not a string',
      expect.stringMatching(/^nope: is not an option of redis; there are frameLimitBytes, /),
    ]);
    expect(issuesOf(() => parseRedisOptions([]))).toEqual([': codec options are not an object']);
    expect(issuesOf(() => redisRouteFilter.parseOptions({ stripPrefix: 1, ignoreCase: 2, other: 3 }))).toEqual([
      'other: is not a route option; there are stripPrefix and ignoreCase',
      'stripPrefix: is not a string',
      'ignoreCase: is neither true nor false',
    ]);
  });

  it('is described with all its attributes, options and replies', () => {
    for (const { key } of redisManifest.attributes.fixed) expect(page).toContain(`| \`${key}\` |`);
    for (const option of redisManifest.options) {
      const shown = option.type === 'integer' ? option.default : `\`${option.default}\``;
      expect(page).toContain(`| \`${option.key}\` | ${shown} |`);
    }
    for (const [status, code] of Object.entries(ERROR_OF_STATUS)) {
      expect(page).toContain(`| \`${status}\` | \`${errorName(code)}\` |`);
    }
  });
});
