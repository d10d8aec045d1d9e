import { expect, it } from 'vitest';
import { nearMiss } from './near-miss.ts';

it.each([
  ['metod', 'method'],
  ['Method', 'method'],
  ['message_type', 'message-type'],
  ['mehtod', 'method'],
  ['trace-id', null],
  ['m', null],
])('%s means %s', (name, meant) => {
  expect(nearMiss(name, ['method', 'message-type', 'service'])).toBe(meant);
});
