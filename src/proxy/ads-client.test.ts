import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/harness/fake-clock.ts';
import { cluster, endpoints, listener, routes, testNode } from '../../test/harness/xds-resources.ts';
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
  LiveReport,
} from '../xds/discovery.ts';
import type { VersionedResource, XdsResource } from '../xds/resource.ts';
import { shortTypeName, TypeUrl } from '../xds/type-urls.ts';
import { Xds } from '../xds/xds.ts';
import { AdsClient } from './ads-client.ts';
import type { Resources } from './ads-resources.ts';
import type { AdsTransport } from './ads-transport.ts';
import type { ResourceRemark } from './resource-remark.ts';

const { Listener: LDS, RouteConfiguration: RDS, Cluster: CDS, ClusterLoadAssignment: EDS } = TypeUrl;
const xds = Xds.load();
const v1 = [cluster('v1'), endpoints('v1', 1), listener('web', 'r'), routes('r', 'v1')];

function encode(resource: XdsResource): VersionedResource {
  const result = xds.encodeResource(resource);
  if (!result.ok) throw new Error(JSON.stringify(result.issues));
  return result.resource;
}

function byType(resources: XdsResource[]): Resources {
  const all = new Map<string, Map<string, VersionedResource>>();
  for (const resource of resources.map(encode)) {
    const some = all.get(resource.typeUrl) ?? new Map();
    all.set(resource.typeUrl, some.set(resource.name, resource));
  }
  return all;
}

/** One connection as the control plane sees it. */
class FakeConnection {
  readonly requests: (DeltaDiscoveryRequest & DiscoveryRequest)[] = [];
  readonly reports: LiveReport[] = [];
  closed = false;
  #nonces = 0;
  readonly #onEnd: (reason: string) => void;
  #onDelta: (response: DeltaDiscoveryResponse) => void = () => undefined;
  #onSotw: (response: DiscoveryResponse) => void = () => undefined;

  constructor(onEnd: (reason: string) => void) {
    this.#onEnd = onEnd;
  }

  openDelta(onResponse: (response: DeltaDiscoveryResponse) => void): (request: DeltaDiscoveryRequest) => void {
    this.#onDelta = onResponse;
    return (request) => this.requests.push(request as DeltaDiscoveryRequest & DiscoveryRequest);
  }

  openSotw(onResponse: (response: DiscoveryResponse) => void): (request: DiscoveryRequest) => void {
    this.#onSotw = onResponse;
    return (request) => this.requests.push(request as DeltaDiscoveryRequest & DiscoveryRequest);
  }

  report(report: LiveReport): void {
    this.reports.push(report);
  }

  close(): void {
    this.closed = true;
  }

  break(reason: string): void {
    this.#onEnd(reason);
  }

  delta(typeUrl: string, resources: XdsResource[], removedResources: string[] = []): void {
    const encoded = resources.map(encode).map(({ name, version, any }) => ({ name, version, resource: any }));
    this.#onDelta({ typeUrl, nonce: `${++this.#nonces}`, systemVersionInfo: '', resources: encoded, removedResources });
  }

  raw(typeUrl: string, name: string, value: Buffer): void {
    const resources = [{ name, version: 'x', resource: { typeUrl, value } }];
    this.#onDelta({ typeUrl, nonce: `${++this.#nonces}`, systemVersionInfo: '', resources, removedResources: [] });
  }

  sotw(typeUrl: string, versionInfo: string, ...resources: XdsResource[]): void {
    this.#onSotw({
      typeUrl,
      nonce: `${++this.#nonces}`,
      versionInfo,
      resources: resources.map((one) => encode(one).any),
    });
  }

  /** Requests since the last call: `Cluster ack 1`, `ClusterLoadAssignment +v1`, `RouteConfiguration nack 3 r: bad`. */
  said(): string[] {
    return this.requests.splice(0).map((request) => {
      const { typeUrl, responseNonce, errorDetail } = request;
      const answer = responseNonce === '' ? [] : [errorDetail ? 'nack' : 'ack', responseNonce];
      const names = [
        ...(request.resourceNamesSubscribe ?? []).map((name) => `+${name}`),
        ...(request.resourceNamesUnsubscribe ?? []).map((name) => `-${name}`),
        ...(request.resourceNames ?? []).map((name) => `=${name}`),
      ];
      const refused = (errorDetail?.details ?? []).map(({ value }) => {
        const { name, message } = xds.decodeMessage(TypeUrl.ResourceError, value) as { name: string; message: string };
        return `${name}: ${message}`;
      });
      return [shortTypeName(typeUrl), ...answer, ...names, ...refused].join(' ');
    });
  }
}

