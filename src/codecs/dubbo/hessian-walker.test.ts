import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stockCall } from '../../../test/harness/dubbo/stock-dubbo.ts';
import { readText, skipText, textBytes } from './hessian-text.ts';
import { HessianWalker } from './hessian-walker.ts';
import { parseDubboOptions } from './options.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

function walk(bytes: Buffer, count = 1, options?: unknown): HessianWalker & { ok: boolean } {
  const walker = new HessianWalker(parseDubboOptions(options));
  walker.start(bytes, 0, bytes.length);
  return Object.assign(walker, { ok: walker.skip(count) });
}

/** From the examples of the Hessian 2.0 specification. */
const VALUES: [title: string, bytes: string][] = [
  ['int 0', '90'],
  ['int -16', '80'],
  ['int -256', 'c7 00'],
  ['int 262143', 'd7 ff ff'],
  ['int 262144', '49 00 04 00 00'],
  ['long -8', 'd8'],
  ['long 2047', 'ff ff'],
  ['long 262143', '3f ff ff'],
  ['long 262144', '59 00 04 00 00'],
  ['long', '4c 00 00 00 00 80 00 00 00'],
  ['double 0', '5b'],
  ['double 1', '5c'],
  ['double -128', '5d 80'],
  ['double 32767', '5e 7f ff'],
  ['double 12.25', '5f 00 00 2f da'],
  ['double', '44 40 28 80 00 00 00 00 00'],
  ['date', '4a 00 00 00 d0 4b 92 84 b8'],
  ['date in minutes', '4b 00 e3 83 8f'],
  ['true', '54'],
  ['false', '46'],
  ['null', '4e'],
  ['string of 0', '00'],
  ['string of 5', '05 68 65 6c 6c 6f'],
  ['string of 1 beyond ASCII', '01 c3 83'],
  ['string in two chunks', '52 00 02 68 65 53 00 01 6c'],
  ['string in chunks, the last one short', '52 00 02 68 65 01 6c'],
  ['surrogate pair as 3 + 3 bytes', '02 ed a0 bc ed bc ac'],
  ['surrogate pair as 4 bytes', '02 f0 9f 8c ac'],
  ['binary of 0', '20'],
  ['binary of 3', '23 01 02 03'],
  ['binary of 257', `35 01 ${'00'.repeat(257)}`],
  ['binary in two chunks', '41 00 01 ff 42 00 01 ff'],
  ['binary in chunks, the last one short', '41 00 01 ff 21 ff'],
  ['typed list until Z', '55 04 5b 69 6e 74 90 91 5a'],
  ['typed list of 2', '56 04 5b 69 6e 74 92 90 91'],
  ['typed list of 2, type by number', '56 90 92 90 91'],
  ['list until Z', '57 90 91 5a'],
  ['list of 2', '58 92 90 91'],
  ['list of 256 by a 2-byte int', `58 c9 00 ${'4e'.repeat(256)}`],
  ['list of 256 by a 3-byte int', `58 d4 01 00 ${'4e'.repeat(256)}`],
  ['list of 256 by a 5-byte int', `58 49 00 00 01 00 ${'4e'.repeat(256)}`],
  ['short typed list', '72 04 5b 69 6e 74 90 91'],
  ['short list', '7a 90 91'],
  ['empty list', '78'],
  ['empty lists in a list', '7a 78 78'],
  ['map', '48 01 61 90 01 62 91 5a'],
  ['typed map', '4d 03 63 61 72 01 61 90 5a'],
  ['empty map', '48 5a'],
  ['object', '43 03 63 61 72 92 01 61 01 62 60 90 91'],
  ['object by int', '43 03 63 61 72 91 01 61 4f 90 92'],
  ['object without fields', '43 01 61 90 60'],
  ['list of objects', '7a 43 01 61 91 01 78 60 90 60 51 91'],
  ['reference', '51 90'],
];

