/** Mesh: the whole engine without sockets: callers, one listener, routes, clusters of scripted upstreams. */
import { expect } from 'vitest';
import type { CodecFactory } from '../../src/metaprotocol/codec.ts';
import {
  ANY_CONNECTION,
  type BalancerDescription,
  CALLER_TIMEOUTS,
  type CallerTimeouts,
  CLUSTER,
  type ClusterDescription,
  ENDPOINT,
  INSPECTION,
  type ListenerDescription,
  POOL,
  type PoolDescription,
  ROUTE,
  type RouteDescription,
  type RuntimeDescription,
  weightedCluster,
} from '../../src/metaprotocol/description.ts';
import type { Address, Filter, FilterFactory, TlsPeer } from '../../src/metaprotocol/filter.ts';
import { LogWriter } from '../../src/metaprotocol/log-writer.ts';
import { Registry } from '../../src/metaprotocol/registry.ts';
import { DataPlane } from '../../src/metaprotocol/runtime.ts';
import { StatsStore } from '../../src/metaprotocol/stats.ts';
import type { Wire } from '../../src/metaprotocol/wire/wire.ts';
import { MemoryWire } from './memory-wire.ts';
import type { RawPeer } from './raw-peer.ts';
import { World } from './world.ts';

/** Small numbers, which tests reach. */
const TEST_POOL: PoolDescription = { ...POOL, maxConnections: 16, maxBound: 16, idleTimeoutMs: 60_000 };

export interface MeshOptions<P extends RawPeer> {
  readonly factory: CodecFactory;
  /** Raw JSON for both sides. */
  readonly codecOptions?: unknown;
  /** Wraps the upstream's end of a new connection. */
  readonly upstreamPeer: (wire: MemoryWire) => P;
  /** Endpoints of each cluster: number them. */
  readonly clusters?: Readonly<Record<string, number>>;
  readonly pool?: Partial<PoolDescription>;
  readonly balancer?: BalancerDescription;
  readonly connectTimeoutMs?: number;
  /** First match wins; by default one route for all to cluster `main`. */
  readonly routes?: readonly Partial<RouteDescription>[];
  readonly filters?: readonly Filter[];
  /** Behind `filters`: built-in ones with their raw options. */
  readonly builtIns?: readonly { readonly factory: FilterFactory; readonly options: unknown }[];
  readonly maxStreams?: number;
  readonly timeouts?: Partial<CallerTimeouts>;
}

/** One endpoint, as the test plays it. */
export class FakeUpstream<P extends RawPeer> {
  /** `silent`: a connect that is never answered. */
  mode: 'accept' | 'refuse' | 'silent' = 'accept';
  readonly address: Address;
  readonly connections: P[] = [];

  constructor(address: Address) {
    this.address = address;
  }

  /** The only connection it has. */
  get connection(): P {
    expect(this.connections.length).toBe(1);
    return this.connections[0]!;
  }
}

