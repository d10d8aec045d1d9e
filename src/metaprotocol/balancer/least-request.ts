/** Least request: of some random choices the one with the fewest outstanding requests for its weight. */
import type { Endpoint } from '../upstream/endpoint.ts';
import type { Balancer } from './balancer.ts';

export class LeastRequestBalancer implements Balancer {
  readonly hashes = false;
  readonly #endpoints: readonly Endpoint[];
  readonly #choiceCount: number;

  constructor(endpoints: readonly Endpoint[], choiceCount: number) {
    this.#endpoints = endpoints;
    this.#choiceCount = choiceCount;
  }

  pick(_hashInput: string | null, random: () => number): Endpoint | null {
    const endpoints = this.#endpoints;
    const count = endpoints.length;
    if (count === 0) return null;
    // With as many choices as endpoints all are compared, from a random one on so that ties spread.
    const all = this.#choiceCount >= count;
    const start = Math.floor(random() * count);
    let best = endpoints[start]!;
    const choices = all ? count : this.#choiceCount;
    for (let choice = 1; choice < choices; choice++) {
      const other = endpoints[all ? (start + choice) % count : Math.floor(random() * count)]!;
      if (load(other) < load(best)) best = other;
    }
    return best;
  }
}

function load(endpoint: Endpoint): number {
  return (endpoint.outstanding + 1) / endpoint.weight;
}