class TestClient {
  readonly clock = new FakeClock();
  readonly connections: FakeConnection[] = [];
  readonly states: Resources[] = [];
  judge: (resources: Resources) => ResourceRemark[] = () => [];
  readonly client: AdsClient;

  constructor(protocol: 'delta' | 'sotw', initial: XdsResource[] | null = null) {
    const transport: AdsTransport = (onEnd) => {
      const connection = new FakeConnection(onEnd);
      this.connections.push(connection);
      return connection;
    };
    this.client = new AdsClient({
      xds,
      node: testNode('p1'),
      transport,
      protocol,
      clock: this.clock,
      // The longest pause of each attempt.
      random: () => 1,
      log: { info() {}, warn() {} },
      initial: initial === null ? null : byType(initial),
      onUpdate: async (resources) => {
        this.states.push(resources);
        return this.judge(resources);
      },
    });
    this.client.start();
  }

  get connection(): FakeConnection {
    return this.connections.at(-1)!;
  }

  /** Lets the client judge what came, and answer. */
  async settle(): Promise<void> {
    this.clock.advance(0);
    for (let turn = 0; turn < 10; turn++) await null;
    this.clock.advance(0);
    for (let turn = 0; turn < 10; turn++) await null;
  }

  names(typeUrl: string): string[] {
    return [...(this.states.at(-1)?.get(typeUrl)?.keys() ?? [])];
  }

  routeTo(): string {
    return JSON.stringify(this.states.at(-1)?.get(RDS)?.get('r')?.value).match(/"cluster":"(\w+)"/)?.[1] ?? '';
  }

  /** All of `v1`, acknowledged. */
  static async connected(): Promise<TestClient> {
    const test = new TestClient('delta');
    test.connection.delta(CDS, [v1[0]!]);
    test.connection.delta(LDS, [v1[2]!]);
    test.connection.delta(EDS, [v1[1]!]);
    test.connection.delta(RDS, [v1[3]!]);
    await test.settle();
    test.connection.said();
    return test;
  }
}

