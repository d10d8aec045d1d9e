/** Compiles a RuntimeDescription into a Runtime: chains, route tables, clusters. Collects every issue; changes nothing that runs. */
import { FilterChain } from './chain.ts';
import type { CodecFactory } from './codec.ts';
import type { ConfigIssue } from './config-error.ts';
import type { Core } from './core.ts';
import type {
  ClusterDescription,
  FilterChainDescription,
  ListenerDescription,
  RuntimeDescription,
  UpstreamTlsDescription,
} from './description.ts';
import type { Filter, FilterFactory } from './filter.ts';
import { statsFilter } from './filters/stats/stats-filter.ts';
import type { CompiledMatch } from './listener/chain-match.ts';
import { compileChainMatch } from './listener/chain-match.ts';
import type { Inspection } from './listener/inspected-wire.ts';
import { compileInspection } from './listener/inspection.ts';
import type { LogWriter } from './log-writer.ts';
import type { Registry } from './registry.ts';
import { collect, RouteTable } from './router/route-table.ts';
import type { Counter, StatsScope } from './stats.ts';
import type { ServerTls } from './tls/server-tls.ts';
import type { TlsEntries, TlsTable } from './tls/tls-table.ts';
import { Cluster } from './upstream/cluster.ts';
import { ClusterState } from './upstream/cluster-state.ts';
import type { Connector } from './wire/wire.ts';

/** A fault of one resource. `routes` are named by their table. */
export interface RuntimeIssue {
  readonly kind: 'listener' | 'cluster' | 'routes';
  readonly name: string;
  readonly path: string;
  readonly message: string;
}

export interface CompiledListener {
  readonly description: ListenerDescription;
  readonly chains: readonly CompiledChain[];
  /** null: chains are chosen by address alone. */
  readonly inspection: Inspection | null;
  readonly stats: ListenerStats;
}

export interface ListenerStats {
  readonly noChain: Counter;
  readonly notAdmitted: Counter;
  readonly handshakes: Counter;
  readonly handshakeErrors: Counter;
}

export interface CompiledChain {
  readonly match: CompiledMatch;
  /** null: not ended here. */
  readonly tls: ServerTls | null;
  readonly chain: FilterChain;
}

/** Everything that one version of the configuration runs. Never changed once made. */
export interface Runtime {
  readonly version: string;
  /** Names this runtime in its chains. */
  readonly generation: object;
  readonly listeners: ReadonlyMap<string, CompiledListener>;
  /** Those that routes name, by cluster name, protocol and codec options. */
  readonly clusters: ReadonlyMap<string, Cluster>;
  /** All that are configured, with how they are reached: the pools of one that no route names now stay warm for the next change. */
  readonly clusterTransports: ReadonlyMap<string, string>;
  readonly tls: TlsEntries;
}

export interface CompileContext {
  readonly core: Core;
  readonly registry: Registry;
  openLog(path: string): LogWriter;
  /** What an earlier runtime left: pools and statistics live on. */
  readonly clusterStates: Map<string, ClusterState>;
  readonly tls: TlsTable;
}

export function compileRuntime(
  description: RuntimeDescription,
  context: CompileContext,
): { runtime: Runtime; issues: RuntimeIssue[] } {
  const issues: RuntimeIssue[] = [];
  const clusters = new ClusterTable(description, context, issues);
  const generation = {};
  const listeners = new Map<string, CompiledListener>();
  for (const listener of description.listeners) {
    const chains: CompiledChain[] = [];
    for (const chain of listener.chains) {
      const compiled = compileChain(chain, listener, generation, clusters, context, issues);
      if (compiled !== null) chains.push(compiled);
    }
    if (listeners.has(listener.name)) {
      issues.push({ kind: 'listener', name: listener.name, path: 'name', message: 'this name appears twice' });
    }
    const inspectionIssues: ConfigIssue[] = [];
    const inspection = compileInspection(
      listener.inspection,
      chains.some(({ tls, match }) => tls !== null || match.needsInspection),
      context.registry,
      context.core.log,
      inspectionIssues,
    );
    report(issues, 'listener', listener.name, inspectionIssues);
    listeners.set(listener.name, {
      description: listener,
      chains,
      inspection,
      stats: listenerStats(context.core.stats.scope({ listener: listener.name })),
    });
  }
  return {
    runtime: {
      version: description.version,
      generation,
      listeners,
      clusters: clusters.used,
      clusterTransports: clusters.transports,
      tls: context.tls.used,
    },
    issues,
  };
}

