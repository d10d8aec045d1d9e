/** Round robin; with unequal weights the smooth kind, which spreads a heavy endpoint's turns evenly. */
import type { Endpoint } from '../upstream/endpoint.ts';
import type { Balancer } from './balancer.ts';

export class RoundRobinBalancer implements Balancer {
  readonly hashes = false;
  readonly #endpoints: readonly Endpoint[];
  readonly #equal: boolean;
  readonly #total: number;
  /** What each endpoint has saved up; the richest is next and pays the total. */
  readonly #credit: Float64Array;
  #next: number;

  /** `start`: in [0, 1), where the first turn is. */
  constructor(endpoints: readonly Endpoint[], start: number) {
    this.#endpoints = endpoints;
    this.#equal = endpoints.every((endpoint) => endpoint.weight === endpoints[0]!.weight);
    this.#total = endpoints.reduce((sum, endpoint) => sum + endpoint.weight, 0);
    this.#credit = new Float64Array(endpoints.length);
    // A random start: otherwise every update would send the first request of every proxy to the first endpoint.
    this.#next = Math.floor(start * endpoints.length);
  }

  pick(): Endpoint | null {
    const endpoints = this.#endpoints;
    if (endpoints.length === 0) return null;
    if (this.#equal) {
      const at = this.#next < endpoints.length ? this.#next : 0;
      this.#next = at + 1;
      return endpoints[at]!;
    }
    let best = 0;
    for (let index = 0; index < endpoints.length; index++) {
      this.#credit[index]! += endpoints[index]!.weight;
      if (this.#credit[index]! > this.#credit[best]!) best = index;
    }
    this.#credit[best]! -= this.#total;
    return endpoints[best]!;
  }
}
