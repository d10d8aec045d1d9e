import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LatencyHistogram } from './latency-histogram.ts';

describe('LatencyHistogram', () => {
  it('gives quantiles at most 1.6 % above the exact ones', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 1_000_000_000 }), { minLength: 1, maxLength: 300 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (latencies, q) => {
          const histogram = new LatencyHistogram();
          for (const us of latencies) histogram.add(us);
          const exact = latencies.toSorted((a, b) => a - b)[Math.ceil(latencies.length * q) - 1]!;
          expect(histogram.quantileUs(q)).toBeGreaterThan(exact);
          expect(histogram.quantileUs(q)).toBeLessThanOrEqual(exact * (1 + 1 / 64) + 1);
        },
      ),
    );
  });

  it('is 0 without a call', () => {
    expect(new LatencyHistogram().quantileUs(0.99)).toBe(0);
  });
});
