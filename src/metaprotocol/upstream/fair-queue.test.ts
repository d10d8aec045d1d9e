import { describe, expect, test } from 'vitest';
import { FairQueue } from './fair-queue.ts';

describe('FairQueue', () => {
  test('serves callers in turns and each caller in order', () => {
    const queue = new FairQueue<string, string>();
    for (const item of ['a1', 'a2', 'a3', 'b1', 'c1', 'b2']) queue.push(item[0]!, item);
    const served = Array.from({ length: 6 }, () => queue.shift());
    expect(served).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3']);
    expect([queue.size, queue.shift()]).toEqual([0, undefined]);
  });

  test('removes what gave up waiting', () => {
    const queue = new FairQueue<string, string>();
    queue.push('a', 'a1');
    queue.push('a', 'a2');
    expect([queue.remove('a', 'a1'), queue.remove('a', 'a1'), queue.remove('b', 'b1')]).toEqual([true, false, false]);
    expect([queue.size, queue.clear(), queue.size]).toEqual([1, ['a2'], 0]);
  });
});
