import { expect, it } from 'vitest';
import { parseDurationMs, protoDuration } from './duration.ts';

it.each([
  ['1.5s', 1_500],
  ['200ms', 200],
  ['1h2m3s', 3_723_000],
  ['0s', 0],
  ['0', 0],
  ['250us', 0.25],
])('reads %s', (text, ms) => {
  expect(parseDurationMs(text)).toBeCloseTo(ms);
});

it.each(['', '5', '-1s', '1 s', 's', '1d', '1s!'])('refuses %j', (text) => {
  expect(parseDurationMs(text)).toBeNull();
});

it('writes seconds as protobuf does', () => {
  expect([0, 1_500, 10_000, 0.25].map(protoDuration)).toEqual(['0s', '1.5s', '10s', '0.00025s']);
});
