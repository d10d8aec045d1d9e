/** Balancer: an immutable picker over the endpoints of one cluster; an update of endpoints builds a new one. */
import type { BalancerDescription } from '../description.ts';
import type { Endpoint } from '../upstream/endpoint.ts';
import { LeastRequestBalancer } from './least-request.ts';
import { RandomBalancer } from './random.ts';
import { RingHashBalancer } from './ring-hash.ts';
import { RoundRobinBalancer } from './round-robin.ts';

export interface Balancer {
  /** Equal hash inputs go to equal endpoints: requests may be split over them by key. */
  readonly hashes: boolean;
  /** `hashInput` null: the route hashes on nothing. Null result: there is no endpoint. */
  pick(hashInput: string | null, random: () => number): Endpoint | null;
}

/** `endpoints` are the ones to use: healthy, and of the best priority that has any. */
export function createBalancer(
  description: BalancerDescription,
  endpoints: readonly Endpoint[],
  random: () => number,
): Balancer {
  switch (description.policy) {
    case 'round_robin':
      return new RoundRobinBalancer(endpoints, random());
    case 'random':
      return new RandomBalancer(endpoints);
    case 'least_request':
      return new LeastRequestBalancer(endpoints, description.choiceCount);
    case 'ring_hash':
      return new RingHashBalancer(endpoints, description.minimumRingSize, description.maximumRingSize);
  }
}

/** A further attempt is offered this many choices to find an endpoint that was not tried yet. */
const CHOICES = 3;

/** One that was not tried, if a few choices find one. */
export function pickAnother(
  balancer: Balancer,
  hashInput: string | null,
  random: () => number,
  tried: (endpoint: Endpoint) => boolean,
): Endpoint | null {
  let endpoint = balancer.pick(hashInput, random);
  for (let choices = 1; choices < CHOICES && endpoint !== null && tried(endpoint); choices++) {
    endpoint = balancer.pick(hashInput, random);
  }
  return endpoint;
}

/** Healthy endpoints of the lowest priority number that has any. */
export function usableEndpoints(endpoints: readonly Endpoint[]): Endpoint[] {
  const healthy = endpoints.filter((endpoint) => endpoint.healthy && endpoint.weight > 0);
  const best = Math.min(...healthy.map((endpoint) => endpoint.priority));
  return healthy.filter((endpoint) => endpoint.priority === best);
}