function listenerStats(scope: StatsScope): ListenerStats {
  return {
    noChain: scope.counter('downstream_no_chain_total'),
    notAdmitted: scope.counter('downstream_not_admitted_total'),
    handshakes: scope.counter('downstream_tls_handshakes_total'),
    handshakeErrors: scope.counter('downstream_tls_handshake_errors_total'),
  };
}

function compileChain(
  description: FilterChainDescription,
  listener: ListenerDescription,
  generation: object,
  clusters: ClusterTable,
  context: CompileContext,
  issues: RuntimeIssue[],
): CompiledChain | null {
  const { registry, core } = context;
  const at = `chains[${description.name}]`;
  const listenerIssues: ConfigIssue[] = [];
  const factory = registry.codec(description.protocol);
  if (factory === undefined) {
    const known = registry
      .manifests()
      .map((manifest) => manifest.name)
      .join(', ');
    listenerIssues.push({
      path: `${at}.protocol`,
      message: `no codec ${JSON.stringify(description.protocol)}, this proxy has: ${known}`,
    });
    report(issues, 'listener', listener.name, listenerIssues);
    return null;
  }
  let codecOptions: unknown;
  collect(listenerIssues, `${at}.codecOptions`, () => {
    codecOptions = factory.parseOptions(description.codecOptions);
  });
  const labels = { listener: listener.name, protocol: factory.manifest.name };
  const scope = core.stats.scope(labels);
  const factories: FilterFactory[] = [];
  const filters: Filter[] = [];
  const { clock, random } = core;
  const add = (filter: FilterFactory, raw: unknown): void => {
    const options = filter.parseOptions(raw);
    factories.push(filter);
    const index = filters.length;
    filters.push(filter.create(options, { index, stats: scope, clock, random, openLog: context.openLog }));
  };
  // Nobody asks for statistics, and every stream has them.
  add(statsFilter, undefined);
  for (const [index, one] of description.filters.entries()) {
    const filter = registry.filter(one.name);
    if (filter === undefined) {
      listenerIssues.push({
        path: `${at}.filters[${index}]`,
        message: `no filter ${JSON.stringify(one.name)} in this proxy`,
      });
    } else collect(listenerIssues, `${at}.filters[${one.name}]`, () => add(filter, one.options));
  }
  const match = compileChainMatch(description.match, `${at}.match`, listenerIssues);
  let tls: ServerTls | null = null;
  if (description.tls !== null) {
    const described = description.tls;
    collect(listenerIssues, `${at}.tls`, () => {
      tls = context.tls.server(listener.name, description.name, described);
    });
  }
  const { table, issues: routeIssues } = RouteTable.compile(description.routes, {
    clusterOf: (name) => clusters.get(name, factory, codecOptions),
    filters: factories,
    protocol: { manifest: factory.manifest, rawOptions: description.codecOptions },
    stats: core.stats,
  });
  report(issues, 'listener', listener.name, listenerIssues);
  report(issues, 'routes', description.routes.name, routeIssues);
  const chain = new FilterChain({
    name: description.name,
    generation,
    identity: JSON.stringify([description.name, factory.manifest.name, description.codecOptions ?? null]),
    factory,
    codecOptions,
    routes: table,
    timeouts: description.timeouts,
    maxStreams: description.maxStreams ?? factory.concurrency.downstream,
    filters,
    stats: {
      connections: scope.counter('downstream_connections_total'),
      connectionsActive: scope.gauge('downstream_connections'),
      tlsConnectionsActive: core.stats.gauge('downstream_tls_connections', { listener: listener.name }),
      codecErrors: scope.counter('downstream_codec_errors_total'),
      filterErrors: scope.counter('filter_errors_total'),
      slowConsumers: scope.counter('downstream_slow_consumers_total'),
      slowCallers: scope.counter('downstream_slow_callers_total'),
    },
  });
  return { match, tls, chain };
}

