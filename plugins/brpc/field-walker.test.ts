import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FieldWalker, varintBytes, varintField } from './field-walker.ts';

it('writes each 64-bit number as the shortest varint, and reads it back', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }), (value) => {
      const high = Number(value >> 32n);
      const low = Number(value & 0xffff_ffffn);
      const field = varintField(0x20, high, low);
      const walker = new FieldWalker();
      walker.start(field, 0, field.length);
      expect(walker.next()).toBe(true);
      expect([walker.tag, walker.high, walker.low, walker.end]).toEqual([0x20, high, low, field.length]);
      expect(walker.next()).toBe(false);
      expect(walker.fault).toBe(null);
      const shortest = Math.max(1, Math.ceil(value.toString(2).length / 7));
      expect([varintBytes(high, low), field.length - 1]).toEqual([shortest, shortest]);
    }),
    { numRuns: 500 },
  );
});

it('walks any bytes to their end, each field behind the last, or says why not', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (input) => {
      const bytes = Buffer.from(input);
      const walker = new FieldWalker();
      walker.start(bytes, 0, bytes.length);
      let end = 0;
      while (walker.next()) {
        expect(walker.at).toBe(end);
        expect(walker.valueAt).toBeGreaterThan(walker.at);
        expect(walker.end).toBeGreaterThanOrEqual(walker.valueAt);
        end = walker.end;
      }
      if (walker.fault === null) expect(end).toBe(bytes.length);
      expect(walker.end).toBeLessThanOrEqual(bytes.length);
    }),
    { numRuns: 2_000 },
  );
});
