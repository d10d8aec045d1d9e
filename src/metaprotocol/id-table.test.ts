import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IdTable } from './id-table.ts';

describe('IdTable', () => {
  test('behaves as a Map for ids that only grow, whatever stays pending', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ step: fc.integer({ min: 1, max: 5_000 }), drop: fc.nat() }), { maxLength: 300 }),
        (moves) => {
          const table = new IdTable<string>();
          const model = new Map<number, string>();
          let id = 0;
          for (const { step, drop } of moves) {
            id += step;
            table.set(id, `v${id}`);
            model.set(id, `v${id}`);
            const keys = [...model.keys()];
            if (drop % 3 === 0) {
              const gone = keys[drop % keys.length]!;
              expect(table.delete(gone)).toBe(true);
              model.delete(gone);
              expect(table.delete(gone)).toBe(false);
            }
            for (const key of keys) expect(table.get(key)).toBe(model.get(key));
            expect(table.size).toBe(model.size);
          }
          expect(table.entries()).toEqual([...model].sort(([a], [b]) => a - b));
        },
      ),
    );
  });

  test('replaces a value in the ring and in the overflow', () => {
    const table = new IdTable<string>();
    table.set(1, 'a');
    table.set(17, 'b');
    table.replace(1, 'A');
    table.replace(17, 'B');
    expect([table.get(1), table.get(17), table.get(33)]).toEqual(['A', 'B', undefined]);
  });
});
