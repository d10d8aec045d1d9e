import { expect, it } from 'vitest';
import { nearMiss } from './near-miss.ts';

it('finds a slip anywhere in a long name, and nothing where there are more of them', () => {
  const hosts = ['echo1.shop.svc.cluster.local', 'echo1.ship.svc.cluster.local'];
  const slips = [
    'ecko1.shop.svc.cluster.local',
    'echo1.shp.svc.cluster.local',
    'xecho1.shop.svc.cluster.locl',
    'echo11.shop.svc.cluster.local',
  ];
  expect(slips.map((slip) => nearMiss(slip, hosts))).toEqual(slips.map(() => hosts[0]));
  expect(nearMiss('ecxx1.shop.svc.custer.local', hosts)).toBeNull();
  expect(nearMiss('echo1.shop.svc.cluster.local.', ['aaaa', 'abab.shop.svc.cluster.local'])).toBeNull();
});

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
