/** Random by weight. */
import type { Endpoint } from '../upstream/endpoint.ts';
import type { Balancer } from './balancer.ts';

export class RandomBalancer implements Balancer {
  readonly hashes = false;
  readonly #endpoints: readonly Endpoint[];
  /** Running sums of the weights. */
  readonly #upTo: Float64Array;

  constructor(endpoints: readonly Endpoint[]) {
    this.#endpoints = endpoints;
    this.#upTo = new Float64Array(endpoints.length);
    let sum = 0;
    for (const [index, endpoint] of endpoints.entries()) {
      sum += endpoint.weight;
      this.#upTo[index] = sum;
    }
  }

  pick(_hashInput: string | null, random: () => number): Endpoint | null {
    const count = this.#endpoints.length;
    if (count === 0) return null;
    const point = random() * this.#upTo[count - 1]!;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#upTo[middle]! > point) high = middle;
      else low = middle + 1;
    }
    return this.#endpoints[low]!;
  }
}