describe('subscriptions', () => {
  it('asks for all clusters and listeners, then for what they name, and answers when the state is complete', async () => {
    const test = new TestClient('delta');
    expect(test.connection.requests[0]?.node).toMatchObject({ id: 'p1', userAgentName: 'meltemi' });
    expect(test.connection.said()).toEqual(['Cluster', 'Listener']);
    test.connection.delta(CDS, [v1[0]!]);
    expect(test.connection.said()).toEqual(['ClusterLoadAssignment +v1']);
    test.connection.delta(LDS, [v1[2]!]);
    expect(test.connection.said()).toEqual(['RouteConfiguration +r']);
    await test.settle();
    test.connection.delta(EDS, [v1[1]!]);
    test.connection.delta(RDS, [v1[3]!]);
    await test.settle();
    expect([CDS, EDS, LDS, RDS].map((typeUrl) => test.names(typeUrl))).toEqual([['v1'], ['v1'], ['web'], ['r']]);
    expect(test.connection.said().sort()).toEqual([
      'Cluster ack 1',
      'ClusterLoadAssignment ack 3',
      'Listener ack 2',
      'RouteConfiguration ack 4',
    ]);
  });

  it('asks about its first state when all of it came, or a second passed', async () => {
    const test = new TestClient('delta');
    test.connection.delta(CDS, [v1[0]!]);
    test.connection.delta(LDS, [v1[2]!]);
    test.connection.delta(EDS, [v1[1]!]);
    await test.settle();
    expect(test.states).toEqual([]);
    expect(test.connection.said()).not.toContain('Cluster ack 1');
    test.clock.advance(1_000);
    await test.settle();
    expect(test.names(CDS)).toEqual(['v1']);
    test.connection.delta(RDS, [v1[3]!]);
    await test.settle();
    expect(test.states).toHaveLength(2);
  });

  it('ignores what it no longer asks for, and waits anew when it asks again', async () => {
    const test = await TestClient.connected();
    test.connection.delta(CDS, [cluster('v2')]);
    await test.settle();
    test.connection.delta(CDS, [], ['v2']);
    await test.settle();
    test.connection.delta(EDS, [endpoints('v2', 2)]);
    test.clock.advance(60_000);
    await test.settle();
    expect(test.names(EDS)).toEqual(['v1']);
    test.connection.delta(CDS, [cluster('v2')]);
    await test.settle();
    expect(test.names(CDS)).toEqual(['v1']);
  });

  it('keeps the object of a resource that comes again with the same bytes', async () => {
    const test = await TestClient.connected();
    const before = test.states.at(-1)!.get(CDS)!.get('v1');
    test.connection.delta(CDS, [cluster('v1'), cluster('v2')]);
    test.connection.delta(EDS, [endpoints('v2', 2)]);
    await test.settle();
    expect(test.names(CDS)).toEqual(['v1', 'v2']);
    expect(test.states.at(-1)!.get(CDS)!.get('v1')).toBe(before);
  });

  it('drops the names that nothing mentions any more', async () => {
    const test = await TestClient.connected();
    test.connection.delta(LDS, [], ['web']);
    test.connection.delta(CDS, [], ['v1']);
    await test.settle();
    expect(test.connection.said().sort()).toEqual([
      'Cluster ack 6',
      'ClusterLoadAssignment -v1',
      'Listener ack 5',
      'RouteConfiguration -r',
    ]);
    expect([CDS, LDS].map((typeUrl) => test.names(typeUrl))).toEqual([[], []]);
  });
});

describe('warming', () => {
  it('shows a new cluster and the routes to it together, when its endpoints came', async () => {
    const test = await TestClient.connected();
    test.connection.delta(CDS, [cluster('v2')]);
    test.connection.delta(RDS, [routes('r', 'v2')]);
    await test.settle();
    expect(test.routeTo()).toBe('v1');
    expect(test.names(CDS)).toEqual(['v1']);
    // Not answered yet: what becomes of them is not known.
    expect(test.connection.said()).toEqual(['ClusterLoadAssignment +v2']);
    test.connection.delta(EDS, [endpoints('v2', 2)]);
    await test.settle();
    expect(test.routeTo()).toBe('v2');
    expect(test.connection.said().sort()).toEqual([
      'Cluster ack 5',
      'ClusterLoadAssignment ack 7',
      'RouteConfiguration ack 6',
    ]);
  });

  it('answers after a second all the same, so that one cluster holds up no other', async () => {
    const test = await TestClient.connected();
    test.connection.delta(CDS, [cluster('slow')]);
    await test.settle();
    test.connection.said();
    test.clock.advance(1_000);
    await test.settle();
    expect(test.connection.said()).toEqual(['Cluster ack 5']);
    expect(test.names(CDS)).toEqual(['v1']);
  });

  it('goes on without endpoints that do not come, or do not exist', async () => {
    const test = await TestClient.connected();
    test.connection.delta(CDS, [cluster('slow'), cluster('gone')]);
    test.connection.delta(EDS, [], ['gone']);
    await test.settle();
    expect(test.names(CDS)).toEqual(['v1', 'gone']);
    test.clock.advance(15_000);
    await test.settle();
    expect(test.names(CDS)).toEqual(['v1', 'slow', 'gone']);
  });

  it('refuses a listener whose routes do not come', async () => {
    const test = await TestClient.connected();
    test.connection.delta(LDS, [listener('web', 'other')]);
    await test.settle();
    expect(test.names(RDS)).toEqual(['r']);
    expect(test.connection.said()).toEqual(['RouteConfiguration +other']);
    test.clock.advance(15_000);
    await test.settle();
    expect(test.connection.said()).toEqual(['Listener nack 5 web: route configuration "other" did not come']);
    // The listener is as it was, and its routes are followed.
    test.connection.delta(EDS, [endpoints('v1', 9)]);
    test.connection.delta(RDS, [routes('r', 'v1', 'v1')]);
    await test.settle();
    expect(JSON.stringify(test.states.at(-1)?.get(LDS)?.get('web')?.value)).toContain('"routeConfigName":"r"');
    expect(test.connection.said()).toEqual(['ClusterLoadAssignment ack 6', 'RouteConfiguration ack 7']);
  });
});

