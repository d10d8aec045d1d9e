import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { textMap } from './text-map.ts';

const map = textMap({ length: 'u16be', key: 'u8', value: 'u16le' });
const EMPTY = Buffer.alloc(2);
const entries = fc.array(fc.tuple(fc.string({ maxLength: 12, unit: 'grapheme' }), fc.string({ maxLength: 30 })), {
  maxLength: 8,
});

/** A map as a peer writes it, with `before` in front of it. */
function encoded(pairs: readonly (readonly [string, string])[], before: number): Buffer {
  const parts = pairs.map(([key, value]) => {
    const lengths = [Buffer.from([Buffer.byteLength(key)]), Buffer.alloc(2)] as const;
    lengths[1].writeUInt16LE(Buffer.byteLength(value));
    return Buffer.concat([lengths[0], Buffer.from(key), lengths[1], Buffer.from(value)]);
  });
  const length = Buffer.alloc(2);
  length.writeUInt16BE(parts.reduce((sum, part) => sum + part.length, 0));
  return Buffer.concat([Buffer.alloc(before), length, ...parts]);
}

function visited(bytes: Buffer, at: number): [string, string][] {
  const found: [string, string][] = [];
  map.visit(bytes, at, (key, value) => found.push([key, value]));
  return found;
}

describe('TextMap', () => {
  it('reads every entry, and the first of a repeated key', () => {
    fc.assert(
      fc.property(entries, fc.nat(5), (pairs, at) => {
        const bytes = encoded(pairs, at);
        expect(map.end(bytes, at, bytes.length)).toBe(bytes.length);
        expect(visited(bytes, at)).toEqual(pairs);
        for (const [key] of pairs) expect(map.get(bytes, at, key)).toBe(pairs.find(([other]) => other === key)![1]);
        expect(map.get(bytes, at, 'no such key, too long to be one')).toBeUndefined();
      }),
    );
  });

  it('writes edits, and every other entry byte for byte', () => {
    fc.assert(
      fc.property(
        entries,
        fc.dictionary(fc.string({ maxLength: 3 }), fc.option(fc.string({ maxLength: 9 }))),
        (pairs, edits) => {
          const bytes = encoded(pairs, 0);
          const changes = new Map(Object.entries(edits));
          const target = Buffer.alloc(map.sizeWith(bytes, 0, changes));
          expect(map.writeWith(bytes, 0, changes, target, 0)).toBe(target.length);
          const kept = pairs.filter(([key]) => !changes.has(key));
          const set = [...changes].filter((change): change is [string, string] => change[1] !== null);
          expect(target).toEqual(encoded([...kept, ...set], 0));
        },
      ),
    );
  });

  it('finds no key by bytes that are not its UTF-8', () => {
    const latin1 = Buffer.from([0, 5, 1, 0xe9, 1, 0, 0x78]);
    expect(map.end(latin1, 0, 7)).toBe(7);
    expect(map.get(latin1, 0, 'é')).toBeUndefined();
    expect(map.get(latin1, 0, '\ufffd')).toBeUndefined();
  });

  it.each([
    ['its length', '0005010000'],
    ['a key', '0003056162'],
    ['the length of a value', '00020161'],
    ['a value', '00050161ff0061'],
  ])('refuses bytes where %s goes beyond its end', (_what, hex) => {
    const bytes = Buffer.from(hex, 'hex');
    expect(map.end(bytes, 0, bytes.length)).toBe(-1);
  });

  it('says what it cannot hold', () => {
    expect(map.sizeWith(EMPTY, 0, new Map([['k'.repeat(256), 'v']]))).toBe(-1);
    expect(map.sizeWith(EMPTY, 0, new Map([['k', 'v'.repeat(65_536)]]))).toBe(-1);
    expect(
      map.sizeWith(
        EMPTY,
        0,
        new Map([
          ['k', 'v'.repeat(65_531)],
          ['l', ''],
        ]),
      ),
    ).toBe(-1);
    expect(map.sizeWith(EMPTY, 0, new Map([['k', 'v'.repeat(65_531)]]))).toBe(2 + 1 + 1 + 2 + 65_531);
  });
});
