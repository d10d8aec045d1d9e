import { describe, expect, it } from 'vitest';
import { fullRoute } from '../../../test/harness/mesh.ts';
import type { RuntimeIssue } from '../../metaprotocol/compile.ts';
import {
  type ClusterDescription,
  type ListenerDescription,
  type RuntimeDescription,
  weightedCluster,
} from '../../metaprotocol/description.ts';
import type { ProtocolManifest } from '../../metaprotocol/manifest.ts';
import { recordingLog } from '../testing/recording-log.ts';
import type { WorkerGroup } from './worker-group.ts';
import { WorkerGroups } from './worker-groups.ts';
import type { LoadedPlugin } from './worker-messages.ts';

/** A group that writes down what it is told. */
class FakeGroup {
  readonly said: string[] = [];
  issues: RuntimeIssue[] = [];
  failure: Error | null = null;
  isServing = true;
  drained = Promise.resolve();
  readonly #load = Promise.withResolvers<LoadedPlugin>();
  readonly loaded = this.#load.promise;

  constructor(protocol: string | null) {
    const manifests = [{ name: protocol, aliases: [`${protocol}-alias`] }] as unknown as ProtocolManifest[];
    const plugin = { name: `${protocol}`, version: '1.0.0', manifests, files: [] };
    if (protocol === 'bad') this.#load.reject(new Error('no such file'));
    else if (protocol !== 'slow') this.#load.resolve(plugin);
    if (protocol === 'dying') this.failure = new Error('a worker ended while it prepared the change');
    this.loaded.catch(() => {});
  }

  async prepare({ listeners, clusters }: RuntimeDescription): Promise<RuntimeIssue[]> {
    this.said.push(`prepare ${[...listeners, ...clusters].map(({ name }) => name)}`);
    if (this.failure !== null) throw this.failure;
    return this.issues;
  }

  async commit(): Promise<void> {
    this.said.push('commit');
  }

  abandon(): void {
    this.said.push('abandon');
  }

  adopt({ listeners }: RuntimeDescription): void {
    this.said.push(`adopt ${listeners.map(({ name }) => name)}`);
  }

  drain(deadlineMs: number, quietMs = 0): Promise<void> {
    this.said.push(`drain ${deadlineMs} ${quietMs}`);
    return this.drained;
  }

  async reopenLogs(): Promise<void> {
    this.said.push('reopen logs');
  }

  async close(): Promise<void> {
    this.said.push('close');
    this.#load.reject(new Error('closed before it was loaded'));
  }
}

function listener(name: string, protocol: string, cluster: string): ListenerDescription {
  const route = fullRoute({ clusters: [weightedCluster(cluster)] }, 0);
  const routes = { name, virtualHosts: [{ name, domains: ['*'], routes: [route] }] };
  return { name, chains: [{ protocol, routes }] } as unknown as ListenerDescription;
}

const cluster = (name: string, protocol: string | null = null) => ({ name, protocol }) as ClusterDescription;

const DESCRIPTION: RuntimeDescription = {
  version: '1',
  listeners: [
    listener('wind', 'thrift', 'a'),
    listener('echo', 'echo-rpc', 'b'),
    listener('alias', 'echo-rpc-alias', 'a'),
  ],
  clusters: [cluster('a'), cluster('b'), cluster('spare'), cluster('spare-echo', 'echo-rpc')],
};

function groupsOf(...protocols: string[]) {
  const log = recordingLog();
  const made: FakeGroup[] = [];
  const next = [...protocols];
  const groups = new WorkerGroups({
    plugins: protocols.map((reference) => ({ reference, directory: '/' })),
    createGroup: (plugin) => {
      const group = new FakeGroup(plugin === null ? null : (next.shift() ?? plugin.reference));
      made.push(group);
      return group as unknown as WorkerGroup;
    },
    log,
    drainDeadlineMs: 5_000,
  });
  return { groups, log, made, next };
}

async function bench(...protocols: string[]) {
  const made = groupsOf(...protocols);
  await made.groups.load();
  return made;
}

