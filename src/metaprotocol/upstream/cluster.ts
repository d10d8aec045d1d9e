/** Cluster: one version of a cluster: its endpoints and a balancer over them. */

import { addressOf } from '../address.ts';
import type { Balancer } from '../balancer/balancer.ts';
import { createBalancer, usableEndpoints } from '../balancer/create-balancer.ts';
import type { ClusterDescription } from '../description.ts';
import type { Connector } from '../wire/wire.ts';
import type { ClusterState } from './cluster-state.ts';
import { Endpoint } from './endpoint.ts';

export class Cluster {
  readonly name: string;
  readonly description: ClusterDescription;
  readonly state: ClusterState;
  readonly endpoints: readonly Endpoint[];
  readonly balancer: Balancer;
  /** Endpoints that the balancer chooses from. */
  readonly usableCount: number;
  readonly #connector: Connector;

  constructor(description: ClusterDescription, state: ClusterState, connector: Connector) {
    this.#connector = connector;
    this.name = description.name;
    this.description = description;
    this.state = state;
    this.endpoints = description.endpoints.map((one) => {
      return new Endpoint(one, state.pools(addressOf(one), one.host, one.port));
    });
    const usable = usableEndpoints(this.endpoints);
    this.usableCount = usable.length;
    this.balancer = createBalancer(description.balancer, usable, state.core.random);
  }

  /** Makes this version the one whose numbers and endpoints count. */
  activate(): void {
    this.state.connector = this.#connector;
    this.state.pool = this.description.pool;
    this.state.connectTimeoutMs = this.description.connectTimeoutMs;
    this.state.retireAllBut(new Set(this.endpoints.map((endpoint) => endpoint.address)));
  }
}
