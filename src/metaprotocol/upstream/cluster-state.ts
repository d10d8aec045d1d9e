/** ClusterState: what all versions of one cluster with one way of connecting share: pools, pending and bound counts, statistics. */
import type { CodecFactory } from '../codec.ts';
import type { Core } from '../core.ts';
import type { ClusterDescription, PoolDescription } from '../description.ts';
import type { Counter, Gauge, Histogram } from '../stats.ts';
import type { Connector } from '../wire/wire.ts';
import { EndpointPools } from './endpoint-pools.ts';

export interface ClusterStats {
  readonly requests: Counter;
  readonly responsesOk: Counter;
  readonly responsesError: Counter;
  readonly failures: Counter;
  readonly retries: Counter;
  readonly requestTimeMs: Histogram;
  readonly connectionsOpened: Counter;
  readonly connectFailures: Counter;
  readonly connectionsLost: Counter;
  readonly connections: Gauge;
  readonly pending: Gauge;
  readonly overflows: Counter;
  /** Connections that were given to a single caller. */
  readonly bindings: Counter;
  readonly unknownAnswers: Counter;
  readonly codecErrors: Counter;
}

export class ClusterState {
  readonly core: Core;
  readonly name: string;
  readonly factory: CodecFactory;
  readonly codecOptions: unknown;
  /** The way of connecting, by which it differs from others of its name. */
  readonly transport: string;
  readonly stats: ClusterStats;
  /** Opens connections from now on. */
  connector: Connector;
  connectTimeoutMs: number;
  pool: PoolDescription;
  /** Requests that wait for a connection. */
  pending = 0;
  /** Connections given to a single caller. */
  bound = 0;
  readonly #byAddress = new Map<string, EndpointPools>();

  constructor(
    core: Core,
    description: ClusterDescription,
    factory: CodecFactory,
    codecOptions: unknown,
    transport: string,
  ) {
    this.core = core;
    this.connector = core.connector;
    this.transport = transport;
    this.name = description.name;
    this.factory = factory;
    this.codecOptions = codecOptions;
    this.connectTimeoutMs = description.connectTimeoutMs;
    this.pool = description.pool;
    const scope = core.stats.scope({ cluster: description.name });
    this.stats = {
      requests: scope.counter('upstream_requests_total'),
      responsesOk: scope.counter('upstream_responses_total', { outcome: 'ok' }),
      responsesError: scope.counter('upstream_responses_total', { outcome: 'error' }),
      failures: scope.counter('upstream_failures_total'),
      retries: scope.counter('upstream_retries_total'),
      requestTimeMs: scope.histogram('upstream_request_time_ms'),
      connectionsOpened: scope.counter('upstream_connections_opened_total'),
      connectFailures: scope.counter('upstream_connect_failures_total'),
      connectionsLost: scope.counter('upstream_connections_lost_total'),
      connections: scope.gauge('upstream_connections'),
      pending: scope.gauge('upstream_requests_pending'),
      overflows: scope.counter('upstream_overflows_total'),
      bindings: scope.counter('upstream_bindings_total'),
      unknownAnswers: scope.counter('upstream_unknown_answers_total'),
      codecErrors: scope.counter('upstream_codec_errors_total'),
    };
  }

  pools(address: string, host: string, port: number): EndpointPools {
    let pools = this.#byAddress.get(address);
    if (pools === undefined) {
      pools = new EndpointPools(this.core, this, { host, port });
      this.#byAddress.set(address, pools);
    }
    return pools;
  }

  /** Lets endpoints go that the current version no longer has. */
  retireAllBut(addresses: ReadonlySet<string>): void {
    for (const [address, pools] of this.#byAddress) {
      if (addresses.has(address)) continue;
      this.#byAddress.delete(address);
      pools.retire();
    }
  }

  close(): void {
    for (const pools of this.#byAddress.values()) pools.close();
    this.#byAddress.clear();
  }
}
