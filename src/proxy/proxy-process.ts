/**
 * ProxyProcess: the data plane's process, wired: control plane -> resources -> workers, with admin API, last good configuration,
 * access logs and drain.
 */
import { randomBytes } from 'node:crypto';
import { SystemClock, type TimerHandle } from '../metaprotocol/clock.ts';
import type { Log } from '../metaprotocol/core.ts';
import type { Address } from '../metaprotocol/filter.ts';
import type { ProtocolManifest } from '../metaprotocol/manifest.ts';
import { TICKET_KEY_BYTES } from '../metaprotocol/runtime.ts';
import { type Gauge, StatsStore } from '../metaprotocol/stats.ts';
import type { JsonValue } from '../xds/json.ts';
import type { NodeInfo } from '../xds/node.ts';
import { Xds } from '../xds/xds.ts';
import { ProxyAdmin } from './admin.ts';
import { AdsClient } from './ads-client.ts';
import type { Resources } from './ads-resources.ts';
import { grpcTransport } from './ads-transport.ts';
import { configDump } from './config-dump.ts';
import { DnsNames, type Resolve } from './dns-names.ts';
import { failingLogs } from './failing-logs.ts';
import { LastGood } from './last-good.ts';
import { LogFiles } from './log-files.ts';
import { type LogLimits, LogRotation } from './log-rotation.ts';
import { PluginWatch } from './plugin-loading/plugin-watch.ts';
import { probeBind } from './probe-bind.ts';
import { prometheusText } from './prometheus-text.ts';
import { refusedMutations } from './refused-mutations.ts';
import type { ResourceRemark } from './resource-remark.ts';
import { Rollout, type RolloutResult } from './rollout.ts';
import { StatTotals } from './stat-totals.ts';
import { TlsMaterials } from './tls-materials.ts';
import { unresolvedNames } from './unresolved-names.ts';
import { WorkerGroup } from './workers/worker-group.ts';
import { WorkerGroups } from './workers/worker-groups.ts';
import { type SpawnWorker, spawnThread } from './workers/worker-handle.ts';
import type { PluginReference } from './workers/worker-messages.ts';

export interface ProxyProcessOptions {
  /** `host:port` of the control plane. */
  readonly xds: string;
  readonly node: Omit<NodeInfo, 'agent' | 'agentVersion' | 'manifests' | 'workers'>;
  readonly version: string;
  /** Of the codecs that are built into its workers. */
  readonly manifests: readonly ProtocolManifest[];
  /** Outside plugins, each in worker threads of its own. Only who runs the proxy names them, never its configuration. */
  readonly plugins?: readonly PluginReference[];
  /** A plugin's saved source takes the place of the one before. */
  readonly watchPlugins?: boolean;
  readonly workers: number;
  /** null: no admin API. */
  readonly adminListen: Address | null;
  /** Where the last good configuration is kept; null: nowhere. */
  readonly stateDirectory: string | null;
  /** How long running streams may go on after a drain began. */
  readonly drainDeadlineMs: number;
  /** How far access logs may grow. Default: as far as they like. */
  readonly accessLogLimits?: LogLimits | null;
  readonly log: Log;
  /** Default: threads. `spawnInProcess` for the library and for tests. */
  readonly spawn?: SpawnWorker;
  readonly resolve?: Resolve;
}

/** How often remarks that come of traffic are told to the control plane. */
const REMARKS_MS = 2_000;

/** Resolves when the admin API listens and the workers are starting; `ready` tells when they serve. */
export async function createProxyProcess(options: ProxyProcessOptions): Promise<ProxyProcess> {
  const process = new ProxyProcess(options);
  try {
    await process.start();
  } catch (error) {
    await process.close();
    throw error;
  }
  return process;
}

export class ProxyProcess {
  readonly #options: ProxyProcessOptions;
  readonly #xds = Xds.load();
  readonly #clock = new SystemClock();
  readonly #totals = new StatTotals();
  readonly #stats = new StatsStore((definition) => this.#totals.define('main', definition));
  readonly #logFiles: LogFiles;
  readonly #logRotation: LogRotation | null;
  readonly #ticketKeys = randomBytes(TICKET_KEY_BYTES);
  readonly #names: DnsNames;
  readonly #tls: TlsMaterials;
  readonly #groups: WorkerGroups;
  readonly #pluginWatches: PluginWatch[] = [];
  readonly #rollout: Rollout;
  readonly #lastGood: LastGood | null;
  readonly #admin: ProxyAdmin | null;
  readonly #firstLive = Promise.withResolvers<void>();
  #adminAddress: Address | null = null;
  #ads: AdsClient | null = null;
  #remarks: TimerHandle | null = null;
  #isLive = false;
  #saved: Promise<void> = Promise.resolve();
  #draining: Promise<void> | null = null;

