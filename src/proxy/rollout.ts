/**
 * Rollout: brings resources to the workers. Prepares on all, leaves out alone what they cannot run, commits, and says what became
 * of each resource. One change at a time.
 */

import type { Clock, TimerHandle } from '../metaprotocol/clock.ts';
import type { RuntimeIssue } from '../metaprotocol/compile.ts';
import type { Log } from '../metaprotocol/core.ts';
import type { RuntimeDescription } from '../metaprotocol/description.ts';
import type { VersionedResource } from '../xds/resource.ts';
import { TypeUrl } from '../xds/type-urls.ts';
import { type Resources, sameResources } from './ads-resources.ts';
import { describe } from './describe/describe.ts';
import type { ListenerPlan } from './describe/listener-plan.ts';
import { type Settled, Settler } from './describe/settle.ts';
import type { EncodeResource } from './describe/virtual-hosts.ts';
import type { DnsNames } from './dns-names.ts';
import { type AskedLog, askedLogs } from './failing-logs.ts';
import type { ResourceRemark } from './resource-remark.ts';
import type { OwnedTls, TlsMaterials } from './tls-materials.ts';
import { type AskedName, askedNames } from './unresolved-names.ts';
import type { WorkerGroup } from './workers/worker-group.ts';

export interface RolloutOptions {
  readonly group: Pick<WorkerGroup, 'prepare' | 'commit'>;
  readonly names: Pick<DnsNames, 'watch' | 'addressesOf'>;
  readonly tls: Pick<TlsMaterials, 'load' | 'isUsable' | 'use' | 'textsOf'>;
  readonly encode: EncodeResource;
  readonly log: Log;
  readonly clock: Clock;
  /** Another attempt at the same resources ended differently: names moved, or an address became free. */
  readonly onRevised: (result: RolloutResult) => void;
}

/** An address that another process holds may become free. */
const BIND_RETRY_MS = 2_000;

export interface RolloutResult {
  /** Newest versions that do not run, with the reason. Their last good versions go on. */
  readonly refused: readonly ResourceRemark[];
  readonly notes: readonly ResourceRemark[];
  readonly askedLogs: readonly AskedLog[];
  readonly askedNames: readonly AskedName[];
  /** Route tables by name. */
  readonly tables: Settled['tables'];
  /** What runs once `live` resolved. */
  readonly used: Resources;
  /** All workers have swapped. */
  readonly live: Promise<void>;
}

interface Fault extends ResourceRemark {
  /** Of the machine and not of the resource: it may pass. */
  readonly isBind: boolean;
}

const TYPE_OF_ISSUE = {
  listener: TypeUrl.Listener,
  cluster: TypeUrl.Cluster,
  routes: TypeUrl.RouteConfiguration,
} as const;

