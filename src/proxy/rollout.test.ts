import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/harness/fake-clock.ts';
import type { RuntimeIssue } from '../metaprotocol/compile.ts';
import type { RuntimeDescription } from '../metaprotocol/description.ts';
import type { JsonObject } from '../xds/json.ts';
import type { VersionedResource } from '../xds/resource.ts';
import { TypeUrl } from '../xds/type-urls.ts';
import { type PemUnit, pemUnitsOf, type TlsPlan } from './describe/tls.ts';
import { Rollout, type RolloutResult } from './rollout.ts';
import { recordingLog } from './testing/recording-log.ts';
import { Fixtures, resources, running } from './testing/resources.ts';
import type { OwnedTls } from './tls-materials.ts';

const fixtures = new Fixtures();
const listener = fixtures.listener('L', 1_000, 'R');
const routes = fixtures.routesTo('R', 'C');
const cluster = fixtures.cluster('C');
const endpoints = fixtures.endpoints('C', 9);
const good = running(listener, routes, cluster, endpoints);

/** Refuses what it is told to refuse; commits when told to. */
class FakeGroup {
  readonly prepared: RuntimeDescription[] = [];
  readonly running: RuntimeDescription[] = [];
  issuesOf: (description: RuntimeDescription) => RuntimeIssue[] = () => [];
  commits: PromiseWithResolvers<void>[] = [];
  holdsCommits = false;

  async prepare(description: RuntimeDescription): Promise<RuntimeIssue[]> {
    this.prepared.push(description);
    return this.issuesOf(description);
  }

  commit(): Promise<void> {
    this.running.push(this.prepared.at(-1)!);
    const done = Promise.withResolvers<void>();
    this.commits.push(done);
    if (!this.holdsCommits) done.resolve();
    return done.promise;
  }
}

function bench() {
  const group = new FakeGroup();
  const addresses = new Map<string, string[]>();
  const names = { watch: async () => {}, addressesOf: (host: string) => addresses.get(host) ?? [] };
  const log = recordingLog();
  const clock = new FakeClock();
  const missing = new Set<string>();
  const missingOf = (plan: TlsPlan) =>
    pemUnitsOf(plan).flatMap(([source]) => {
      const { file } = source as { file: string };
      return missing.has(file) ? [file] : [];
    });
  const tls = {
    load: async (owned: readonly OwnedTls[]) =>
      owned.flatMap(({ tls: plan, ...owner }) =>
        missingOf(plan).map((file) => ({ ...owner, message: `TLS: ${file}: ENOENT` })),
      ),
    isUsable: (plan: TlsPlan) => missingOf(plan).length === 0,
    use: () => {},
    textsOf: (unit: PemUnit) => unit.map(() => 'PEM'),
  };
  const revised: RolloutResult[] = [];
  const rollout = new Rollout({
    group,
    names,
    tls,
    encode: (resource) => fixtures.xds.encodeResource(resource),
    log,
    clock,
    onRevised: (result) => revised.push(result),
  });
  return { group, addresses, log, clock, revised, missing, rollout };
}

/** A listener with a chain for each of these certificate files. */
function secure(...files: readonly string[]): VersionedResource {
  const [chain] = listener.value.filterChains as [JsonObject];
  return fixtures.listener('L', 1_000, 'R', {
    filterChains: files.map((filename) => ({
      ...chain,
      name: filename,
      filterChainMatch: { serverNames: [filename] },
      transportSocket: {
        name: 'tls',
        typedConfig: {
          '@type': TypeUrl.DownstreamTlsContext,
          commonTlsContext: { tlsCertificates: [{ certificateChain: { filename }, privateKey: { filename } }] },
        },
      },
    })),
  });
}

const issue = (kind: RuntimeIssue['kind'], name: string): RuntimeIssue => ({ kind, name, path: 'p', message: 'no' });

