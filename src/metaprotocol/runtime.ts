/**
 * DataPlane: runs one RuntimeDescription after the other. `prepare` compiles and binds and changes nothing that runs;
 * `commit` swaps by one assignment; streams that run end on the runtime they began with.
 */
import { randomBytes } from 'node:crypto';
import { addressOf } from './address.ts';
import type { FilterChain } from './chain.ts';
import { type Clock, EventClock } from './clock.ts';
import type { CompiledChain, CompiledListener, Runtime, RuntimeIssue } from './compile.ts';
import { compileRuntime } from './compile.ts';
import type { Core, Log } from './core.ts';
import { Departures, PATIENCE_MS } from './departures.ts';
import type { RuntimeDescription } from './description.ts';
import type { DownstreamOwner } from './downstream.ts';
import { DownstreamConnection } from './downstream.ts';
import type { Address } from './filter.ts';
import { Admission, type AdmissionOwner } from './listener/admission.ts';
import { bindFault } from './listener/bind-fault.ts';
import { type ConnectionFacts, chooseChain } from './listener/chain-match.ts';
import type { AcceptContext } from './listener/listener.ts';
import { acceptQueued, BoundSocket, ConnectionInfos } from './listener/listener.ts';
import type { LogWriter } from './log-writer.ts';
import type { Registry } from './registry.ts';
import type { StatsScope } from './stats.ts';
import { Status } from './status.ts';
import { TimerWheel } from './timer-wheel.ts';
import { TlsTable } from './tls/tls-table.ts';
import type { ClusterState } from './upstream/cluster-state.ts';
import { Flusher, SlabPool } from './wire/output.ts';
import { ReadBuffer } from './wire/read-buffer.ts';
import { SocketConnector } from './wire/socket-wire.ts';
import type { Connector, Wire } from './wire/wire.ts';

export interface DataPlaneOptions {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: () => number;
  readonly stats: StatsScope;
  readonly log: Log;
  openLog(path: string): LogWriter;
  /** Several workers bind the same addresses. */
  readonly reusePort: boolean;
  /** 48 random bytes, the same for workers whose callers may resume each other's TLS sessions. Default: own ones. */
  readonly ticketKeys?: Uint8Array;
  /** Tests replace the network and the turn of the event loop. */
  readonly connector?: Connector;
  readonly schedule?: (run: () => void) => void;
}

export interface Prepared {
  readonly runtime: Runtime;
  /** Sockets that only this runtime has, by bind address. */
  readonly opened: ReadonlyMap<string, BoundSocket>;
}

export interface EndpointStatus {
  readonly address: string;
  readonly weight: number;
  readonly healthy: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly outstanding: number;
  readonly connections: number;
}

export interface ClusterStatus {
  readonly name: string;
  readonly protocol: string;
  readonly pending: number;
  readonly bound: number;
  readonly endpoints: readonly EndpointStatus[];
}

const EMPTY_RUNTIME: Runtime = {
  version: '',
  generation: {},
  listeners: new Map(),
  clusters: new Map(),
  clusterTransports: new Map(),
  tls: new Map(),
};
export const TICKET_KEY_BYTES = 48;
const DRAIN_POLL_MS = 20;
/** Before the deadline of a drain, for the calls that run then. */
const LAST_CALLS_MS = 1_000;

export class DataPlane implements DownstreamOwner, AdmissionOwner {
  readonly #options: DataPlaneOptions;
  readonly #core: Core;
  readonly #buffer = new ReadBuffer();
  readonly #infos = new ConnectionInfos();
  readonly #connections = new Set<DownstreamConnection>();
  readonly #admissions = new Set<Admission>();
  readonly #ticketKeys: Buffer;
  readonly #clusterStates = new Map<string, ClusterState>();
  readonly #sockets = new Map<string, BoundSocket>();
  #current: Runtime = EMPTY_RUNTIME;
  #draining = false;
  /** Of the configuration before, while their sockets close. */
  #leaving: Runtime['listeners'] = EMPTY_RUNTIME.listeners;
  #closings: Promise<void> | null = null;
  readonly #departures: Departures;

  constructor(options: DataPlaneOptions) {
    this.#options = options;
    this.#ticketKeys = Buffer.from(options.ticketKeys ?? randomBytes(TICKET_KEY_BYTES));
    this.#core = {
      clock: new EventClock(options.clock),
      wheel: new TimerWheel(options.clock),
      flusher: new Flusher(options.schedule),
      slabs: new SlabPool(),
      connector: options.connector ?? new SocketConnector(this.#buffer),
      random: options.random,
      stats: options.stats,
      log: options.log,
    };
    this.#departures = new Departures(this.#core.clock);
  }

