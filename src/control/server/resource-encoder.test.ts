import { expect, it } from 'vitest';
import { cluster } from '../../../test/harness/xds-resources.ts';
import { Xds } from '../../xds/xds.ts';
import { ResourceEncoder } from './resource-encoder.ts';

it('encodes equal content once, over rounds, and forgets what no round uses', () => {
  const encoder = new ResourceEncoder(Xds.load());
  const first = encoder.encode(cluster('a'));
  expect(encoder.encode(cluster('a'))).toBe(first);
  encoder.startRound();
  expect(encoder.encode(cluster('a'))).toBe(first);
  encoder.startRound();
  encoder.startRound();
  const again = encoder.encode(cluster('a'));
  expect(again).not.toBe(first);
  expect(again).toEqual(first);
  expect(encoder.encode(cluster('a', '2s'))).not.toEqual(first);
});