describe('Rollout', () => {
  it('prepares, then commits, then is live', async () => {
    const { group, rollout } = bench();
    group.holdsCommits = true;
    const result = await rollout.apply(good);
    expect(result.refused).toEqual([]);
    expect(result.used).toEqual(good);
    let live = false;
    void result.live.then(() => {
      live = true;
    });
    await new Promise(setImmediate);
    expect(live).toBe(false);
    group.commits[0]!.resolve();
    await result.live;
    expect(group.running).toHaveLength(1);
  });

  it('leaves out alone what the workers cannot run', async () => {
    const { group, rollout } = bench();
    await rollout.apply(good);
    const bad = fixtures.listener('bad', 2_000, 'R');
    group.issuesOf = ({ listeners }) =>
      listeners.some(({ name }) => name === 'bad') ? [issue('listener', 'bad')] : [];
    const newer = fixtures.endpoints('C', 10);
    const result = await rollout.apply(resources(listener, bad, routes, cluster, newer));
    expect(result.refused).toEqual([{ typeUrl: TypeUrl.Listener, name: 'bad', message: 'p: no' }]);
    expect(group.running.at(-1)!.listeners.map(({ name }) => name)).toEqual(['L']);
    expect(group.running.at(-1)!.clusters[0]!.endpoints).toMatchObject([{ port: 10 }]);
  });

  it('goes back to the last good routes, and drops a listener that cannot run in any version', async () => {
    const { group, rollout } = bench();
    await rollout.apply(good);
    const badRoutes = fixtures.routes('R', [{ name: 'bad', match: { prefix: '/' }, route: { cluster: 'C' } }]);
    group.issuesOf = ({ listeners }) => {
      const [listener] = listeners;
      return listener!.chains[0]!.routes.virtualHosts[0]!.routes[0]!.name === 'bad' ? [issue('routes', 'R')] : [];
    };
    const changed = resources(listener, badRoutes, cluster, fixtures.endpoints('C', 10));
    expect((await rollout.apply(changed)).refused).toMatchObject([{ typeUrl: TypeUrl.RouteConfiguration, name: 'R' }]);
    expect(group.running.at(-1)!.listeners[0]!.chains[0]!.routes.virtualHosts[0]!.routes[0]!.name).toBe('all');
    group.issuesOf = ({ listeners }) => (listeners.length > 0 ? [issue('listener', 'L')] : []);
    const result = await rollout.apply(resources(listener, routes, cluster, fixtures.endpoints('C', 11)));
    expect(result.refused).toMatchObject([{ typeUrl: TypeUrl.Listener, name: 'L' }]);
    expect(group.running.at(-1)!.listeners).toEqual([]);
  });

  it('leaves out chains without a certificate where there is nothing better to go back to', async () => {
    const { group, rollout, log, missing } = bench();
    const chains = () => group.running.at(-1)!.listeners.flatMap(({ chains }) => chains.map(({ name }) => name));
    missing.add('new');
    const first = await rollout.apply(resources(secure('a', 'new'), routes, cluster, endpoints));
    expect([first.refused, first.notes]).toEqual([
      [],
      [{ typeUrl: TypeUrl.Listener, name: 'L', message: 'TLS: new: ENOENT' }],
    ]);
    expect(chains()).toEqual(['a']);
    expect(log.entries.filter(([level]) => level === 'warn')).toHaveLength(1);
    // A version that ran in part is nothing better.
    await rollout.apply(resources(secure('a', 'b', 'new'), routes, cluster, endpoints));
    expect(chains()).toEqual(['a', 'b']);
    missing.clear();
    rollout.refresh();
    await new Promise(setImmediate);
    expect(chains()).toEqual(['a', 'b', 'new']);
    missing.add('c');
    const worse = await rollout.apply(resources(secure('a', 'c'), routes, cluster, endpoints));
    expect(worse.refused).toMatchObject([{ name: 'L', message: 'TLS: c: ENOENT' }]);
    expect(chains()).toEqual(['a', 'b', 'new']);
  });

  it('refuses a listener none of whose chains has a certificate', async () => {
    const { group, rollout, missing } = bench();
    missing.add('new');
    const result = await rollout.apply(resources(secure('new'), routes, cluster, endpoints));
    expect(result.refused).toMatchObject([{ name: 'L' }]);
    expect(group.running.at(-1)!.listeners).toEqual([]);
  });

  it('lays a table that a listener carries at the listener', async () => {
    const { group, rollout } = bench();
    const typedConfig = { '@type': TypeUrl.TcpProxy, statPrefix: 't', cluster: 'C' };
    const tcp = fixtures.listener('T', 3_000, '', {
      filterChains: [{ name: 'own', filters: [{ name: 'f', typedConfig }] }],
    });
    group.issuesOf = ({ listeners }) => (listeners.some(({ name }) => name === 'T') ? [issue('routes', 'own')] : []);
    const result = await rollout.apply(resources(listener, routes, cluster, endpoints, tcp));
    expect(result.refused).toMatchObject([{ typeUrl: TypeUrl.Listener, name: 'T' }]);
  });

  it('refuses all that changed when preparing fails by a defect', async () => {
    const { group, rollout, log } = bench();
    await rollout.apply(good);
    group.issuesOf = ({ clusters }) => {
      if (clusters.length > 1) throw new Error('defect');
      return [];
    };
    const result = await rollout.apply(resources(listener, routes, cluster, endpoints, fixtures.cluster('D')));
    expect(result.refused).toEqual([{ typeUrl: TypeUrl.Cluster, name: 'D', message: 'internal error: defect' }]);
    expect(result.used).toEqual(good);
    expect(log.entries.map(([level]) => level)).toContain('error');
  });

  it('asks the workers only when something is different for them', async () => {
    const { group, rollout } = bench();
    await rollout.apply(good);
    await rollout.apply(resources(listener, routes, cluster, endpoints, fixtures.routesTo('unused', 'C')));
    expect(group.prepared).toHaveLength(1);
  });

  it('rolls again when a name has other addresses, after the change before is live', async () => {
    const { group, rollout, addresses, revised } = bench();
    const assignment = {
      clusterName: 'C',
      endpoints: [{ lbEndpoints: [{ endpoint: { address: { socketAddress: { address: 'db', portValue: 5 } } } }] }],
    };
    addresses.set('db', ['10.0.0.1']);
    group.holdsCommits = true;
    await rollout.apply(resources(fixtures.cluster('C', { type: 'STRICT_DNS', loadAssignment: assignment })));
    addresses.set('db', ['10.0.0.2']);
    rollout.refresh();
    await new Promise(setImmediate);
    expect(group.prepared).toHaveLength(1);
    group.commits[0]!.resolve();
    await new Promise(setImmediate);
    expect(group.running.at(-1)!.clusters[0]!.endpoints).toMatchObject([{ host: '10.0.0.2' }]);
    expect(revised).toHaveLength(1);
  });

  it('tries an address again that another process held', async () => {
    const { group, rollout, clock, revised, log } = bench();
    group.issuesOf = ({ listeners }) => (listeners.length > 0 ? [{ ...issue('listener', 'L'), path: 'bind' }] : []);
    expect((await rollout.apply(good)).refused).toMatchObject([{ name: 'L' }]);
    const logged = log.entries.length;
    clock.advance(2_000);
    await new Promise(setImmediate);
    expect(revised).toEqual([]);
    expect(log.entries).toHaveLength(logged);
    group.issuesOf = () => [];
    clock.advance(2_000);
    await new Promise(setImmediate);
    expect(revised).toMatchObject([{ refused: [], used: good }]);
    expect(group.running.at(-1)!.listeners).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });
});
