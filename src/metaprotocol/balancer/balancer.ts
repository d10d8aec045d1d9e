/** Balancer: an immutable picker over the endpoints of one cluster; an update of endpoints builds a new one. */
import type { Endpoint } from '../upstream/endpoint.ts';

/** A further attempt is offered this many choices to find an endpoint that was not tried yet. */
const CHOICES = 3;

export interface Balancer {
  /** Equal hash inputs go to equal endpoints: requests may be split over them by key. */
  readonly hashes: boolean;
  /** `hashInput` null: the route hashes on nothing. Null result: there is no endpoint. */
  pick(hashInput: string | null, random: () => number): Endpoint | null;
}

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
