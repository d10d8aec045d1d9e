import { expect, it } from 'vitest';
import type { Row } from './rounds.ts';
import { judge } from './targets.ts';
import { thriftBench } from './thrift/bench.ts';

const row = (subject: string, callers: number, inFlight: number, cpuUsPerCall: number, payloadBytes = 100) =>
  ({ subject, callers, inFlight, payloadBytes, cpuUsPerCall }) as Row;

it('compares CPU per call of the same load, and says nothing of what was not measured', () => {
  const verdicts = judge(thriftBench.targets, [
    row('meltemi multiplexed', 64, 1, 10),
    row('meltemi multiplexed', 64, 1, 99, 10_000),
    row('meltemi multiplexed', 16, 16, 3),
    row('envoy thrift_proxy', 64, 1, 20),
    row('envoy thrift_proxy', 16, 16, 10),
  ]);
  expect(verdicts.map(({ callers, limit, ratio, met }) => [callers, limit, ratio, met])).toEqual([
    [64, 0.6, 0.5, true],
    [16, 0.15, 0.3, false],
  ]);
});
