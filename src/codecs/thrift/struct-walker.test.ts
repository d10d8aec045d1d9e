import { describe, expect, it } from 'vitest';
import { BAD_FRAME } from '../framing.ts';
import { PYTHON_MESSAGES } from './fixtures/python-messages.ts';
import { parseThriftOptions } from './options.ts';
import { StructWalker } from './struct-walker.ts';

const BINARY_HEAD = '80010001 00000001 61 00000007';
const COMPACT_HEAD = '8221 07 01 61';

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex');
}

function measure(hex: string, options?: Record<string, unknown>): { size: number; text: string | null } {
  const bytes = bytesOf(hex);
  const walker = new StructWalker(parseThriftOptions({ transport: 'unframed', ...options }));
  const size = walker.measure(bytes, 0, bytes.length);
  return { size, text: walker.fault === null ? null : `${walker.fault.text} at ${walker.fault.at}` };
}

describe('StructWalker', () => {
  it.each(PYTHON_MESSAGES.filter(({ transport }) => transport === 'unframed'))(
    'finds the end of $protocol old=$old: $title, and never asks for a byte too many',
    ({ bytes, old }) => {
      const walker = new StructWalker(parseThriftOptions(old ? { protocol: 'binary', oldBinary: true } : undefined));
      // Each answer asks for more than is there, and never for more than the message has.
      let there = 1;
      let asked = walker.measure(bytes, 0, there);
      while (asked > there) {
        expect(asked).toBeLessThanOrEqual(bytes.length);
        there = asked;
        asked = walker.measure(bytes, 0, there);
      }
      expect(asked).toBe(bytes.length);
      // Ready for the next message, wherever it is.
      const moved = Buffer.concat([Buffer.alloc(9), bytes, bytes]);
      expect(walker.measure(moved, 9, moved.length)).toBe(bytes.length);
    },
  );

  it.each([
    ['binary', (levels: number) => `${BINARY_HEAD}${'0c0001'.repeat(levels - 1)}${'00'.repeat(levels)}`],
    ['binary lists', (levels: number) => `${BINARY_HEAD}0f0001${'0f00000001'.repeat(levels - 2)}0300000000 00`],
    ['compact', (levels: number) => `${COMPACT_HEAD}${'1c'.repeat(levels - 1)}${'00'.repeat(levels)}`],
    ['compact lists', (levels: number) => `${COMPACT_HEAD}19${'19'.repeat(levels - 2)}03 00`],
  ])('allows %s up to the nesting limit', (_, nest) => {
    const hex = nest(64);
    expect(measure(hex)).toEqual({ size: bytesOf(hex).length, text: null });
    expect(measure(nest(65)).text).toMatch(/^nesting deeper than nestingLimit 64 at \d+$/);
    expect(measure(nest(3), { nestingLimit: 2 }).text).toMatch(/^nesting deeper than nestingLimit 2 at/);
  });

  it.each([
    [
      'a string longer than the limit',
      `${BINARY_HEAD}0b0001 7fffffff`,
      'string length 2147483647 > frameLimitBytes 16384000 at 16',
    ],
    ['a string of negative length', `${BINARY_HEAD}0b0001 ffffffff`, 'string length -1 at 16'],
    [
      'a list longer than the limit',
      `${BINARY_HEAD}0f0001 0c 7fffffff`,
      'container length 2147483647 > frameLimitBytes 16384000 at 16',
    ],
    [
      'a list whose elements are longer than the limit',
      `${BINARY_HEAD}0f0001 0a 00ffff00`,
      'container length 16776960 > frameLimitBytes 16384000 at 16',
    ],
    [
      'a list of eight-byte elements over the limit',
      `${BINARY_HEAD}0f0001 0a 00200000`,
      'message longer than frameLimitBytes 16384000 at 16777237',
    ],
    ['a map of negative length', `${BINARY_HEAD}0d0001 0b0c ffffffff`, 'container length -1 at 16'],
    [
      'a map with more values than the limit',
      `${BINARY_HEAD}0d0001 0b0b 00800000`,
      'container length 8388608 > frameLimitBytes 16384000 at 16',
    ],
    ['elements of no type', `${BINARY_HEAD}0f0001 01 00000001`, 'element type 1 at 16'],
    ['map values of no type', `${BINARY_HEAD}0d0001 0b11 00000001`, 'element type 17 at 16'],
    [
      'compact: a string longer than the limit',
      `${COMPACT_HEAD}18 ffffffff07`,
      'string length 2147483647 > frameLimitBytes 16384000 at 6',
    ],
    ['compact: a length of more than 32 bits', `${COMPACT_HEAD}18 ffffffffff01`, 'string length -1 at 6'],
    [
      'compact: a list longer than the limit',
      `${COMPACT_HEAD}19 fc ffffffff07`,
      'container length 2147483647 > frameLimitBytes 16384000 at 6',
    ],
    ['compact: a map of no type', `${COMPACT_HEAD}1b 02 1f`, 'element type 15 at 6'],
    ['compact: an endless integer', `${COMPACT_HEAD}16 ffffffffffffffffffff01`, 'an integer longer than 64 bits at 6'],
    ['compact: an endless field id', `${COMPACT_HEAD}05 ffffffffffff`, 'a field id longer than 32 bits at 6'],
  ])('refuses %s as soon as it is said', (_, hex, text) => {
    expect(measure(hex)).toEqual({ size: BAD_FRAME, text });
  });

  it.each([
    ['an empty list of no type', `${BINARY_HEAD}0f0001 00 00000000 00`],
    ['an empty map', `${BINARY_HEAD}0d0001 0000 00000000 00`],
    ['a uuid', `${BINARY_HEAD}100001 ${'ab'.repeat(16)} 00`],
    ['compact: an empty map', `${COMPACT_HEAD}1b 00 00`],
    ['compact: an empty list', `${COMPACT_HEAD}19 0c 00`],
    ['compact: a boolean field that is the last', `${COMPACT_HEAD}11 00`],
    ['compact: booleans, in fields and in a list', `${COMPACT_HEAD}11 12 19 31 010201 00`],
    ['compact: a map of booleans', `${COMPACT_HEAD}1b 02 11 01020102 00`],
    ['compact: a uuid', `${COMPACT_HEAD}1d ${'ab'.repeat(16)} 00`],
    ['compact: a field id spelled out', `${COMPACT_HEAD}05 c801 08 00`],
  ])('takes %s', (_, hex) => {
    expect(measure(hex)).toEqual({ size: bytesOf(hex).length, text: null });
  });

  it('refuses a message one byte over the limit, and takes one at the limit', () => {
    const hex = `${BINARY_HEAD}0b0001 00000003 616263 00`;
    const size = bytesOf(hex).length;
    expect(measure(hex, { frameLimitBytes: size }).size).toBe(size);
    expect(measure(hex, { frameLimitBytes: size - 1 }).size).toBe(BAD_FRAME);
  });
});