  constructor(options: ProxyProcessOptions) {
    const { log, accessLogLimits: limits = null } = options;
    this.#options = options;
    const ofLogs = { clock: this.#clock, log, stats: this.#stats };
    this.#logFiles = new LogFiles(ofLogs);
    this.#logRotation =
      limits === null
        ? null
        : new LogRotation({
            ...ofLogs,
            limits,
            paths: () => this.#rollout.result.askedLogs.map(({ path }) => path),
            reopen: () => this.#groups.reopenLogs(),
          });
    this.#names = new DnsNames({
      clock: this.#clock,
      log,
      onChange: () => this.#rollout.refresh(),
      ...(options.resolve === undefined ? {} : { resolve: options.resolve }),
    });
    this.#tls = new TlsMaterials({
      clock: this.#clock,
      log,
      stats: this.#stats,
      onChange: () => this.#rollout.refresh(),
    });
    this.#groups = new WorkerGroups({
      plugins: options.plugins ?? [],
      createGroup: (plugin, lives) => this.#createGroup(plugin, lives),
      log,
      drainDeadlineMs: options.drainDeadlineMs,
    });
    this.#rollout = new Rollout({
      encode: (resource) => this.#xds.encodeResource(resource),
      group: this.#groups,
      names: this.#names,
      tls: this.#tls,
      log,
      clock: this.#clock,
      onRevised: (result) => {
        this.#ads?.revise(result.refused);
        this.#onPrepared(result);
      },
    });
    this.#lastGood = options.stateDirectory === null ? null : new LastGood(options.stateDirectory, options.node.id);
    this.#admin =
      options.adminListen === null
        ? null
        : new ProxyAdmin({
            notReady: () => this.#notReady(),
            statsText: () => prometheusText(this.#totals.series()),
            configDump: () => this.#configDump(),
            clusters: () => this.#groups.clusters(),
            reopenLogs: () => this.#groups.reopenLogs(),
            drain: () => this.drain(),
          });
  }

  async start(): Promise<void> {
    const { adminListen } = this.#options;
    if (this.#admin !== null && adminListen !== null) this.#adminAddress = await this.#admin.listen(adminListen);
    await this.#groups.load();
    if (this.#options.watchPlugins === true) this.#watchPlugins();
    this.#ads = this.#createAdsClient(await this.#loadLastGood());
    this.#ads.start();
  }

  /** Resolves when a first configuration runs on every worker. */
  get ready(): Promise<void> {
    return this.#firstLive.promise;
  }

  /** null: no admin API. */
  get adminAddress(): Address | null {
    return this.#adminAddress;
  }

  /** No new connections. Resolves when the running streams ended, or at the deadline. */
  drain(): Promise<void> {
    this.#draining ??= this.#groups.drain(this.#options.drainDeadlineMs);
    return this.#draining;
  }

  /** Ends everything at once; what is on its way to disk gets there. */
  async close(): Promise<void> {
    for (const watch of this.#pluginWatches) watch.close();
    this.#ads?.close();
    this.#remarks?.cancel();
    this.#rollout.close();
    this.#names.close();
    this.#tls.close();
    await this.#groups.close();
    await this.#logRotation?.close();
    await this.#logFiles.close();
    await this.#saved;
    await this.#admin?.close();
  }

  #createGroup(plugin: PluginReference | null, lives: number): WorkerGroup {
    const { workers, spawn = spawnThread, log, watchPlugins = false } = this.#options;
    return new WorkerGroup({
      name: plugin === null ? 'worker' : `plugin#${lives}`,
      workers,
      spawn,
      clock: this.#clock,
      log: plugin === null ? log : logWith(log, { plugin: plugin.reference }),
      stats: this.#totals,
      ticketKeys: this.#ticketKeys,
      restarts: this.#stats.counter('worker_restarts_total'),
      writeLines: (path, bytes, count) => this.#logFiles.write(path, bytes, count),
      plugin,
      shareAddresses: plugin !== null && watchPlugins,
      // A plugin's later group takes the place of one that has its addresses.
      probe: plugin === null || lives < (this.#options.plugins ?? []).length ? probeBind : async () => null,
    });
  }

  #watchPlugins(): void {
    for (const { reference } of this.#groups.loaded) {
      const watch = new PluginWatch({
        clock: this.#clock,
        log: this.#options.log,
        onChange: () => this.#reload(reference, watch),
      });
      watch.follow(this.#groups.filesOf(reference));
      this.#pluginWatches.push(watch);
    }
  }

  async #reload(reference: PluginReference, watch: PluginWatch): Promise<void> {
    const before = JSON.stringify(this.#groups.manifests);
    const isReplaced = await this.#rollout.inTurn(() => this.#groups.replace(reference));
    watch.follow(this.#groups.filesOf(reference));
    if (!isReplaced || JSON.stringify(this.#groups.manifests) === before) return;
    // The control plane learns it from the node, which is told when a stream opens.
    this.#ads?.close();
    this.#ads = this.#createAdsClient(this.#rollout.wanted);
    this.#ads.start();
  }

  #createAdsClient(initial: Resources | null): AdsClient {
    const { node, version, manifests, workers, log, xds } = this.#options;
    const connected = this.#stats.gauge('control_plane_connected');
    return new AdsClient({
      xds: this.#xds,
      node: {
        ...node,
        agent: 'meltemi',
        agentVersion: version,
        workers,
        manifests: [...manifests, ...this.#groups.manifests] as unknown as JsonValue[],
      },
      transport: grpcTransport(xds, this.#xds.descriptor),
      protocol: 'delta',
      clock: this.#clock,
      random: Math.random,
      log,
      initial,
      onUpdate: async (resources) => {
        const result = await this.#rollout.apply(resources);
        this.#onPrepared(result);
        return result.refused;
      },
      onConnection: (isConnected) => setGauge(connected, Number(isConnected)),
    });
  }

  async #loadLastGood(): Promise<Resources | null> {
    try {
      return (await this.#lastGood?.load(this.#xds)) ?? null;
    } catch (error) {
      this.#options.log.warn(
        { error: (error as Error).message },
        'last good configuration not usable, waiting for the control plane',
      );
      return null;
    }
  }

  #onPrepared({ refused, used, live }: RolloutResult): void {
    setGauge(this.#stats.gauge('resources_refused'), refused.length);
    void live.then(() => this.#onLive(used));
  }

  #onLive(used: Resources): void {
    this.#isLive = true;
    this.#firstLive.resolve();
    this.#reportLive(used);
    if (this.#lastGood === null) return;
    this.#saved = this.#lastGood.save(used).catch((error: Error) => {
      this.#options.log.warn({ error: error.message }, 'last good configuration not saved');
    });
  }

  #reportLive(used: Resources): void {
    this.#remarks?.cancel();
    this.#remarks = this.#clock.setTimer(REMARKS_MS, () => this.#reportLive(used));
    this.#ads?.reportLive(used, this.#notes());
  }

  #notes(): ResourceRemark[] {
    const { notes, askedLogs, askedNames, tables } = this.#rollout.result;
    const ofTraffic = [...refusedMutations(this.#totals, tables), ...failingLogs(this.#totals, askedLogs)];
    return [...notes, ...this.#tls.notes(), ...unresolvedNames(this.#names, askedNames), ...ofTraffic];
  }

  #notReady(): string {
    if (this.#draining !== null) return 'draining';
    if (!this.#isLive) return 'no configuration yet';
    return '';
  }

  #configDump(): object {
    const { wanted, result } = this.#rollout;
    return configDump({ wanted, used: result.used, notes: this.#notes(), refused: this.#ads?.refused ?? [] });
  }
}

function setGauge(gauge: Gauge, value: number): void {
  gauge.add(value - gauge.value);
}

function logWith(log: Log, fields: object): Log {
  return {
    info: (more, text) => log.info({ ...fields, ...more }, text),
    warn: (more, text) => log.warn({ ...fields, ...more }, text),
    error: (more, text) => log.error({ ...fields, ...more }, text),
  };
}
