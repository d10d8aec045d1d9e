/**
 * WorkerGroups: one group for what is built in, one for each outside plugin. A listener belongs to the group whose plugin has its
 * protocol, so that what a plugin does to its thread is felt by nobody else. A plugin's group can be replaced while it serves.
 */
import type { RuntimeIssue } from '../../metaprotocol/compile.ts';
import type { Log } from '../../metaprotocol/core.ts';
import type { ListenerDescription, RuntimeDescription } from '../../metaprotocol/description.ts';
import type { ProtocolManifest } from '../../metaprotocol/manifest.ts';
import type { ClusterStatus } from '../../metaprotocol/runtime.ts';
import { doubledProtocol } from '../plugin-loading/doubled-protocol.ts';
import type { WorkerGroup } from './worker-group.ts';
import { type LoadedPlugin, type PluginReference, PluginRefused } from './worker-messages.ts';

export interface WorkerGroupsOptions {
  readonly plugins: readonly PluginReference[];
  /** `lives`: how many groups this plugin had before. */
  readonly createGroup: (plugin: PluginReference | null, lives: number) => WorkerGroup;
  readonly log: Log;
  /** How long callers of a group that was replaced may stay. */
  readonly drainDeadlineMs: number;
}

/** A caller of a replaced group that is quiet for this long is asked to go. */
const QUIET_MS = 1_000;

interface PluginGroup {
  readonly reference: PluginReference;
  readonly group: WorkerGroup;
  readonly loaded: LoadedPlugin;
}

export class WorkerGroups {
  readonly #options: WorkerGroupsOptions;
  readonly #builtIn: WorkerGroup;
  /** In the order of the references, once they are loaded. */
  #plugins: PluginGroup[] = [];
  /** Replaced, and still with callers. */
  readonly #leaving = new Set<WorkerGroup>();
  /** Made, and not among those that serve yet. */
  readonly #starting = new Set<WorkerGroup>();
  #ending = false;
  #lives = 0;
  /** Of plugins whose last reload failed: the files that it asked for. */
  readonly #refused = new Map<PluginReference, readonly string[]>();
  #prepared: RuntimeDescription | null = null;
  #current: RuntimeDescription | null = null;
  /** Plugin groups that could not prepare what was prepared last: they follow when they are there again. */
  readonly #behind = new Set<WorkerGroup>();

  constructor(options: WorkerGroupsOptions) {
    this.#options = options;
    this.#builtIn = options.createGroup(null, 0);
  }

