/** createProxy: an HTTP proxy inside a Node process, in a few lines. */
import { http1Plugin } from '../codecs/http1/plugin.ts';
import { httpFilter } from '../http/http-filter.ts';
import { SystemClock } from '../metaprotocol/clock.ts';
import { CODEC_API_VERSION } from '../metaprotocol/codec.ts';
import type { RuntimeIssue } from '../metaprotocol/compile.ts';
import { ConfigError } from '../metaprotocol/config-error.ts';
import type { Log } from '../metaprotocol/core.ts';
import type { Address } from '../metaprotocol/filter.ts';
import { noLog } from '../metaprotocol/log-writer.ts';
import { Registry } from '../metaprotocol/registry.ts';
import { DataPlane } from '../metaprotocol/runtime.ts';
import { StatsStore } from '../metaprotocol/stats.ts';
import type { HttpProxyOptions, HttpProxyRoutes } from './http-proxy-options.ts';
import { filterName, type HttpProxyPlan, LISTENER, planHttpProxy } from './http-proxy-plan.ts';
import { processLog } from './process-log.ts';
import { TlsMaterials } from './tls-materials.ts';

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
export async function createProxy(options: HttpProxyOptions, log: Log = processLog('warn')): Promise<HttpProxy> {
  let plan = planHttpProxy(options);
  const filters = options.filters ?? [];
  const codecApi = `^${CODEC_API_VERSION}`;
  const own = filters.map((filter, index) => ({
    name: filterName(index),
    parseOptions: () => undefined,
    create: () => filter,
  }));
  const stats = new StatsStore();
  const clock = new SystemClock();
  const plane = new DataPlane({
    registry: new Registry([
      http1Plugin,
      { name: 'http', version: CODEC_API_VERSION, codecApi, filters: [httpFilter, ...own] },
    ]),
    clock,
    random: Math.random,
    stats,
    log,
    openLog: noLog,
    reusePort: false,
  });
  const tls: TlsMaterials = new TlsMaterials({
    clock,
    log,
    stats,
    // What cannot be run was not usable, which the materials said.
    onChange: () => void inTurn(() => run(plane, plan, tls)).catch(() => {}),
  });
  // One change at a time: a program's own, or one of its files.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = (task: () => Promise<void>): Promise<void> => {
    const turn = last.then(task);
    last = turn.catch(() => {});
    return turn;
  };
  try {
    await inTurn(() => run(plane, plan, tls));
  } catch (error) {
    tls.close();
    throw error;
  }
  const address = plane.boundAddress(LISTENER)!;
  return {
    address,
    stats,
    update: (routes) =>
      inTurn(async () => {
        const next = planHttpProxy({ ...options, ...routes });
        await run(plane, next, tls);
        plan = next;
      }),
    close: async (drainMs = DRAIN_MS) => {
      tls.close();
      // The engine's timers keep no process alive, and once nobody listens nothing else may: the program would end before its `await`.
      const alive = setInterval(() => {}, DRAIN_MS);
      await plane.drain(drainMs).finally(() => clearInterval(alive));
    },
  };
}

async function run(plane: DataPlane, plan: HttpProxyPlan, tls: TlsMaterials): Promise<void> {
  const faults = await tls.load(plan.tls);
  if (faults.length > 0) throw new ConfigError(faults.map(({ message }) => ({ path: '', message })));
  const { prepared, issues } = await plane.prepare(plan.describe(tls.textsOf));
  if (prepared === null) throw new ConfigError(issues.map(describeIssue));
  plane.commit(prepared);
  tls.use(plan.tls);
}

function describeIssue({ path, message }: RuntimeIssue): { path: string; message: string } {
  return { path, message };
}
