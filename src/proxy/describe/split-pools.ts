/** The share of each worker in a proxy's pool numbers: they are counted per proxy and split evenly. */
import type { RuntimeDescription } from '../../metaprotocol/description.ts';

export function splitPools(description: RuntimeDescription, worker: number, workers: number): RuntimeDescription {
  if (workers === 1) return description;
  // Every worker can open one connection at least, else its callers would never be served.
  const share = (total: number) => Math.max(1, Math.floor(total / workers) + (worker < total % workers ? 1 : 0));
  return {
    ...description,
    clusters: description.clusters.map((cluster) => ({
      ...cluster,
      pool: {
        ...cluster.pool,
        maxConnections: share(cluster.pool.maxConnections),
        maxPending: cluster.pool.maxPending === 0 ? 0 : share(cluster.pool.maxPending),
        maxBound: cluster.pool.maxBound === 0 ? 0 : share(cluster.pool.maxBound),
      },
    })),
  };
}