export class Rollout {
  readonly #options: RolloutOptions;
  readonly #settler: Settler;
  #wanted: Resources = new Map();
  #accepted: Resources = new Map();
  #result: RolloutResult = {
    refused: [],
    notes: [],
    askedLogs: [],
    askedNames: [],
    tables: new Map(),
    used: new Map(),
    live: Promise.resolve(),
  };
  /** Of the description that was prepared last. */
  #version = '';
  #last: Promise<unknown> = Promise.resolve();
  #retry: TimerHandle | null = null;
  /** Versions of listeners that run without some of their chains: nothing to go back to. */
  readonly #partial = new WeakSet<VersionedResource>();

  constructor(options: RolloutOptions) {
    this.#options = options;
    this.#settler = new Settler(options.encode);
  }

  /** Of the newest change that was prepared. */
  get result(): RolloutResult {
    return this.#result;
  }

  get wanted(): Resources {
    return this.#wanted;
  }

  /** Resolves when everything that can run was prepared on all workers. */
  apply(wanted: Resources): Promise<RolloutResult> {
    return this.inTurn(() => {
      this.#wanted = wanted;
      return this.#roll();
    });
  }

  /** The same resources again, since DNS names or files changed. */
  refresh(): void {
    void this.inTurn(async () => {
      const before = this.#result;
      const result = await this.#roll();
      if (result !== before) this.#options.onRevised(result);
      return result;
    });
  }

  close(): void {
    this.#retry?.cancel();
  }

  /** Nothing else is prepared or committed while `task` runs. */
  inTurn<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(task);
    this.#last = turn.then(
      (result) => (result as { live?: Promise<void> }).live,
      () => undefined,
    );
    return turn;
  }

  async #roll(): Promise<RolloutResult> {
    this.#retry?.cancel();
    const wanted = this.#wanted;
    let accepted = this.#accepted;
    const refused: ResourceRemark[] = [];
    for (;;) {
      const whole = this.#settler.settle(wanted, accepted, refused);
      await this.#options.names.watch(namesOf(whole));
      const faults = await this.#options.tls.load(tlsOf(whole));
      const settled = this.#withoutUnusable(whole, accepted, faults);
      let issues = faults
        .filter((fault) => !settled.notes.includes(fault))
        .map((fault): Fault => ({ ...fault, isBind: false }));
      if (issues.length === 0) {
        const { names, tls, group } = this.#options;
        const description = describe(settled, (name) => names.addressesOf(name), tls.textsOf);
        if (description.version === this.#version) {
          return this.#done(settled, this.#result.live);
        }
        issues = await this.#prepare(description, settled.used, accepted);
        if (issues.length === 0) {
          this.#version = description.version;
          return this.#done(settled, group.commit());
        }
      }
      if (issues.some(({ isBind }) => isBind)) {
        this.#retry = this.#options.clock.setTimer(BIND_RETRY_MS, () => this.refresh());
      }
      const tried = refused.length - sizeOf(accepted);
      for (const issue of issues) {
        const before = refused.some(({ typeUrl, name }) => typeUrl === issue.typeUrl && name === issue.name);
        const ran = accepted.get(issue.typeUrl)?.get(issue.name);
        // Its last good version cannot run any more either: another process took its port, say.
        if (before || ran === settled.used.get(issue.typeUrl)?.get(issue.name)) accepted = without(accepted, issue);
        if (!before) refused.push({ typeUrl: issue.typeUrl, name: issue.name, message: issue.message });
      }
      if (refused.length - sizeOf(accepted) === tried) {
        throw new Error(`issues with resources that are not used: ${JSON.stringify(issues)}`);
      }
    }
  }

  /**
   * A chain without a certificate is left out where its listener has no better version to go back to: the other hosts of its port are
   * not to blame. Faults that are settled by that become notes.
   */
  #withoutUnusable(settled: Settled, accepted: Resources, faults: readonly ResourceRemark[]): Settled {
    const left = new Map<string, ListenerPlan>();
    const faulty = new Set(faults.filter(({ typeUrl }) => typeUrl === TypeUrl.Listener).map(({ name }) => name));
    for (const [name, resource] of settled.used.get(TypeUrl.Listener) ?? [])
      if (!faulty.has(name)) this.#partial.delete(resource);
    for (const { typeUrl, name, message } of faults) {
      if (typeUrl !== TypeUrl.Listener) continue;
      const resource = settled.used.get(typeUrl)!.get(name)!;
      const before = accepted.get(typeUrl)?.get(name);
      if (before !== undefined && before !== resource && !this.#partial.has(before)) continue;
      const listener = settled.listeners.find((one) => one.name === name)!;
      const chains = listener.chains.filter(({ tls }) => tls === null || this.#options.tls.isUsable(tls));
      if (chains.length === 0) continue;
      if (!this.#partial.has(resource))
        this.#options.log.warn({ typeUrl, name, reason: message }, 'chains without a certificate are left out');
      this.#partial.add(resource);
      left.set(name, { ...listener, chains });
    }
    if (left.size === 0) return settled;
    const settledFaults = faults.filter(({ typeUrl, name }) => typeUrl === TypeUrl.Listener && left.has(name));
    return {
      ...settled,
      listeners: settled.listeners.map((listener) => left.get(listener.name) ?? listener),
      notes: [...settled.notes, ...settledFaults],
    };
  }

  #done(settled: Settled, live: Promise<void>): RolloutResult {
    const { used, refused, notes } = settled;
    const before = this.#result;
    this.#accepted = used;
    this.#options.tls.use(tlsOf(settled));
    if (live === before.live && sameResources(used, before.used) && textOf(refused) === textOf(before.refused)) {
      return before;
    }
    const asked = { askedLogs: askedLogs(settled.listeners), askedNames: askedNames(settled.clusters) };
    this.#result = { refused, notes, ...asked, tables: settled.tables, used, live };
    for (const { typeUrl, name, message } of refused) {
      const rest = settled.used.get(typeUrl)?.has(name) === true ? 'what of it was good goes on' : 'none of it runs';
      this.#options.log.warn({ typeUrl, name, reason: message }, `resource refused, ${rest}`);
    }
    return this.#result;
  }

  async #prepare(description: RuntimeDescription, used: Resources, accepted: Resources): Promise<Fault[]> {
    let issues: RuntimeIssue[];
    try {
      issues = await this.#options.group.prepare(description);
    } catch (error) {
      // A defect of ours: nothing that is new can be trusted, all that ran goes on.
      this.#options.log.error({ error: (error as Error).stack }, 'change not prepared');
      const suspects = changed(used, accepted, `internal error: ${(error as Error).message}`);
      if (suspects.length === 0) throw error;
      return suspects;
    }
    return issues.flatMap(({ kind, name, path, message }) =>
      resourcesOf(kind, name, description, used).map((resource) => ({
        ...resource,
        isBind: path === 'bind',
        message: path === '' ? message : `${path}: ${message}`,
      })),
    );
  }
}