describe('WorkerGroups', () => {
  it('gives each group its listeners, with the clusters that only others use left out', async () => {
    const { groups, made } = await bench('echo-rpc');
    expect(await groups.prepare(DESCRIPTION)).toEqual([]);
    await groups.commit();
    expect(made.map(({ said }) => said)).toEqual([
      ['prepare wind,a,spare', 'commit'],
      ['prepare echo,alias,a,b,spare,spare-echo', 'commit'],
    ]);
  });

  it('changes nothing anywhere when one group has an issue', async () => {
    const { groups, made } = await bench('echo-rpc');
    const issue: RuntimeIssue = { kind: 'listener', name: 'echo', path: '', message: 'no' };
    made[1]!.issues = [issue];
    expect(await groups.prepare(DESCRIPTION)).toEqual([issue]);
    expect(made.map(({ said }) => said.at(-1))).toEqual(['abandon', 'abandon']);
    await expect(groups.commit()).rejects.toThrow('without a successful prepare');
  });

  it('refuses two plugins with one protocol, at the start and when one is replaced', async () => {
    const twice = 'protocol echo-rpc is provided by plugin echo-rpc and again by plugin';
    await expect(bench('echo-rpc', 'echo-rpc')).rejects.toThrow(`${twice} echo-rpc`);
    const { groups, next, log } = await bench('echo-rpc', 'other');
    next.push('echo-rpc');
    expect(await groups.replace(groups.loaded[1]!.reference)).toBe(false);
    expect(groups.loaded[1]!.loaded.manifests.map(({ name }) => name)).toEqual(['other']);
    expect(log.entries.map(([, fields]) => fields)).toEqual([{ plugin: 'other', reason: `${twice} other` }]);
  });

  it('waits for no plugin that is not there: it follows when it is', async () => {
    const { groups, made, log } = await bench('echo-rpc', 'other');
    await groups.prepare(DESCRIPTION);
    await groups.commit();
    made[1]!.failure = new Error('a worker ended while it prepared the change');
    made[2]!.isServing = false;
    expect(await groups.prepare({ ...DESCRIPTION, version: '2' })).toEqual([]);
    await groups.commit();
    expect(made[0]!.said.at(-1)).toBe('commit');
    expect(made[1]!.said.at(-1)).toBe('adopt echo,alias');
    expect(made[2]!.said.at(-1)).toBe('adopt ');
    expect(log.entries.map(([level, , text]) => [level, text])).toEqual([
      ['error', 'plugin did not prepare the change, it follows later'],
    ]);
  });

  it('passes on that the built-in workers died of a change', async () => {
    const { groups, made } = await bench('echo-rpc');
    made[0]!.failure = new Error('died');
    await expect(groups.prepare(DESCRIPTION)).rejects.toThrow('died');
    expect(made[1]!.said.at(-1)).toBe('abandon');
  });

  it('replaces a plugin: the new one serves before the old one drains', async () => {
    const { groups, made } = await bench('echo-rpc');
    await groups.prepare(DESCRIPTION);
    await groups.commit();
    expect(await groups.replace(groups.loaded[0]!.reference)).toBe(true);
    expect(made[2]!.said).toEqual(['prepare echo,alias,a,b,spare,spare-echo', 'commit']);
    expect(made[1]!.said.slice(2)).toEqual(['drain 5000 1000', 'close']);
    await groups.prepare(DESCRIPTION);
    expect(made[2]!.said.at(-1)).toBe('prepare echo,alias,a,b,spare,spare-echo');
  });

  it('reopens the logs of those that still leave, too', async () => {
    const { groups, made } = await bench('echo-rpc');
    made[1]!.drained = new Promise(() => {});
    expect(await groups.replace(groups.loaded[0]!.reference)).toBe(true);
    await groups.reopenLogs();
    expect(made.map(({ said }) => said.at(-1))).toEqual(['reopen logs', 'reopen logs', 'reopen logs']);
  });

  it('keeps the plugin that runs when the new one cannot be loaded', async () => {
    const { groups, made, next, log } = await bench('echo-rpc');
    next.push('bad');
    expect(await groups.replace(groups.loaded[0]!.reference)).toBe(false);
    expect(made[1]!.said).toEqual([]);
    expect(made[2]!.said).toEqual(['close']);
    expect(log.entries).toEqual([
      ['error', { plugin: 'echo-rpc', reason: 'no such file' }, 'plugin not reloaded, the one before goes on'],
    ]);
  });

  it('keeps the plugin that runs when the new one dies of what runs', async () => {
    const { groups, made, next, log } = await bench('echo-rpc');
    await groups.prepare(DESCRIPTION);
    await groups.commit();
    next.push('dying');
    expect(await groups.replace(groups.loaded[0]!.reference)).toBe(false);
    expect(made[2]!.said).toEqual(['prepare spare,spare-echo', 'close']);
    expect(log.entries.map(([, fields]) => fields)).toEqual([
      { plugin: 'echo-rpc', reason: 'a worker ended while it prepared the change' },
    ]);
  });

  it.each(['drain', 'close'] as const)('%s ends a reload: nobody takes over any more', async (how) => {
    const { groups, made, next, log } = await bench('echo-rpc');
    next.push('slow');
    const replaced = groups.replace(groups.loaded[0]!.reference);
    await (how === 'drain' ? groups.drain(0) : groups.close());
    await groups.close();
    expect(await replaced).toBe(false);
    expect(made[2]!.said).toContain('close');
    expect(log.entries).toEqual([]);
  });

  it('does not start with a plugin that cannot be loaded, and leaves none of the others', async () => {
    const { groups, made } = groupsOf('echo-rpc', 'bad', 'slow');
    await expect(groups.load()).rejects.toThrow('no such file');
    await groups.close();
    expect(made.map(({ said }) => said.includes('close'))).toEqual([true, true, true, true]);
  });
});
