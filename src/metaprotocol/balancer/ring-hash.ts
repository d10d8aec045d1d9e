/** Ring hash: each endpoint owns points on a ring in proportion to its weight; a key goes to the next point. */
import type { Endpoint } from '../upstream/endpoint.ts';
import type { Balancer } from './balancer.ts';
import { hash32 } from './hash32.ts';

export class RingHashBalancer implements Balancer {
  readonly hashes = true;
  /** Sorted; each point's owner is at the same index in #owners. */
  readonly #points: Uint32Array;
  readonly #owners: readonly Endpoint[];
  /** Where there is nothing to choose, nothing is hashed. */
  readonly #only: Endpoint | null;

  constructor(endpoints: readonly Endpoint[], minimumRingSize: number, maximumRingSize: number) {
    const totalWeight = endpoints.reduce((sum, endpoint) => sum + endpoint.weight, 0);
    const smallest = Math.min(...endpoints.map((endpoint) => endpoint.weight));
    // The lightest endpoint gets at least one point, the ring at least its minimum.
    const wanted = Math.max(minimumRingSize, Math.ceil(totalWeight / smallest));
    const size = Math.min(wanted, maximumRingSize);
    const points: [point: number, owner: Endpoint][] = [];
    for (const endpoint of endpoints) {
      const count = Math.max(1, Math.round((size * endpoint.weight) / totalWeight));
      for (let index = 0; index < count; index++) points.push([hash32(`${endpoint.address}_${index}`), endpoint]);
    }
    points.sort(([a, ownerA], [b, ownerB]) => a - b || (ownerA.address < ownerB.address ? -1 : 1));
    this.#points = Uint32Array.from(points, ([point]) => point);
    this.#owners = points.map(([, owner]) => owner);
    this.#only = endpoints.length === 1 ? endpoints[0]! : null;
  }

  pick(hashInput: string | null, random: () => number): Endpoint | null {
    if (this.#only !== null) return this.#only;
    const count = this.#points.length;
    if (count === 0) return null;
    const hash = hashInput === null ? Math.floor(random() * 0x1_0000_0000) : hash32(hashInput);
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#points[middle]! >= hash) high = middle;
      else low = middle + 1;
    }
    return this.#owners[low === count ? 0 : low]!;
  }
}
