import { expect, test } from 'vitest';
import { KeptBytes } from './kept-bytes.ts';

test('every piece stays as it was, whatever is kept behind it', () => {
  const kept = new KeptBytes();
  const pieces = [5, 2_000, 3_000, 0, 2_048, 9_000, 1, 8_192, 700].map((length, index) => {
    const bytes = Buffer.alloc(length, index + 1);
    const at = kept.keep(bytes);
    return { bytes: Buffer.from(bytes), block: kept.block, at, length, lent: bytes.fill(0) };
  });
  for (const { bytes, block, at, length } of pieces) expect(block.subarray(at, at + length)).toEqual(bytes);
});

test('small pieces share a block, a large one has its own', () => {
  const kept = new KeptBytes();
  kept.keep(Buffer.alloc(10));
  const { block } = kept;
  expect([kept.keep(Buffer.alloc(10)), kept.block === block]).toEqual([10, true]);
  kept.keep(Buffer.alloc(20_000));
  expect(kept.block.length).toBe(20_000);
});