  /** Any issue: `prepared` is null and nothing was kept open. */
  async prepare(description: RuntimeDescription): Promise<{ prepared: Prepared | null; issues: RuntimeIssue[] }> {
    await this.#closings;
    const { runtime, issues } = this.#compile(description);
    const opened = new Map<string, BoundSocket>();
    for (const { description: listener } of runtime.listeners.values()) {
      const address = addressOf(listener.bind);
      if (this.#sockets.has(address) || opened.has(address)) continue;
      try {
        opened.set(address, await BoundSocket.open(listener.bind, this.#buffer, this.#options.reusePort));
      } catch (error) {
        issues.push({ kind: 'listener', name: listener.name, path: 'bind', message: bindFault(listener.bind, error) });
      }
    }
    if (issues.length > 0) {
      for (const socket of opened.values()) socket.close();
      return { prepared: null, issues };
    }
    return { prepared: { runtime, opened }, issues };
  }

  /** The one assignment. Never fails. */
  commit(prepared: Prepared): void {
    for (const [address, socket] of prepared.opened) this.#sockets.set(address, socket);
    const before = this.#current.listeners;
    this.#swap(prepared.runtime);
    const leaving: BoundSocket[] = [];
    const byAddress = new Map<string, string>();
    for (const [name, { description }] of prepared.runtime.listeners) byAddress.set(addressOf(description.bind), name);
    for (const [address, socket] of this.#sockets) {
      const name = byAddress.get(address);
      if (name === undefined) {
        this.#sockets.delete(address);
        leaving.push(socket);
      } else {
        socket.serve((wire, context) => this.accept(name, wire, context));
      }
    }
    if (leaving.length > 0) this.#closings = this.#closeLast(leaving, before);
  }

  /** `listeners`: those of before, for whom the kernel has accepted already. */
  async #closeLast(sockets: readonly BoundSocket[], listeners: Runtime['listeners']): Promise<void> {
    this.#leaving = listeners;
    await acceptQueued(sockets);
    if (this.#leaving === listeners) this.#leaving = EMPTY_RUNTIME.listeners;
    for (const socket of sockets) socket.close();
  }

  abandon(prepared: Prepared): void {
    for (const socket of prepared.opened.values()) socket.close();
  }

  /** Compiles and swaps without binding sockets: connections come by `accept`. For the library and tests. */
  apply(description: RuntimeDescription): RuntimeIssue[] {
    const { runtime, issues } = this.#compile(description);
    if (issues.length === 0) this.#swap(runtime);
    return issues;
  }

  /** Every connection enters here, whatever brought it. */
  accept(listenerName: string, wire: Wire, context: AcceptContext): void {
    const listener = this.#current.listeners.get(listenerName) ?? this.#leaving.get(listenerName);
    if (listener === undefined || this.#draining) {
      wire.destroy();
      return;
    }
    const { inspection } = listener;
    const tls = context.tls ?? null;
    // Without need for it, or where TLS was ended before, nobody looks at first bytes.
    if (inspection === null || tls !== null) {
      const chosen = this.chooseChain(listener, factsOf(listener, context), context);
      if (chosen === null) wire.destroy();
      else this.onAdmitted(listener, chosen, wire, context);
      return;
    }
    const admission = new Admission(this.#core, this, listener, inspection, wire, context);
    this.#admissions.add(admission);
    admission.start();
  }

  /** Where a listener's socket really is: the port that the system chose for port 0. */
  boundAddress(listenerName: string): Address | null {
    const bind = this.#current.listeners.get(listenerName)?.description.bind;
    const socket = bind === undefined ? undefined : this.#sockets.get(addressOf(bind));
    return socket === undefined ? null : { host: bind!.host, port: socket.port };
  }

  get version(): string {
    return this.#current.version;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  get streamCount(): number {
    let count = 0;
    for (const connection of this.#connections) count += connection.streamCount;
    return count;
  }

  /** Armed timeouts, for leak tests. */
  get timerCount(): number {
    return this.#core.wheel.size;
  }

  clusters(): ClusterStatus[] {
    return [...this.#current.clusters.values()].map((cluster) => ({
      name: cluster.name,
      protocol: cluster.state.factory.manifest.name,
      pending: cluster.state.pending,
      bound: cluster.state.bound,
      endpoints: cluster.endpoints.map((endpoint) => ({
        address: endpoint.address,
        weight: endpoint.weight,
        healthy: endpoint.healthy,
        labels: Object.fromEntries(endpoint.labels),
        outstanding: endpoint.outstanding,
        connections: endpoint.pools.connectionCount,
      })),
    }));
  }

  /**
   * No new connections; callers are asked to go; what runs finishes, at most until the deadline. With `quietMs` a caller is told nothing
   * before it was quiet for that long, or a moment before the deadline: somebody else takes over, one by one.
   */
  async drain(deadlineMs: number, quietMs = 0): Promise<void> {
    if (this.#closings !== null) await this.#closings;
    if (this.#sockets.size > 0) await acceptQueued([...this.#sockets.values()]);
    this.#draining = true;
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
    const { clock } = this.#core;
    const startMs = clock.nowMs();
    const endMs = startMs + deadlineMs;
    const lastCallsMs = Math.min(LAST_CALLS_MS, deadlineMs / 2);
    if (quietMs === 0) for (const connection of [...this.#connections]) this.#departures.add(connection);
    while (this.#connections.size + this.#admissions.size > 0 && clock.nowMs() < endMs) {
      const isLate = clock.nowMs() >= endMs - lastCallsMs;
      // Nothing was asked over them yet.
      if (quietMs === 0 && (isLate || clock.nowMs() >= startMs + PATIENCE_MS)) this.#endAdmissions();
      for (const connection of isLate || quietMs > 0 ? [...this.#connections] : []) {
        if (isLate || connection.quietMs >= quietMs) connection.drain();
      }
      await new Promise<void>((resolve) => clock.setTimer(DRAIN_POLL_MS, resolve));
    }
    this.close();
  }

  /** At once. */
  close(): void {
    this.#draining = true;
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
    this.#endAdmissions();
    this.#departures.close();
    for (const connection of [...this.#connections]) connection.close(Status.draining);
    for (const state of this.#clusterStates.values()) state.close();
    this.#clusterStates.clear();
  }

  // DownstreamOwner

  currentChain(connection: DownstreamConnection): FilterChain {
    const { chain } = connection;
    if (chain.generation === this.#current.generation) return chain;
    return this.#successor(connection) ?? chain;
  }

  onConnectionClosed(connection: DownstreamConnection): void {
    this.#connections.delete(connection);
    countTls(connection, -1);
  }

  // AdmissionOwner

  chooseChain(listener: CompiledListener, facts: ConnectionFacts, context: AcceptContext): CompiledChain | null {
    const chosen = chooseChain(listener.chains, facts);
    if (chosen === null) {
      const { isTls, serverName, applicationProtocols } = facts;
      const fields = { listener: listener.description.name, source: context.source, isTls, serverName };
      listener.stats.noChain.add();
      this.#core.log.warn({ ...fields, applicationProtocols }, 'no filter chain matches this connection');
    }
    return chosen;
  }

  onAdmitted(listener: CompiledListener, { chain }: CompiledChain, wire: Wire, context: AcceptContext): void {
    const info = this.#infos.of(listener.description, context);
    const connection = new DownstreamConnection(this.#core, this, chain, wire, info);
    this.#connections.add(connection);
    countTls(connection, 1);
    connection.open();
    // Agreeing on TLS took its time.
    const isLate = chain.generation !== this.#current.generation && this.#successor(connection) === undefined;
    if (isLate || this.#draining) this.#departures.add(connection);
  }

  onAdmissionOver(admission: Admission): void {
    this.#admissions.delete(admission);
  }

  #endAdmissions(): void {
    for (const admission of [...this.#admissions]) admission.destroy();
  }

  #compile(description: RuntimeDescription): { runtime: Runtime; issues: RuntimeIssue[] } {
    const { registry, openLog, stats } = this.#options;
    const tls = new TlsTable(this.#current.tls, { buffer: this.#buffer, stats, ticketKeys: this.#ticketKeys });
    const context = { core: this.#core, registry, openLog, clusterStates: this.#clusterStates, tls };
    return compileRuntime(description, context);
  }

  #swap(runtime: Runtime): void {
    this.#current = runtime;
    for (const cluster of runtime.clusters.values()) cluster.activate();
    for (const [key, state] of this.#clusterStates) {
      if (runtime.clusters.has(key) || runtime.clusterTransports.get(state.name) === state.transport) continue;
      this.#clusterStates.delete(key);
      state.retireAllBut(new Set());
    }
    // Connections whose listener or codec is no more end behind their answers.
    for (const connection of [...this.#connections]) {
      if (this.#successor(connection) === undefined) this.#departures.add(connection);
    }
  }

  #successor(connection: DownstreamConnection): FilterChain | undefined {
    const { identity } = connection.chain;
    const listener: CompiledListener | undefined = this.#current.listeners.get(connection.info.listener);
    return listener?.chains.find(({ chain }) => chain.identity === identity)?.chain;
  }
}

/** If its TLS ends here. */
function countTls({ chain, info }: DownstreamConnection, change: number): void {
  if (info.tls !== null && info.tls.version !== null) chain.stats.tlsConnectionsActive.add(change);
}

function factsOf(listener: CompiledListener, context: AcceptContext): ConnectionFacts {
  const tls = context.tls ?? null;
  return {
    destination: context.originalDestination ?? listener.description.serviceAddress,
    isTls: tls !== null,
    serverName: tls?.serverName ?? null,
    applicationProtocols: tls === null || tls.alpn === null ? [] : [tls.alpn],
  };
}
