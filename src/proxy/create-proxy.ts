/** createProxy: an HTTP proxy inside a Node process, in a few lines. */
import { destination, pino } from 'pino';
import { http1Plugin } from '../codecs/http1/plugin.ts';
import { httpFilter } from '../http/http-filter.ts';
import { SystemClock } from '../metaprotocol/clock.ts';
import { CODEC_API_VERSION } from '../metaprotocol/codec.ts';
import type { RuntimeIssue } from '../metaprotocol/compile.ts';
import { ConfigError } from '../metaprotocol/config-error.ts';
import type { Log } from '../metaprotocol/core.ts';
import type { RuntimeDescription } from '../metaprotocol/description.ts';
import type { Address } from '../metaprotocol/filter.ts';
import { noLog } from '../metaprotocol/log-writer.ts';
import { Registry } from '../metaprotocol/registry.ts';
import { DataPlane } from '../metaprotocol/runtime.ts';
import { StatsStore } from '../metaprotocol/stats.ts';
import {
  describeHttpProxy,
  filterName,
  type HttpProxyOptions,
  type HttpProxyRoutes,
  LISTENER,
} from './http-proxy-options.ts';

const DRAIN_MS = 5_000;

export interface HttpProxy {
  /** Where it listens. */
  readonly address: Address;
  readonly stats: StatsStore;
  /** Other routes and upstreams, for requests from now on. Throws ConfigError and changes nothing if they are not valid. */
  update(routes: HttpProxyRoutes): Promise<void>;
  /** No new connections; what runs has `drainMs` (5 s) to end. */
  close(drainMs?: number): Promise<void>;
}

/** Rejects with ConfigError, which names every fault, or if it cannot listen. `log`: warnings on standard error by default. */
export async function createProxy(options: HttpProxyOptions, log: Log = warnings()): Promise<HttpProxy> {
  const filters = options.filters ?? [];
  const codecApi = `^${CODEC_API_VERSION}`;
  const own = filters.map((filter, index) => ({
    name: filterName(index),
    parseOptions: () => undefined,
    create: () => filter,
  }));
  const stats = new StatsStore();
  const plane = new DataPlane({
    registry: new Registry([
      http1Plugin,
      { name: 'http', version: CODEC_API_VERSION, codecApi, filters: [httpFilter, ...own] },
    ]),
    clock: new SystemClock(),
    random: Math.random,
    stats,
    log,
    openLog: noLog,
    reusePort: false,
  });
  await run(plane, describeHttpProxy(options));
  const address = plane.boundAddress(LISTENER)!;
  return {
    address,
    stats,
    update: (routes) => run(plane, describeHttpProxy({ ...options, ...routes })),
    close: (drainMs = DRAIN_MS) => plane.drain(drainMs),
  };
}

async function run(plane: DataPlane, description: RuntimeDescription): Promise<void> {
  const { prepared, issues } = await plane.prepare(description);
  if (prepared === null) throw new ConfigError(issues.map(describeIssue));
  plane.commit(prepared);
}

function describeIssue({ path, message }: RuntimeIssue): { path: string; message: string } {
  return { path, message };
}

function warnings(): Log {
  return pino({ level: 'warn', base: null }, destination(2));
}