describe('NACK', () => {
  const refuse =
    (message: string) =>
    (resources: Resources): ResourceRemark[] =>
      [...(resources.get(RDS)?.values() ?? [])]
        .filter(({ value }) => JSON.stringify(value).includes('"v2"'))
        .map(({ name }) => ({ typeUrl: RDS, name, message }));

  it('names each bad resource, alone, and says so once', async () => {
    const test = await TestClient.connected();
    test.judge = refuse('no such method');
    test.connection.delta(CDS, [cluster('v2')]);
    test.connection.delta(EDS, [endpoints('v2', 2)]);
    test.connection.delta(RDS, [routes('r', 'v2')]);
    await test.settle();
    const nack = 'RouteConfiguration nack 7 r: no such method';
    expect(test.connection.said()).toEqual([
      'ClusterLoadAssignment +v2',
      'Cluster ack 5',
      'ClusterLoadAssignment ack 6',
      nack,
    ]);
    expect(test.client.refused).toMatchObject([{ typeUrl: RDS, name: 'r', message: 'no such method' }]);
    test.connection.delta(CDS, [cluster('v3')]);
    test.connection.delta(EDS, [endpoints('v3', 3)]);
    await test.settle();
    expect(test.connection.said()).toEqual([
      'ClusterLoadAssignment +v3',
      'Cluster ack 8',
      'ClusterLoadAssignment ack 9',
    ]);
  });

  it('is said behind the ACK when the fault shows late', async () => {
    const test = await TestClient.connected();
    test.judge = refuse('no such method');
    test.connection.delta(CDS, [cluster('v2')]);
    test.connection.delta(RDS, [routes('r', 'v2')]);
    await test.settle();
    test.clock.advance(1_000);
    await test.settle();
    expect(test.connection.said()).toEqual(['ClusterLoadAssignment +v2', 'Cluster ack 5', 'RouteConfiguration ack 6']);
    test.connection.delta(EDS, [endpoints('v2', 2)]);
    await test.settle();
    expect(test.connection.said()).toEqual([
      'ClusterLoadAssignment ack 7',
      'RouteConfiguration nack 6 r: no such method',
    ]);
  });

  it('does not blame a newer version that still waits', async () => {
    const test = await TestClient.connected();
    test.judge = () => [{ typeUrl: RDS, name: 'r', message: 'bad' }];
    test.connection.delta(RDS, [routes('r', 'v1', 'v1')]);
    await test.settle();
    test.connection.delta(CDS, [cluster('v2')]);
    test.connection.delta(RDS, [routes('r', 'v2')]);
    await test.settle();
    expect(test.connection.said()).toEqual(['RouteConfiguration nack 5 r: bad', 'ClusterLoadAssignment +v2']);
  });

  it('has bytes that are no such resource, and the version before stays', async () => {
    const test = await TestClient.connected();
    test.connection.raw(CDS, 'v1', Buffer.from([0x0a, 0x7f]));
    await test.settle();
    expect(test.connection.said()[0]).toMatch(/^Cluster nack 5 v1: 2 bytes are no envoy.config.cluster.v3.Cluster: /);
    expect(test.names(CDS)).toEqual(['v1']);
    test.connection.raw(CDS, 'other', encode(cluster('v1')).any.value);
    await test.settle();
    expect(test.connection.said()).toEqual(['Cluster nack 6 other: sent as Cluster "other", holds Cluster "v1"']);
  });

  it('covers the response when applying fails by a bug', async () => {
    const test = await TestClient.connected();
    test.judge = () => {
      throw new Error('undefined is not a function');
    };
    test.connection.delta(EDS, [endpoints('v1', 9)]);
    await test.settle();
    expect(test.connection.said()).toEqual([
      'ClusterLoadAssignment nack 5 v1: the proxy failed on this state: undefined is not a function',
    ]);
  });
});

