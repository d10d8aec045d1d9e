import { describe, expect, it } from 'vitest';
import { StatsStore } from '../metaprotocol/stats.ts';
import { prometheusText } from './prometheus-text.ts';
import { StatTotals } from './stat-totals.ts';

function worker(totals: StatTotals, name: string) {
  return new StatsStore((definition) => totals.define(name, definition));
}

describe('StatTotals', () => {
  it('adds up the workers', () => {
    const totals = new StatTotals();
    worker(totals, 'a').counter('calls', { cluster: 'c' }).add(2);
    worker(totals, 'b').counter('calls', { cluster: 'c' }).add(3);
    worker(totals, 'b').counter('calls', { cluster: 'd' }).add(4);
    expect(totals.series().map(({ labels, values }) => [labels.cluster, values])).toEqual([
      ['c', [5]],
      ['d', [4]],
    ]);
  });

  it('never lets a counter go back, and forgets what a dead worker had open', () => {
    const totals = new StatTotals();
    const first = worker(totals, 'a#1');
    first.counter('calls').add(7);
    first.gauge('open').add(5);
    first.histogram('time_ms').recordMs(3);
    totals.retire('a#1');
    const second = worker(totals, 'a#2');
    second.counter('calls').add(1);
    second.gauge('open').add(2);
    second.histogram('time_ms').recordMs(4);
    totals.retire('a#1');
    const byName = Object.fromEntries(totals.series().map(({ name, values }) => [name, values]));
    expect(byName.calls).toEqual([8]);
    expect(byName.open).toEqual([2]);
    expect(byName.time_ms!.at(-1)).toBe(7);
  });
});

describe('the Prometheus text', () => {
  it('has one type line for a name, cumulative buckets and escaped labels', () => {
    const totals = new StatTotals();
    const store = worker(totals, 'a');
    store.counter('calls_total', { route: 'a "b"\n\\' }).add(2);
    store.counter('calls_total', { route: 'c' }).add();
    store.gauge('open').add(3);
    const time = store.histogram('time_ms');
    for (const value of [0.2, 0.3, 60_000]) time.recordMs(value);
    const text = prometheusText(totals.series());
    expect(text).toContain('# TYPE meltemi_calls_total counter\nmeltemi_calls_total{route="a \\"b\\"\\n\\\\"} 2\n');
    expect(text.match(/# TYPE meltemi_calls_total/g)).toHaveLength(1);
    expect(text).toContain('meltemi_open 3\n');
    expect(text).toContain('meltemi_time_ms_bucket{le="0.25"} 1\nmeltemi_time_ms_bucket{le="0.5"} 2\n');
    expect(text).toContain('meltemi_time_ms_bucket{le="30000"} 2\nmeltemi_time_ms_bucket{le="+Inf"} 3\n');
    expect(text).toContain('meltemi_time_ms_sum 60000.5\nmeltemi_time_ms_count 3\n');
  });
});
