/** HttpPlane: a data plane on real sockets that speaks HTTP/1.1, with one listener for each upstream port. */
import { http1Plugin } from '../../../src/codecs/http1/plugin.ts';
import { httpFilter } from '../../../src/http/http-filter.ts';
import { SystemClock } from '../../../src/metaprotocol/clock.ts';
import {
  ANY_CONNECTION,
  CALLER_TIMEOUTS,
  CLUSTER,
  ENDPOINT,
  INSPECTION,
  POOL,
  ROUTE,
  type RuntimeDescription,
  weightedCluster,
} from '../../../src/metaprotocol/description.ts';
import { noLog } from '../../../src/metaprotocol/log-writer.ts';
import { Registry } from '../../../src/metaprotocol/registry.ts';
import { DataPlane } from '../../../src/metaprotocol/runtime.ts';
import { StatsStore } from '../../../src/metaprotocol/stats.ts';

export class HttpPlane {
  readonly log: string[] = [];
  readonly plane: DataPlane;

  constructor() {
    const note = (_fields: object, text: string): void => {
      this.log.push(text);
    };
    this.plane = new DataPlane({
      registry: new Registry([
        http1Plugin,
        { name: 'http', version: '1.0.0', codecApi: '^1.0.0', filters: [httpFilter] },
      ]),
      clock: new SystemClock(),
      random: Math.random,
      stats: new StatsStore(),
      log: { info: note, warn: note, error: note },
      openLog: noLog,
      reusePort: false,
    });
  }

  /** Listens on a port of its own in front of each upstream; gives the ports. */
  async start(
    upstreams: Readonly<Record<string, number>>,
    codecOptions: unknown = undefined,
  ): Promise<Record<string, number>> {
    const { prepared, issues } = await this.plane.prepare(describe(upstreams, codecOptions));
    if (prepared === null) throw new Error(JSON.stringify(issues));
    this.plane.commit(prepared);
    return Object.fromEntries(Object.keys(upstreams).map((name) => [name, this.plane.boundAddress(name)!.port]));
  }

  close(): void {
    this.plane.close();
  }
}

function describe(upstreams: Readonly<Record<string, number>>, codecOptions: unknown): RuntimeDescription {
  const entries = Object.entries(upstreams);
  return {
    version: '1',
    listeners: entries.map(([name], at) => ({
      name,
      // One address each: port 0 names none.
      bind: { host: `127.0.0.${at + 1}`, port: 0 },
      serviceAddress: { host: '127.0.0.1', port: 80 },
      direction: 'outbound',
      inspection: INSPECTION,
      chains: [
        {
          name,
          match: ANY_CONNECTION,
          tls: null,
          protocol: 'http1',
          codecOptions,
          routes: {
            name,
            virtualHosts: [
              {
                name: 'all',
                domains: ['*'],
                routes: [{ ...ROUTE, name: 'all', clusters: [weightedCluster(name)], timeoutMs: 60_000 }],
              },
            ],
          },
          filters: [{ name: 'http', options: {} }],
          statPrefix: name,
          timeouts: { ...CALLER_TIMEOUTS, idleMs: 60_000 },
          maxStreams: null,
        },
      ],
    })),
    clusters: entries.map(([name, port]) => ({
      ...CLUSTER,
      name,
      endpoints: [{ ...ENDPOINT, host: '127.0.0.1', port }],
      pool: { ...POOL, idleTimeoutMs: 60_000 },
    })),
  };
}
