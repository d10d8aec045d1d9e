/** Endpoint: one address of a cluster with its pools. Weight and labels may change with an update; the pools live on. */
import { addressOf } from '../address.ts';
import type { EndpointDescription } from '../description.ts';
import type { EndpointPools } from './endpoint-pools.ts';

export class Endpoint {
  readonly host: string;
  readonly port: number;
  /** `host:port`. */
  readonly address: string;
  readonly weight: number;
  readonly locality: string;
  readonly priority: number;
  readonly healthy: boolean;
  readonly labels: ReadonlyMap<string, string>;
  readonly pools: EndpointPools;

  constructor(description: EndpointDescription, pools: EndpointPools) {
    this.host = description.host;
    this.port = description.port;
    this.address = addressOf(description);
    this.weight = description.weight;
    this.locality = description.locality;
    this.priority = description.priority;
    this.healthy = description.healthy;
    this.labels = new Map(Object.entries(description.labels));
    this.pools = pools;
  }

  /** Requests that this proxy has in flight or waiting there. */
  get outstanding(): number {
    return this.pools.outstanding;
  }
}
