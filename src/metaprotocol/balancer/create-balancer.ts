/** createBalancer: the balancer that a cluster's description asks for. */
import type { BalancerDescription } from '../description.ts';
import type { Endpoint } from '../upstream/endpoint.ts';
import type { Balancer } from './balancer.ts';
import { LeastRequestBalancer } from './least-request.ts';
import { RandomBalancer } from './random.ts';
import { RingHashBalancer } from './ring-hash.ts';
import { RoundRobinBalancer } from './round-robin.ts';

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

/** Healthy endpoints of the lowest priority number that has any. */
export function usableEndpoints(endpoints: readonly Endpoint[]): Endpoint[] {
  const healthy = endpoints.filter((endpoint) => endpoint.healthy && endpoint.weight > 0);
  const best = Math.min(...healthy.map((endpoint) => endpoint.priority));
  return healthy.filter((endpoint) => endpoint.priority === best);
}