describe('connection', () => {
  it('retries with growing, jittered pauses of 2 s at most, and starts over after a response', async () => {
    const test = new TestClient('delta');
    const pauses: number[] = [];
    for (let attempt = 0; attempt < 7; attempt++) {
      const before = test.clock.nowMs();
      const { length } = test.connections;
      test.connection.break('refused');
      while (test.connections.length === length) test.clock.advance(1);
      pauses.push(test.clock.nowMs() - before);
    }
    expect(pauses).toEqual([100, 200, 400, 800, 1600, 2000, 2000]);
    test.connection.delta(CDS, []);
    const { length } = test.connections;
    test.connection.break('gone');
    test.clock.advance(100);
    expect(test.connections).toHaveLength(length + 1);
  });

  it('gives up a connection that stays silent', () => {
    const test = new TestClient('delta');
    test.clock.advance(10_000);
    expect(test.connection.closed).toBe(true);
    test.clock.advance(100);
    expect(test.connections).toHaveLength(2);
    expect(test.connection.closed).toBe(false);
  });

  it('resumes with the versions it has, except of what it refused', async () => {
    const test = await TestClient.connected();
    test.judge = () => [{ typeUrl: RDS, name: 'r', message: 'bad' }];
    test.connection.delta(RDS, [routes('r', 'v1', 'v1')]);
    await test.settle();
    test.connection.break('gone');
    test.clock.advance(100);
    expect(
      test.connection.requests.map(({ typeUrl, initialResourceVersions }) => [
        shortTypeName(typeUrl),
        { ...initialResourceVersions },
      ]),
    ).toEqual([
      ['Cluster', { v1: encode(v1[0]!).version }],
      ['Listener', { web: encode(v1[2]!).version }],
      ['ClusterLoadAssignment', { v1: encode(v1[1]!).version }],
      ['RouteConfiguration', { r: '' }],
    ]);
    expect(test.connection.requests.map(({ node }) => node === null)).toEqual([false, true, true, true]);
  });

  it('starts from an earlier state, without a control plane', async () => {
    const test = new TestClient('delta', v1);
    test.connection.break('refused');
    await test.settle();
    expect(test.routeTo()).toBe('v1');
    expect(test.states).toHaveLength(1);
    // The control plane has the same: nothing to do.
    test.clock.advance(100);
    test.connection.delta(CDS, []);
    test.connection.delta(LDS, []);
    await test.settle();
    expect(test.states).toHaveLength(1);
    expect(test.connection.said().slice(-2)).toEqual(['Cluster ack 1', 'Listener ack 2']);
  });

  it('ends for good when closed', async () => {
    const test = await TestClient.connected();
    test.connection.delta(EDS, [endpoints('v1', 9)]);
    test.client.close();
    await test.settle();
    expect(test.connection.closed).toBe(true);
    expect(test.clock.pendingTimers).toBe(0);
  });
});

