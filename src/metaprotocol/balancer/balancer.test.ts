import { describe, expect, test, vi } from 'vitest';
import type { BalancerDescription } from '../description.ts';
import type { Endpoint } from '../upstream/endpoint.ts';
import { createBalancer, usableEndpoints } from './create-balancer.ts';
import { hash32 } from './hash32.ts';
import { LARGEST_RING } from './ring-hash.ts';

function endpoint(address: string, more: Partial<Endpoint> = {}): Endpoint {
  return { address, weight: 1, priority: 0, healthy: true, outstanding: 0, ...more } as Endpoint;
}

/** A fixed sequence, the same in every run. */
function randoms(): () => number {
  let state = 12345;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state / 0x1_0000_0000;
  };
}

function shares(
  policy: BalancerDescription,
  endpoints: Endpoint[],
  picks: number,
  key?: (index: number) => string,
): Record<string, number> {
  const balancer = createBalancer(policy, endpoints, Math.random);
  const random = randoms();
  const counts: Record<string, number> = {};
  for (let index = 0; index < picks; index++) {
    const address = balancer.pick(key?.(index) ?? null, random)!.address;
    counts[address] = (counts[address] ?? 0) + 1 / picks;
  }
  return counts;
}

const RING: BalancerDescription = { policy: 'ring_hash', minimumRingSize: 1_024, maximumRingSize: 8_388_608 };

describe('balancers', () => {
  test.each<BalancerDescription>([
    { policy: 'round_robin' },
    { policy: 'random' },
    { policy: 'least_request', choiceCount: 2 },
    RING,
  ])('%j has no endpoint where there is none', (policy) => {
    expect(createBalancer(policy, [], Math.random).pick('key', Math.random)).toBeNull();
  });

  test('round robin takes turns, by weight and smoothly', () => {
    const a = endpoint('a', { weight: 3 });
    const balancer = createBalancer({ policy: 'round_robin' }, [a, endpoint('b')], Math.random);
    const eight = Array.from({ length: 8 }, () => balancer.pick(null, Math.random)!.address).join('');
    expect(eight).toBe('aabaaaba');
    expect(shares({ policy: 'round_robin' }, [endpoint('a'), endpoint('b')], 100)).toEqual({
      a: expect.closeTo(0.5),
      b: expect.closeTo(0.5),
    });
  });

  test('random follows the weights', () => {
    const counts = shares({ policy: 'random' }, [endpoint('a', { weight: 3 }), endpoint('b')], 20_000);
    expect(counts.a).toBeCloseTo(0.75, 1);
  });

  test('least request avoids the busy one', () => {
    const counts = shares(
      { policy: 'least_request', choiceCount: 2 },
      [endpoint('a', { outstanding: 9 }), endpoint('b')],
      100,
    );
    expect(counts).toEqual({ b: expect.closeTo(1) });
  });

  test('ring hash keeps a key where it is and moves few when an endpoint goes', () => {
    const all = ['a:1', 'b:1', 'c:1', 'd:1'].map((address) => endpoint(address));
    const before = createBalancer(RING, all, Math.random);
    const after = createBalancer(RING, all.slice(0, 3), Math.random);
    let moved = 0;
    let movedElsewhere = 0;
    for (let index = 0; index < 4_000; index++) {
      const was = before.pick(`key-${index}`, Math.random)!.address;
      const is = after.pick(`key-${index}`, Math.random)!.address;
      expect(before.pick(`key-${index}`, Math.random)!.address).toBe(was);
      if (was !== is) moved++;
      if (was !== 'd:1' && is !== was) movedElsewhere++;
    }
    // The ring keeps its size, so the others own more points and a few keys pass between them.
    expect(moved / 4_000).toBeLessThan(0.4);
    expect(movedElsewhere / 4_000).toBeLessThan(0.15);
  });

  test.each([
    [{ policy: 'ring_hash', minimumRingSize: 8_388_608, maximumRingSize: 8_388_608 } as const, 1],
    [RING, 8_388_608],
  ])('ring hash has a bounded number of points: %j', (policy, weight) => {
    const sort = vi.spyOn(Float64Array.prototype, 'sort');
    createBalancer(policy, [endpoint('a:1', { weight }), endpoint('b:1')], Math.random);
    const [ring] = sort.mock.contexts as Float64Array[];
    sort.mockRestore();
    expect(ring!.length).toBeLessThanOrEqual(LARGEST_RING + 1);
  });

  test('ring hash gives every endpoint what others give it, in whatever order they stand', () => {
    const all = ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80'].map((address) => endpoint(address));
    const rings = [all, all.toReversed()].map((endpoints) => createBalancer(RING, endpoints, Math.random));
    const owners = rings.map((ring) => ['a', 'key77', 'x', 'y'].map((key) => ring.pick(key, Math.random)!.address));
    // As the points' definition says: `address_index`, hashed.
    const points = all.flatMap(({ address }) =>
      Array.from({ length: 341 }, (_, index) => ({ address, point: hash32(`${address}_${index}`) })),
    );
    points.sort((a, b) => a.point - b.point);
    const wanted = ['a', 'key77', 'x', 'y'].map(
      (key) => (points.find(({ point }) => point >= hash32(key)) ?? points[0]!).address,
    );
    expect(owners).toEqual([wanted, wanted]);
  });

  test('ring hash follows the weights', () => {
    const counts = shares(RING, [endpoint('a:1', { weight: 3 }), endpoint('b:1')], 8_000, (index) => `key-${index}`);
    expect(counts['a:1']).toBeGreaterThan(0.65);
    expect(counts['a:1']).toBeLessThan(0.85);
  });

  test('only healthy endpoints of the best priority are used', () => {
    const sick = endpoint('sick', { healthy: false });
    const backup = endpoint('backup', { priority: 1 });
    const first = endpoint('first');
    expect(usableEndpoints([sick, backup, first])).toEqual([first]);
    expect(usableEndpoints([sick, backup])).toEqual([backup]);
    expect(usableEndpoints([sick])).toEqual([]);
  });
});

describe('hash32', () => {
  // Vectors of the xxHash reference implementation (XXH32, seed 0).
  test.each([
    ['', 0x02cc5d05],
    ['a', 0x550d7456],
    ['abc', 0x32d153ff],
    ['Nobody inspects the spammish repetition', 0xe2293b2f],
  ])('%j', (text, expected) => {
    expect(hash32(text)).toBe(expected);
  });
});
