/** EndpointPools: the pools of one endpoint, one for each connection key, under one limit of connections. */
import type { Core } from '../core.ts';
import type { Address } from '../filter.ts';
import type { ClusterState } from './cluster-state.ts';
import { Pool } from './pool.ts';

export class EndpointPools {
  readonly core: Core;
  readonly state: ClusterState;
  readonly address: Address;
  /** Attempts that were given to this endpoint and have not ended. */
  outstanding = 0;
  /** Open or opening, over all keys, bound ones included. */
  connectionCount = 0;
  /** No longer in the cluster: what runs ends, nothing idles. */
  retired = false;
  readonly #byKey = new Map<string, Pool>();
  /** The one that was asked for last. */
  #last: Pool | null = null;

  constructor(core: Core, state: ClusterState, address: Address) {
    this.core = core;
    this.state = state;
    this.address = address;
  }

  pool(connectionKey: string): Pool {
    if (this.#last !== null && this.#last.connectionKey === connectionKey) return this.#last;
    let pool = this.#byKey.get(connectionKey);
    if (pool === undefined) {
      pool = new Pool(this, connectionKey);
      this.#byKey.set(connectionKey, pool);
    }
    this.#last = pool;
    return pool;
  }

  pools(): Iterable<Pool> {
    return this.#byKey.values();
  }

  /** May a further connection open? Idle ones of other keys make room first. */
  admitConnection(asking: Pool): boolean {
    const limit = this.state.pool.maxConnections;
    if (this.connectionCount < limit) return true;
    for (const pool of this.#byKey.values()) {
      if (pool !== asking && pool.closeOneIdle()) return this.connectionCount < limit;
    }
    return false;
  }

  /** A place under the limit came free: pools whose requests wait may open a connection. */
  onConnectionGone(): void {
    for (const pool of this.#byKey.values()) pool.grow();
    for (const [key, pool] of this.#byKey) if (pool.empty) this.#byKey.delete(key);
    this.#last = null;
  }

  retire(): void {
    this.retired = true;
    for (const pool of [...this.#byKey.values()]) pool.closeIdle();
  }

  close(): void {
    this.retired = true;
    for (const pool of [...this.#byKey.values()]) pool.close();
  }
}
