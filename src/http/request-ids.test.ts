import { describe, expect, it } from 'vitest';
import type { ByteRange } from '../metaprotocol/message.ts';
import { RequestIds } from './request-ids.ts';

function textOf({ bytes, from, to }: ByteRange): string {
  return bytes.toString('latin1', from, to);
}

describe('RequestIds', () => {
  it('makes UUIDs of version 4, each another', () => {
    const ids = new RequestIds();
    const made = Array.from({ length: 5_000 }, () => textOf(ids.next()));
    for (const id of made) expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
    expect(new Set(made).size).toBe(made.length);
  });

  it('never writes to the bytes of one again', () => {
    const ids = new RequestIds();
    const ranges = Array.from({ length: 1_000 }, () => ({ ...ids.next() }));
    const texts = ranges.map(textOf);
    for (let count = 0; count < 1_000; count++) ids.next();
    expect(ranges.map(textOf)).toEqual(texts);
  });

  it('leaves every other digit to chance', () => {
    const ids = new RequestIds();
    const seen = Array.from({ length: 36 }, () => new Set<string>());
    for (let count = 0; count < 2_000; count++) {
      for (const [at, char] of [...textOf(ids.next())].entries()) seen[at]!.add(char);
    }
    const fixed = new Map([
      [8, 1],
      [13, 1],
      [18, 1],
      [23, 1],
      [14, 1],
      [19, 4],
    ]);
    expect(seen.map(({ size }) => size)).toEqual(seen.map((_, at) => fixed.get(at) ?? 16));
  });
});