/** A table that a listener carries itself is the listener's fault. */
function resourcesOf(
  kind: RuntimeIssue['kind'],
  name: string,
  { listeners }: RuntimeDescription,
  used: Resources,
): { typeUrl: string; name: string }[] {
  if (kind !== 'routes' || used.get(TypeUrl.RouteConfiguration)?.has(name))
    return [{ typeUrl: TYPE_OF_ISSUE[kind], name }];
  return listeners
    .filter(({ chains }) => chains.some(({ routes }) => routes.name === name))
    .map((listener) => ({ typeUrl: TypeUrl.Listener, name: listener.name }));
}

function textOf(remarks: readonly ResourceRemark[]): string {
  return JSON.stringify(remarks);
}

function namesOf({ clusters }: Settled): Map<string, number> {
  const refreshMsByName = new Map<string, number>();
  for (const { discovery } of clusters) {
    if (discovery.kind !== 'dns') continue;
    for (const { host } of discovery.endpoints) {
      refreshMsByName.set(host, Math.min(discovery.refreshMs, refreshMsByName.get(host) ?? Number.POSITIVE_INFINITY));
    }
  }
  return refreshMsByName;
}

function tlsOf({ listeners, clusters }: Settled): OwnedTls[] {
  const downstream = listeners.flatMap(({ name, chains }) =>
    chains.flatMap(({ tls }) => (tls === null ? [] : [{ typeUrl: TypeUrl.Listener, name, tls }])),
  );
  const upstream = clusters.flatMap(({ name, tls }) => (tls === null ? [] : [{ typeUrl: TypeUrl.Cluster, name, tls }]));
  return [...downstream, ...upstream];
}

function changed(used: Resources, accepted: Resources, message: string): Fault[] {
  return [...used].flatMap(([typeUrl, resources]) =>
    [...resources.values()]
      .filter((resource) => accepted.get(typeUrl)?.get(resource.name) !== resource)
      .map(({ name }) => ({ typeUrl, name, message, isBind: false })),
  );
}

function without(resources: Resources, { typeUrl, name }: ResourceRemark): Resources {
  const rest = new Map(resources.get(typeUrl));
  rest.delete(name);
  return new Map(resources).set(typeUrl, rest);
}

function sizeOf(resources: Resources): number {
  return [...resources.values()].reduce((sum, { size }) => sum + size, 0);
}