describe('the walker', () => {
  it.each(VALUES)('finds the end of: %s', (_, text) => {
    const bytes = hex(text);
    const walked = walk(Buffer.concat([bytes, hex('4e 05')]));
    expect(walked.fault).toBe('');
    expect(walked.at).toBe(bytes.length);
  });

  it.each(VALUES)('misses the end of a cut: %s', (_, text) => {
    const bytes = hex(text);
    for (let length = 0; length < bytes.length; length++) expect(walk(bytes.subarray(0, length)).ok).toBe(false);
  });

  it('finds what hessian.js wrote', () => {
    const anything = fc.anything({
      values: [
        fc.string({ unit: 'binary', maxLength: 80 }),
        fc.integer(),
        fc.double(),
        fc.boolean(),
        fc.constant(null),
        fc.constant(Buffer.alloc(50)),
      ],
      key: fc.string({ unit: 'grapheme' }),
      maxDepth: 5,
    });
    fc.assert(
      fc.property(fc.array(anything.filter(isPlain), { maxLength: 5 }), (args) => {
        const bytes = stockCall({ args, types: 'I'.repeat(args.length) });
        const walker = new HessianWalker(parseDubboOptions(undefined));
        walker.start(bytes, 16, bytes.length);
        for (let n = 0; n < 5; n++) expect(walker.skipTextOrNull()).toBe(true);
        expect(walker.skip(args.length + 1)).toBe(true);
        expect(walker.at).toBe(bytes.length);
      }),
      { numRuns: 300 },
    );
  });

  const BAD: [title: string, bytes: Buffer, fault: string, at: number][] = [
    [
      'the class definition bomb',
      hex('43 01 78 49 7f ff ff ff'),
      'a class of 2147483647 fields where 0 bytes are left',
      3,
    ],
    ['a negative field count', hex('43 01 78 49 ff ff ff ff'), 'a class of -1 fields where 0 bytes are left', 3],
    ['a huge list', hex('58 49 7f ff ff ff'), 'a list of 2147483647 values where 0 bytes are left', 0],
    ['a negative list', hex('56 90 49 ff ff ff ff 90'), 'a list of -1 values where 1 bytes are left', 0],
    ['an object without its class', hex('60'), 'an object of class 0 where 0 are defined', 0],
    ['an object of a later class', hex('43 01 61 90 61'), 'an object of class 1 where 1 are defined', 4],
    ['an object of a negative class', hex('43 01 61 90 4f 8f'), 'an object of class -1 where 1 are defined', 4],
    ['a byte that begins nothing', hex('40'), '0x40 begins no value', 0],
    ['an end without a list', hex('5a'), '0x5a begins no value', 0],
    ['an end behind a class definition', hex('57 43 01 61 90 5a'), '0x5a begins no value', 5],
    ['a map that ends behind a key', hex('48 90 5a'), 'a map that ends behind a key', 2],
    ['a string where a binary chunk is due', hex('41 00 01 ff 01 61'), 'a binary without its last chunk', 4],
    ['a binary where a string chunk is due', hex('52 00 01 61 21 61'), 'no whole string', 0],
    ['a string that is no UTF-8', hex('01 80'), 'no whole string', 0],
    ['half of a four-byte character', hex('01 f0 9f 8c ac'), 'no whole string', 0],
    ['a type that is neither name nor number', hex('55 4e 5a'), 'no whole int', 1],
    ['a reference without its number', hex('51 01 61'), 'no whole int', 1],
  ];

  it.each(BAD)('refuses %s', (_, bytes, fault, at) => {
    const walked = walk(bytes);
    expect(walked.ok).toBe(false);
    expect(walked).toMatchObject({ fault, at, overLimit: false });
  });

  it.each([
    ['list', '57'],
    ['typed list', '55 01 61'],
    ['map value', '48 90'],
    ['short list', '79'],
  ])('refuses %s in %s in …', (_, lead) => {
    const nest = (depth: number) =>
      Buffer.concat([hex(lead.repeat(depth)), hex('4e'), Buffer.alloc(lead === '79' ? 0 : depth, 0x5a)]);
    expect(walk(nest(512)).ok).toBe(true);
    expect(walk(nest(513))).toMatchObject({
      ok: false,
      overLimit: true,
      fault: 'values nested deeper than nestingLimit 512',
    });
    expect(walk(nest(4), 1, { nestingLimit: 3 })).toMatchObject({ ok: false, overLimit: true });
    expect(walk(nest(1_000_000)).ok).toBe(false);
  });

  it('counts values, classes and fields', () => {
    const list = Buffer.concat([hex('57'), Buffer.alloc(9, 0x90), hex('5a')]);
    expect(walk(list, 1, { valueLimit: 10 }).ok).toBe(true);
    expect(walk(list, 1, { valueLimit: 9 })).toMatchObject({
      ok: false,
      overLimit: true,
      fault: 'more than valueLimit 9 values',
    });
    const classes = Buffer.concat([hex('43 01 61 90'.repeat(3)), hex('60')]);
    expect(walk(classes, 1, { classLimit: 3 }).ok).toBe(true);
    expect(walk(classes, 1, { classLimit: 2 })).toMatchObject({
      overLimit: true,
      fault: 'more than classLimit 2 class definitions',
    });
    const fields = hex('43 01 61 93 00 00 00 60 4e 4e 4e');
    expect(walk(fields, 1, { classLimit: 3 }).ok).toBe(true);
    expect(walk(fields, 1, { classLimit: 2 })).toMatchObject({
      overLimit: true,
      fault: 'a class of 3 fields, classLimit is 2',
    });
  });
});

describe('strings', () => {
  it('go out and come back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        const bytes = textBytes(text);
        expect(skipText(bytes, 0, bytes.length)).toBe(bytes.length);
        expect(readText(bytes, 0, bytes.length)).toBe(text);
      }),
    );
  });

  it.each([31, 32, 1_023, 1_024, 32_768, 32_769, 65_536, 100_000])('of %i units', (length) => {
    for (const unit of ['a', 'μ', '风', '\u{1f32c}']) {
      const text = `x${unit.repeat(Math.ceil(length / unit.length))}`.slice(0, length);
      const bytes = textBytes(text);
      expect(skipText(bytes, 0, bytes.length)).toBe(bytes.length);
      expect(readText(bytes, 0, bytes.length)).toBe(text);
      expect(skipText(bytes, 0, bytes.length - 1)).toBe(-1);
    }
  });

  it('are not cut within a surrogate pair', () => {
    expect(textBytes(`x${'\u{1f32c}'.repeat(20_000)}`).readUInt16BE(1)).toBe(0x7fff);
    expect(textBytes('\u{1f32c}'.repeat(20_000)).readUInt16BE(1)).toBe(0x8000);
  });

  it('with four-byte characters are read too', () => {
    const bytes = hex('03 61 f0 9f 8c ac');
    expect(readText(bytes, 0, bytes.length)).toBe('a\u{1f32c}');
  });
});

/** hessian.js writes what it can; keep what is certain. */
function isPlain(value: unknown): boolean {
  if (value === undefined || typeof value === 'bigint' || typeof value === 'symbol') return false;
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return true;
  return Object.entries(value).every(([key, one]) => !key.startsWith('$') && key !== '__proto__' && isPlain(one));
}