/** Makes clusters as chains ask for them: one name can be reached by several protocols. */
class ClusterTable {
  readonly used = new Map<string, Cluster>();
  readonly transports: ReadonlyMap<string, string>;
  readonly #context: CompileContext;
  readonly #issues: RuntimeIssue[];
  readonly #descriptions: ReadonlyMap<string, ClusterDescription>;

  constructor(description: RuntimeDescription, context: CompileContext, issues: RuntimeIssue[]) {
    this.#context = context;
    this.#issues = issues;
    this.transports = new Map(description.clusters.map(({ name, tls }) => [name, transportOf(tls)]));
    this.#descriptions = new Map(description.clusters.map((cluster) => [cluster.name, cluster]));
  }

  get(name: string, chainFactory: CodecFactory, chainOptions: unknown): Cluster | null {
    const description = this.#descriptions.get(name);
    if (description === undefined) return null;
    const own = description.protocol === null ? chainFactory : this.#context.registry.codec(description.protocol);
    const issues: ConfigIssue[] = [];
    if (own === undefined) {
      issues.push({ path: 'protocol', message: `no codec ${JSON.stringify(description.protocol)} in this proxy` });
    } else if (own.manifest.family !== chainFactory.manifest.family) {
      const families = `${chainFactory.manifest.family} to ${own.manifest.family}`;
      issues.push({ path: 'protocol', message: `cannot translate ${families}` });
    }
    if (own === undefined || issues.length > 0) {
      report(this.#issues, 'cluster', name, issues);
      return null;
    }
    let options = chainOptions;
    if (description.codecOptions !== null && description.codecOptions !== undefined) {
      collect(issues, 'codecOptions', () => {
        options = own.parseOptions(description.codecOptions);
      });
      report(this.#issues, 'cluster', name, issues);
    }
    const transport = transportOf(description.tls);
    const key = JSON.stringify([name, own.manifest.name, options, transport]);
    let cluster = this.used.get(key);
    if (cluster === undefined) {
      const connector = this.#connectorFor(description);
      if (connector === null) return null;
      const { clusterStates, core } = this.#context;
      let state = clusterStates.get(key);
      if (state === undefined) {
        state = new ClusterState(core, description, own, options, transport);
        clusterStates.set(key, state);
      }
      cluster = new Cluster(description, state, connector);
      this.used.set(key, cluster);
    }
    return cluster;
  }

  #connectorFor({ name, tls }: ClusterDescription): Connector | null {
    if (tls === null) return this.#context.core.connector;
    const issues: ConfigIssue[] = [];
    let connector: Connector | null = null;
    collect(issues, 'tls', () => {
      connector = this.#context.tls.connector(name, tls);
    });
    report(this.#issues, 'cluster', name, issues);
    return connector;
  }
}

/**
 * Names a way of connecting. Connections over one never serve a cluster that asks for another; certificates and trusted CAs are
 * not part of it, so that connections outlive their renewal.
 */
function transportOf(tls: UpstreamTlsDescription | null): string {
  if (tls === null) return '';
  const { certificate, trustedCa, ...settings } = tls;
  return JSON.stringify([settings, certificate !== null, trustedCa !== null]);
}

function report(issues: RuntimeIssue[], kind: RuntimeIssue['kind'], name: string, found: readonly ConfigIssue[]): void {
  for (const issue of found) issues.push({ kind, name, path: issue.path, message: issue.message });
}