export class Mesh<P extends RawPeer> {
  readonly world = new World();
  readonly stats = new StatsStore();
  /** Texts of the log, with their level in front. */
  readonly log: string[] = [];
  /** Of access logs. */
  readonly lines: string[] = [];
  /** What every draw of the engine gives. */
  random = 0;
  readonly plane: DataPlane;
  /** Delivers each line by itself. */
  readonly #log: LogWriter = new LogWriter(
    (bytes) => this.lines.push(bytes.toString('utf8', 0, bytes.length - 1)),
    () => this.#log.flush(),
  );
  readonly #options: MeshOptions<P>;
  readonly #upstreams = new Map<string, FakeUpstream<P>>();
  #callers = 0;

  constructor(options: MeshOptions<P>) {
    this.#options = options;
    const filters = (options.filters ?? []).map((filter, index) => ({
      name: `filter-${index}`,
      parseOptions: () => ({}),
      create: () => filter,
    }));
    this.plane = new DataPlane({
      registry: new Registry([
        {
          name: 'toys',
          version: '1.0.0',
          codecApi: '^1.0.0',
          codecs: [options.factory],
          filters: [...filters, ...(options.builtIns ?? []).map(({ factory }) => factory)],
        },
      ]),
      clock: this.world.clock,
      random: () => this.random,
      stats: this.stats,
      log: {
        info: (_fields, text) => this.log.push(`info ${text}`),
        warn: (_fields, text) => this.log.push(`warn ${text}`),
        error: (_fields, text) => this.log.push(`error ${text}`),
      },
      openLog: () => this.#log,
      reusePort: false,
      connector: { connect: (to) => this.#connect(to) },
      schedule: this.world.defer,
    });
    this.apply(this.describe());
  }

  /** What the options ask for; tests of swaps change it and `apply` it. */
  describe(routes: readonly Partial<RouteDescription>[] = this.#options.routes ?? [{}]): RuntimeDescription {
    const clusters = Object.entries(this.#options.clusters ?? { main: 1 });
    return {
      version: '1',
      listeners: [this.#describeListener(routes)],
      clusters: clusters.map(([name, endpoints], index) => this.#describeCluster(name, endpoints, index + 1)),
    };
  }

  apply(description: RuntimeDescription): void {
    for (const { endpoints } of description.clusters) {
      for (const { host, port } of endpoints) {
        const address = `${host}:${port}`;
        if (!this.#upstreams.has(address)) this.#upstreams.set(address, new FakeUpstream({ host, port }));
      }
    }
    expect(this.plane.apply(description)).toEqual([]);
  }

  /** Endpoint `number` (from 0) of the cluster that stands at `cluster` (from 1) among the options' clusters. */
  upstream(number = 0, cluster = 1): FakeUpstream<P> {
    return this.#upstreams.get(`10.1.${cluster}.${number + 1}:80`)!;
  }

  /** A new caller; `peer` wraps its end of the connection. */
  caller<C extends RawPeer>(peer: (wire: MemoryWire) => C, tls: TlsPeer | null = null): C {
    const wire = new MemoryWire();
    const caller = peer(wire);
    this.world.add(wire, caller);
    const source = { host: '10.9.9.9', port: 40_000 + ++this.#callers };
    this.plane.accept('listener', wire, { source, originalDestination: null, tls });
    return caller;
  }

  settle(): void {
    this.world.settle();
  }

  advance(ms: number): void {
    this.world.advance(ms);
  }

  /** The sum of a statistic over all its labels, or those that are given. */
  stat(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const found = this.stats.definitions.filter((definition) => {
      return (
        definition.name === name && Object.entries(labels).every(([key, value]) => definition.labels[key] === value)
      );
    });
    if (found.length === 0) throw new Error(`no statistic is named ${name}`);
    return found.reduce((sum, { cells, index }) => sum + new Float64Array(cells)[index]!, 0);
  }

  /** What is in flight or waits now, and the connections that a single caller has. */
  get taken(): { streams: number; outstanding: number; pending: number; bound: number } {
    const clusters = this.plane.clusters();
    const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
    return {
      streams: this.plane.streamCount,
      outstanding: sum(clusters.flatMap(({ endpoints }) => endpoints.map((endpoint) => endpoint.outstanding))),
      pending: sum(clusters.map(({ pending }) => pending)),
      bound: sum(clusters.map(({ bound }) => bound)),
    };
  }

  /** Nothing is in flight: no stream, attempt, queue place or bound connection. */
  expectQuiet(): void {
    expect(this.taken).toEqual({ streams: 0, outstanding: 0, pending: 0, bound: 0 });
  }

  /** Nothing is in flight; then everybody goes, and nothing may be left: no stream, slot, connection, timer. */
  expectNoLeaks(): void {
    this.settle();
    this.expectQuiet();
    this.plane.close();
    // The wheel stops by itself a tick after its last timer went.
    this.advance(50);
    expect(this.plane.connectionCount).toBe(0);
    const gauges = this.stats.definitions.filter((definition) => definition.kind === 'gauge');
    for (const { name, cells, index } of gauges) expect([name, new Float64Array(cells)[index]]).toEqual([name, 0]);
    expect(this.plane.timerCount).toBe(0);
    expect(this.world.clock.pendingTimers).toBe(0);
    expect(this.world.wires.filter((wire) => !wire.destroyed).length).toBe(0);
  }

  #connect(to: Address): Wire {
    const wire = new MemoryWire();
    const upstream = this.#upstreams.get(`${to.host}:${to.port}`)!;
    const peer = this.#options.upstreamPeer(wire);
    this.world.add(wire, peer);
    if (upstream.mode === 'accept') {
      upstream.connections.push(peer);
      wire.establish();
    } else if (upstream.mode === 'refuse') {
      wire.break(new Error('ECONNREFUSED'));
    }
    return wire;
  }

  #describeCluster(name: string, endpoints: number, octet: number): ClusterDescription {
    const { pool, balancer, connectTimeoutMs } = this.#options;
    return {
      ...CLUSTER,
      name,
      endpoints: Array.from({ length: endpoints }, (_, index) => ({
        ...ENDPOINT,
        host: `10.1.${octet}.${index + 1}`,
        port: 80,
      })),
      ...(balancer && { balancer }),
      connectTimeoutMs: connectTimeoutMs ?? 1_000,
      pool: { ...TEST_POOL, ...pool },
    };
  }

  #describeListener(routes: readonly Partial<RouteDescription>[]): ListenerDescription {
    const { factory, codecOptions, filters = [], builtIns = [], maxStreams, timeouts } = this.#options;
    return {
      name: 'listener',
      bind: { host: '127.0.0.1', port: 80 },
      serviceAddress: { host: '10.0.0.1', port: 80 },
      direction: 'outbound',
      inspection: INSPECTION,
      chains: [
        {
          name: 'chain',
          match: ANY_CONNECTION,
          tls: null,
          protocol: factory.manifest.name,
          codecOptions,
          routes: {
            name: 'routes',
            virtualHosts: [
              { name: 'all', domains: ['*'], routes: routes.map((route, index) => fullRoute(route, index)) },
            ],
          },
          filters: [
            ...filters.map((_, index) => ({ name: `filter-${index}`, options: {} })),
            ...builtIns.map(({ factory: { name }, options }) => ({ name, options })),
          ],
          statPrefix: 'test',
          timeouts: { ...CALLER_TIMEOUTS, ...timeouts },
          maxStreams: maxStreams ?? null,
        },
      ],
    };
  }
}

export function fullRoute(route: Partial<RouteDescription>, index: number): RouteDescription {
  return {
    ...ROUTE,
    name: `route-${index}`,
    clusters: [weightedCluster('main')],
    timeoutMs: 15_000,
    ...route,
  };
}
