/** What the figures were measured on: without it they mean nothing. */
import { cpus, loadavg, release, totalmem } from 'node:os';
import { pinnable } from './child.ts';
import { envoyVersion } from './proxies/envoy.ts';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly kernel: string;
  readonly node: string;
  /** null: not installed, so not measured. */
  readonly envoy: string | null;
  /** Load generator and backend on core 0, each proxy on core 1. */
  readonly pinned: boolean;
  /** Of the minute before the run: what else wants the cores makes calls/s and p99 worse, CPU per call hardly. */
  readonly loadAverage: number;
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    kernel: release(),
    node: process.version,
    envoy: envoyVersion(),
    pinned: pinnable,
    loadAverage: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}
