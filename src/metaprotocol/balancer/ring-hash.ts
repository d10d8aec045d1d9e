/** Ring hash: each endpoint owns points on a ring in proportion to its weight; a key goes to the next point. */
import type { Endpoint } from '../upstream/endpoint.ts';
import type { Balancer } from './balancer.ts';
import { hash32, hashBytes } from './hash32.ts';

/** Points of a ring at most, whoever asks for more: it is made anew, between two calls, whenever endpoints change. */
export const LARGEST_RING = 262_144;
/** Decimal digits of an index. */
const INDEX_BYTES = 10;

export class RingHashBalancer implements Balancer {
  readonly hashes = true;
  readonly #endpoints: readonly Endpoint[];
  /** Sorted; each point's owner is at the same index in #owners. */
  readonly #points: Uint32Array;
  /** Indices into #endpoints. */
  readonly #owners: Uint32Array;

  constructor(endpoints: readonly Endpoint[], minimumRingSize: number, maximumRingSize: number) {
    // Where two points are one, the first by address has it, so that all proxies have one ring.
    this.#endpoints = endpoints.toSorted((a, b) => (a.address < b.address ? -1 : 1));
    // Where there is nothing to choose, nothing is hashed.
    const counts = endpoints.length > 1 ? pointCounts(this.#endpoints, minimumRingSize, maximumRingSize) : [];
    const ring = new Float64Array(counts.reduce((total, count) => total + count, 0));
    let at = 0;
    counts.forEach((count, owner) => {
      const { address } = this.#endpoints[owner]!;
      const text = Buffer.alloc(Buffer.byteLength(address) + 1 + INDEX_BYTES);
      const indexAt = text.write(`${address}_`);
      for (let index = 0; index < count; index++) {
        const point = hashBytes(text, indexAt + text.write(String(index), indexAt));
        // Point and owner in one number: sorting needs no comparison of ours.
        ring[at++] = point * counts.length + owner;
      }
    });
    ring.sort();
    this.#points = Uint32Array.from(ring, (both) => Math.floor(both / counts.length));
    this.#owners = Uint32Array.from(ring, (both) => both % counts.length);
  }

  pick(hashInput: string | null, random: () => number): Endpoint | null {
    const count = this.#points.length;
    if (count === 0) return this.#endpoints[0] ?? null;
    const hash = hashInput === null ? Math.floor(random() * 0x1_0000_0000) : hash32(hashInput);
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#points[middle]! >= hash) high = middle;
      else low = middle + 1;
    }
    return this.#endpoints[this.#owners[low === count ? 0 : low]!]!;
  }
}

/** The lightest endpoint gets at least one point, the ring at least its minimum. */
function pointCounts(endpoints: readonly Endpoint[], minimumRingSize: number, maximumRingSize: number): number[] {
  const weights = endpoints.map((endpoint) => endpoint.weight);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const wanted = Math.max(minimumRingSize, Math.ceil(total / Math.min(...weights)));
  const size = Math.min(wanted, maximumRingSize, LARGEST_RING);
  return weights.map((weight) => Math.max(1, Math.round((size * weight) / total)));
}
