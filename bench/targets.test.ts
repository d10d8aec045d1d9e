import { expect, it } from 'vitest';
import type { Row } from './rounds.ts';
import { judge, type Target, verdictText } from './targets.ts';
import { thriftBench } from './thrift/bench.ts';

const row = (subject: string, callers: number, inFlight: number, cpu: readonly number[], payloadBytes = 100) =>
  ({
    subject,
    callers,
    inFlight,
    payloadBytes,
    rounds: cpu.map((cpuUsPerCall) => ({ cpuUsPerCall, callsPerSecond: 1_000 / cpuUsPerCall, p99Us: cpuUsPerCall })),
  }) as unknown as Row;

it('compares CPU per call of the same load, and says nothing of what was not measured', () => {
  const verdicts = judge(thriftBench.targets, [
    row('meltemi multiplexed', 64, 1, [10]),
    row('meltemi multiplexed', 64, 1, [99], 10_000),
    row('meltemi multiplexed', 16, 16, [3]),
    row('envoy thrift_proxy', 64, 1, [20]),
    row('envoy thrift_proxy', 16, 16, [10]),
  ]);
  expect(verdicts.map(({ callers, limit, ratio, met }) => [callers, limit, ratio, met])).toEqual([
    [64, 0.6, 0.5, true],
    [16, 0.15, 0.3, false],
  ]);
});

it('takes the median of the ratios of rounds, of which one may have hit a slow minute', () => {
  const target: Target = { subject: 'a', peer: 'b', callers: 1, inFlight: 1, limit: 2 };
  const rows = [row('a', 1, 1, [10, 90, 20]), row('b', 1, 1, [10, 10, 40])];
  expect(judge([target], rows)[0]!.ratio).toBe(1);
});

it('wants calls per second to be at least the limit', () => {
  const target: Target = { subject: 'a', peer: 'b', callers: 1, inFlight: 1, measure: 'callsPerSecond', limit: 0.7 };
  const verdictAt = (cpu: number) => judge([target], [row('a', 1, 1, [cpu]), row('b', 1, 1, [10])])[0]!;
  expect(verdictText(verdictAt(12.5))).toBe('ok     1 × 1: calls/s of a is 0.800 × b, at least 0.7 promised');
  expect(verdictText(verdictAt(20))).toBe('MISSED 1 × 1: calls/s of a is 0.500 × b, at least 0.7 promised');
});

it('tells beside it what the floor is in the same rounds', () => {
  const target: Target = { subject: 'a', floor: 'pipe', peer: 'b', callers: 1, inFlight: 1, limit: 2 };
  const rows = [row('a', 1, 1, [30, 30]), row('pipe', 1, 1, [25, 10]), row('b', 1, 1, [10, 5])];
  expect(verdictText(judge([target], rows)[0]!)).toBe(
    'MISSED 1 × 1: CPU of a is 6.000 × b (pipe: 2.500), at most 2 promised',
  );
  expect(judge([target], rows.toSpliced(1, 1))[0]!.floorRatio).toBeNull();
});
