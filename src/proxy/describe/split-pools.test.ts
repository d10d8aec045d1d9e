import { expect, it } from 'vitest';
import type { PoolDescription, RuntimeDescription } from '../../metaprotocol/description.ts';
import { splitPools } from './split-pools.ts';

const pool: PoolDescription = {
  concurrency: 8,
  minConnections: 1,
  maxConnections: 10,
  maxPending: 0,
  maxInFlightPerCaller: 256,
  maxBound: 2,
  idleTimeoutMs: 1,
};
const description = { version: 'v', listeners: [], clusters: [{ pool }] } as unknown as RuntimeDescription;
const poolOf = (worker: number, workers: number) => splitPools(description, worker, workers).clusters[0]!.pool;

it('gives the shares of all workers the proxy’s own sum', () => {
  expect([0, 1, 2].map((worker) => poolOf(worker, 3).maxConnections)).toEqual([4, 3, 3]);
  expect(poolOf(0, 1)).toEqual(pool);
});

it('leaves alone what is counted by connection or caller', () => {
  expect(poolOf(1, 3)).toMatchObject({ concurrency: 8, minConnections: 1, maxInFlightPerCaller: 256 });
});

it('gives every worker at least one, but none where there shall be none', () => {
  expect([0, 1, 2].map((worker) => poolOf(worker, 3).maxBound)).toEqual([1, 1, 1]);
  expect(poolOf(0, 3).maxPending).toBe(0);
});
