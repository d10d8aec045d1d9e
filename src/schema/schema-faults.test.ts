import { expect, describe as group, it } from 'vitest';
import { z } from 'zod';
import { describe, describeKind, formatPath } from './describe.ts';
import { schemaFaults } from './schema-faults.ts';

group('values in messages', () => {
  const circle: unknown[] = [];
  circle.push(circle);

  it.each([
    [undefined, 'nothing', 'nothing'],
    [null, 'null', 'null'],
    [Number.NaN, 'NaN', 'NaN'],
    [2n, '2', '2'],
    [() => 1, 'a function', 'a function'],
    ['a\nb', '"a\\nb"', 'a text'],
    [[1], 'a list [1]', 'a list'],
    [{ key: 'SECRET' }, 'an object {"key":"SECRET"}', 'an object'],
    [circle, 'a list ', 'a list'],
    ['x'.repeat(80), `"${'x'.repeat(56)}…`, 'a text'],
  ])('%#', (value, shown, kind) => {
    expect([describe(value), describeKind(value)]).toEqual([shown, kind]);
  });

  it('have places that can be typed', () => {
    expect(formatPath(['routes', 2, 'a-b', '', 'x y'])).toBe('routes[2].a-b[""]["x y"]');
  });
});

group('schemaFaults', () => {
  const schema = z.strictObject({
    lists: z.array(z.strictObject({ size: z.int().min(1) })),
    either: z.union([z.string(), z.strictObject({ file: z.string() })], 'a text or { file }'),
    words: z.record(z.string().min(1), z.enum(['on', 'off'])).optional(),
  });

  it('finds nothing where all is well', () => {
    expect(schemaFaults(schema, { lists: [{ size: 1 }], either: { file: 'x' }, words: { a: 'on' } })).toEqual([]);
  });

  it('says place, actual and expected value of each, and what was probably meant', () => {
    const given = { lists: [{ siz: 1 }, { size: 0 }, 3], either: 1, words: { a: 'ON', '': 'on' } };
    expect(schemaFaults(schema, given).map(({ path, message }) => `${path}: ${message}`)).toEqual([
      'lists[0].size: actual nothing, expected a number',
      'lists[0].siz: unknown field, expected one of size; did you mean size?',
      'lists[1].size: actual 0, expected at least 1',
      'lists[2]: actual 3, expected an object of size',
      'either: actual 1, expected a text or { file }',
      'words.a: actual "ON", expected one of on, off',
      'words[""]: actual "", expected a key that is a text that is not empty',
    ]);
    expect(schemaFaults(schema, { lists: [], either: { file: 'x', mode: 1 } })).toEqual([
      { path: 'either.mode', message: 'unknown field, expected one of file' },
    ]);
  });
});