  /** Resolves when every plugin is loaded; rejects with the reason of the first that cannot be used. */
  async load(): Promise<void> {
    this.#plugins = await Promise.all(this.#options.plugins.map((reference) => this.#start(reference)));
    this.#starting.clear();
    const doubled = doubledIn(this.#plugins);
    if (doubled !== null) throw new Error(doubled);
  }

  get manifests(): ProtocolManifest[] {
    return this.#plugins.flatMap(({ loaded }) => loaded.manifests);
  }

  /** The plugins that are loaded, with their files. */
  get loaded(): readonly { readonly reference: PluginReference; readonly loaded: LoadedPlugin }[] {
    return this.#plugins;
  }

  /** Those whose change may change what the plugin is, or let it be loaded where the last try failed. */
  filesOf(reference: PluginReference): readonly string[] {
    const loaded = this.#plugins.find((plugin) => plugin.reference === reference)?.loaded.files ?? [];
    return [...loaded, ...(this.#refused.get(reference) ?? [])];
  }

  /** See WorkerGroup. A plugin's group that is not there now holds nobody up. */
  async prepare(description: RuntimeDescription): Promise<RuntimeIssue[]> {
    this.#behind.clear();
    const answers = [this.#builtIn.prepare(this.#partOf(description, null))];
    for (const plugin of this.#plugins) answers.push(this.#preparePlugin(plugin, description));
    const settled = await Promise.allSettled(answers);
    const issues = settled.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    const failure = settled.find((answer) => answer.status === 'rejected');
    if (issues.length > 0 || failure !== undefined) {
      for (const group of this.#groups()) group.abandon();
      if (failure !== undefined) throw failure.reason;
      return issues;
    }
    this.#prepared = description;
    return [];
  }

  async commit(): Promise<void> {
    const description = this.#prepared;
    if (description === null) throw new Error('commit without a successful prepare');
    this.#prepared = null;
    this.#current = description;
    const groups = this.#groups().filter((group) => !this.#behind.has(group));
    for (const plugin of this.#plugins) {
      if (this.#behind.has(plugin.group)) plugin.group.adopt(this.#partOf(description, plugin));
    }
    await Promise.all(groups.map((group) => group.commit()));
  }

  /**
   * Loads the plugin anew and lets it take over; the one before serves its callers until they go. Resolves with true when it did;
   * false: it cannot be used, which is logged, and nothing changed. Not to be called between `prepare` and `commit`.
   */
  async replace(reference: PluginReference): Promise<boolean> {
    const index = this.#plugins.findIndex((plugin) => plugin.reference === reference);
    const before = this.#plugins[index]!;
    this.#refused.delete(reference);
    let next: PluginGroup | null = null;
    let fault: object | null;
    try {
      next = await this.#start(reference);
      fault = await this.#takeOverFault(next, this.#plugins.with(index, next));
    } catch (error) {
      if (error instanceof PluginRefused) this.#refused.set(reference, error.files);
      fault = { reason: (error as Error).message };
    }
    if (next === null || fault !== null || this.#ending) {
      const fields = { plugin: reference.reference, ...fault };
      if (!this.#ending) this.#options.log.error(fields, 'plugin not reloaded, the one before goes on');
      await this.#giveUp(next?.group);
      return false;
    }
    this.#starting.delete(next.group);
    this.#plugins = this.#plugins.with(index, next);
    this.#options.log.info({ plugin: next.loaded.name, version: next.loaded.version }, 'plugin reloaded');
    void this.#leave(before.group);
    return true;
  }

  /** `next`, which is one of `plugins`, runs what the one before it does. Else why not; then it is of no use. */
  async #takeOverFault(next: PluginGroup, plugins: readonly PluginGroup[]): Promise<object | null> {
    const reason = doubledIn(plugins);
    if (reason !== null) return { reason };
    if (this.#current === null) return null;
    const issues = await next.group.prepare(this.#partOf(this.#current, next, plugins));
    if (issues.length > 0) return { issues };
    if (!this.#ending) await next.group.commit();
    return null;
  }

  /** Nothing is replaced any more. */
  async drain(deadlineMs: number): Promise<void> {
    this.#ending = true;
    await Promise.all([...this.#groups(), ...this.#leaving].map((group) => group.drain(deadlineMs)));
  }

  /** `plugin` null: what is built in. */
  async clusters(): Promise<{ plugin: string | null; worker: number; clusters: readonly ClusterStatus[] }[]> {
    const named = [
      { plugin: null, group: this.#builtIn },
      ...this.#plugins.map(({ group, loaded }) => ({ plugin: loaded.name, group })),
    ];
    const answers = named.map(async ({ plugin, group }) => {
      return (await group.clusters()).map((status) => ({ plugin, ...status }));
    });
    return (await Promise.all(answers)).flat();
  }

  /** Resolves when no worker writes any more to access logs that were renamed or deleted. */
  async reopenLogs(): Promise<void> {
    await Promise.all([...this.#groups(), ...this.#leaving].map((group) => group.reopenLogs()));
  }

  async close(): Promise<void> {
    this.#ending = true;
    await Promise.all([...this.#groups(), ...this.#leaving, ...this.#starting].map((group) => group.close()));
  }

  async #start(reference: PluginReference): Promise<PluginGroup> {
    const group = this.#options.createGroup(reference, this.#lives++);
    this.#starting.add(group);
    try {
      return { reference, group, loaded: await group.loaded };
    } catch (error) {
      await this.#giveUp(group);
      throw error;
    }
  }

  async #giveUp(group: WorkerGroup | undefined): Promise<void> {
    if (group === undefined) return;
    await group.close();
    this.#starting.delete(group);
  }

  async #leave(group: WorkerGroup): Promise<void> {
    this.#leaving.add(group);
    await group.drain(this.#options.drainDeadlineMs, QUIET_MS);
    await group.close();
    this.#leaving.delete(group);
  }

  async #preparePlugin(plugin: PluginGroup, description: RuntimeDescription): Promise<RuntimeIssue[]> {
    const { group, loaded } = plugin;
    // Only at the start is it worth waiting for.
    if (this.#current === null || group.isServing) {
      try {
        return await group.prepare(this.#partOf(description, plugin));
      } catch (error) {
        const fields = { plugin: loaded.name, reason: (error as Error).message };
        this.#options.log.error(fields, 'plugin did not prepare the change, it follows later');
      }
    }
    this.#behind.add(group);
    return [];
  }

  #groups(): WorkerGroup[] {
    return [this.#builtIn, ...this.#plugins.map(({ group }) => group)];
  }

  /** What one group runs: its listeners, and all clusters but those that only other groups' listeners name. */
  #partOf(
    description: RuntimeDescription,
    plugin: PluginGroup | null,
    plugins: readonly PluginGroup[] = this.#plugins,
  ): RuntimeDescription {
    if (plugins.length === 0) return description;
    const pluginOf = (protocol: string) => plugins.find(({ loaded }) => hasProtocol(loaded, protocol)) ?? null;
    const ownerOf = ({ chains }: ListenerDescription) =>
      chains.map((chain) => pluginOf(chain.protocol)).find((owner) => owner !== null) ?? null;
    const own = description.listeners.filter((listener) => ownerOf(listener) === plugin);
    const others = description.listeners.filter((listener) => ownerOf(listener) !== plugin);
    const ours = clustersOf(own);
    const theirs = clustersOf(others);
    const clusters = description.clusters.filter(({ name, protocol }) => {
      const owner = protocol === null ? null : pluginOf(protocol);
      return (ours.has(name) || !theirs.has(name)) && (owner === null || owner === plugin);
    });
    return { ...description, listeners: own, clusters };
  }
}

function doubledIn(plugins: readonly PluginGroup[]): string | null {
  return doubledProtocol(
    plugins.map(({ reference, loaded }) => ({ reference: reference.reference, manifests: loaded.manifests })),
  );
}

function hasProtocol({ manifests }: LoadedPlugin, protocol: string): boolean {
  return manifests.some(({ name, aliases }) => name === protocol || aliases.includes(protocol));
}

function clustersOf(listeners: readonly ListenerDescription[]): Set<string> {
  const routes = listeners.flatMap(({ chains }) =>
    chains.flatMap((chain) => chain.routes.virtualHosts.flatMap((host) => host.routes)),
  );
  return new Set(routes.flatMap(({ clusters, mirrors }) => [...clusters, ...mirrors].map(({ cluster }) => cluster)));
}