describe('live reports', () => {
  it('are whole on each connection and then tell what changed', async () => {
    const test = await TestClient.connected();
    const state = test.states.at(-1)!;
    test.client.reportLive(state, []);
    expect(test.connection.reports[0]?.live.map(({ name }) => name)).toEqual(['v1', 'v1', 'web', 'r']);
    test.client.reportLive(state, [{ typeUrl: RDS, name: 'r', message: 'mutations not carried: 12' }]);
    const { version } = state.get(RDS)!.get('r')!;
    expect(test.connection.reports[1]).toEqual({
      nodeId: 'p1',
      removed: [],
      live: [{ typeUrl: RDS, name: 'r', version, notes: ['mutations not carried: 12'] }],
    });
    test.client.reportLive(state, [{ typeUrl: RDS, name: 'r', message: 'mutations not carried: 12' }]);
    expect(test.connection.reports).toHaveLength(2);
    test.client.reportLive(new Map([...state, [RDS, new Map()]]), []);
    expect(test.connection.reports[2]).toMatchObject({ live: [], removed: [{ typeUrl: RDS, name: 'r' }] });
    test.connection.break('gone');
    test.clock.advance(100);
    expect(test.connection.reports).toEqual([]);
    test.connection.delta(CDS, []);
    expect(test.connection.reports[0]?.live).toHaveLength(3);
  });

  it('tell the parts of a resource that this proxy does not know', async () => {
    const test = await TestClient.connected();
    // Field 999, a varint.
    test.connection.raw(
      EDS,
      'v1',
      Buffer.concat([encode(endpoints('v1', 9)).any.value, Buffer.from([0xb8, 0x3e, 0x01])]),
    );
    await test.settle();
    test.client.reportLive(test.states.at(-1)!, []);
    const live = test.connection.reports[0]?.live.find(({ typeUrl }) => typeUrl === EDS);
    expect(live?.notes).toEqual([
      'not known to this proxy: unknown field number 999 of envoy.config.endpoint.v3.ClusterLoadAssignment',
    ]);
  });
});

describe('state of the world', () => {
  it('takes what is missing from LDS and CDS as removed, from RDS and EDS as unchanged', async () => {
    const test = new TestClient('sotw');
    expect(test.connection.said()).toEqual(['Cluster', 'Listener']);
    test.connection.sotw(CDS, 'c1', cluster('v1'), cluster('v2'));
    test.connection.sotw(EDS, 'e1', endpoints('v1', 1), endpoints('v2', 2));
    test.connection.sotw(LDS, 'l1', v1[2]!);
    test.connection.sotw(RDS, 'r1', v1[3]!);
    await test.settle();
    test.connection.said();
    test.connection.sotw(EDS, 'e2', endpoints('v1', 7));
    test.connection.sotw(CDS, 'c2', cluster('v1'));
    await test.settle();
    expect(test.names(CDS)).toEqual(['v1']);
    expect(test.names(LDS)).toEqual(['web']);
    expect(test.connection.said()).toEqual(['ClusterLoadAssignment ack 5 =v1', 'Cluster ack 6']);
  });

  it('acknowledges by version, and says the last accepted one in a NACK', async () => {
    const test = new TestClient('sotw');
    test.connection.sotw(CDS, 'c1', cluster('v1'));
    test.connection.sotw(LDS, 'l1');
    test.connection.sotw(EDS, 'e1', endpoints('v1', 1));
    await test.settle();
    test.connection.requests.length = 0;
    test.judge = () => [{ typeUrl: CDS, name: 'v1', message: 'bad' }];
    test.connection.sotw(CDS, 'c2', cluster('v1', '9s'));
    await test.settle();
    expect(test.connection.requests).toMatchObject([
      { typeUrl: CDS, versionInfo: 'c1', responseNonce: '4', errorDetail: { message: 'v1: bad' } },
    ]);
  });

  it('never answers a response by accident, when it subscribes while that one is open', async () => {
    const test = new TestClient('sotw');
    test.connection.sotw(CDS, 'c1');
    test.connection.sotw(LDS, 'l1', listener('web', 'r'));
    test.connection.sotw(RDS, 'r1', routes('r', 'v1'));
    await test.settle();
    test.connection.said();
    test.connection.sotw(CDS, 'c2', cluster('v1'));
    test.connection.sotw(RDS, 'r2', routes('r', 'v1', 'v1'));
    test.connection.sotw(LDS, 'l2', listener('web', 'r'), listener('two', 'r2'));
    expect(test.connection.said()).toEqual(['ClusterLoadAssignment =v1']);
    test.clock.advance(1_000);
    await test.settle();
    expect(test.connection.said()).toContain('RouteConfiguration ack 5 =r =r2');
  });
});
