/** The control plane's ADS server and the proxy's client over real gRPC on loopback. */
import { Client, credentials } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { AdsServer } from '../../src/control/server/ads-server.ts';
import { SystemClock } from '../../src/metaprotocol/clock.ts';
import { AdsClient } from '../../src/proxy/ads-client.ts';
import type { Resources } from '../../src/proxy/ads-resources.ts';
import { grpcTransport } from '../../src/proxy/ads-transport.ts';
import type { ResourceRemark } from '../../src/proxy/resource-remark.ts';
import type { Message } from '../../src/xds/descriptor.ts';
import { aggregatedDiscoveryMethods, clientStatusMethods } from '../../src/xds/discovery.ts';
import type { XdsResource } from '../../src/xds/resource.ts';
import { TypeUrl } from '../../src/xds/type-urls.ts';
import { Xds } from '../../src/xds/xds.ts';
import { cluster, endpoints, listener, routes, testNode } from '../harness/xds-resources.ts';

const xds = Xds.load();
const silent = { info() {}, warn() {}, error() {} };
const v1 = [cluster('v1'), endpoints('v1', 9001), listener('thrift', 'thrift_9090'), routes('thrift_9090', 'v1')];
const v2 = [cluster('v2'), endpoints('v2', 9002), listener('thrift', 'thrift_9090'), routes('thrift_9090', 'v2')];

class TestProxy {
  readonly states: Resources[] = [];
  readonly client: AdsClient;
  connections: boolean[] = [];
  judge: (resources: Resources) => ResourceRemark[] = () => [];

  constructor(id: string, port: number, protocol: 'delta' | 'sotw') {
    this.client = new AdsClient({
      xds,
      node: testNode(id),
      transport: grpcTransport(`127.0.0.1:${port}`, xds.descriptor),
      protocol,
      clock: new SystemClock(),
      random: () => 0.5,
      log: silent,
      initial: null,
      onUpdate: async (resources) => {
        this.states.push(resources);
        const refused = this.judge(resources);
        if (refused.length === 0) this.client.reportLive(resources, []);
        return refused;
      },
      onConnection: (connected) => this.connections.push(connected),
      limits: { backoffMs: 20, backoffMsMax: 50 },
    });
    this.client.start();
  }

  names(typeUrl: string): string[] {
    return [...(this.states.at(-1)?.get(typeUrl)?.keys() ?? [])].sort();
  }
}

const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0).reverse()) one.close();
});

async function startServer(resources: readonly XdsResource[], port = 0) {
  const source = { resources, generate: () => source.resources };
  const server = new AdsServer({ xds, source, log: silent });
  open.push(server);
  const address = await server.listen({ host: '127.0.0.1', port, insecure: false });
  return { server, source, port: address.port };
}

function startProxy(id: string, port: number, protocol: 'delta' | 'sotw' = 'delta'): TestProxy {
  const proxy = new TestProxy(id, port, protocol);
  open.push(proxy.client);
  return proxy;
}

describe.each(['delta', 'sotw'] as const)('ADS over gRPC, %s', (protocol) => {
  it('brings a complete state, follows a change, and shows what is acknowledged and live', async () => {
    const { server, source, port } = await startServer(v1);
    const proxy = startProxy('p1', port, protocol);
    await expect.poll(() => proxy.names(TypeUrl.RouteConfiguration)).toEqual(['thrift_9090']);
    expect(proxy.names(TypeUrl.ClusterLoadAssignment)).toEqual(['v1']);
    source.resources = v2;
    server.changed();
    await expect.poll(() => proxy.names(TypeUrl.Cluster)).toEqual(['v2']);
    // Every state on the way was closed over its references.
    for (const state of proxy.states) {
      const route = state.get(TypeUrl.RouteConfiguration)?.get('thrift_9090');
      if (route === undefined) continue;
      const named = JSON.stringify(route.value).includes('"v2"') ? 'v2' : 'v1';
      expect(state.get(TypeUrl.Cluster)!.has(named)).toBe(true);
      expect(state.get(TypeUrl.ClusterLoadAssignment)!.has(named)).toBe(true);
    }
    await expect
      .poll(() =>
        server
          .clients()[0]!
          .resources.map(({ name, state, version, liveVersion }) => [name, state, version === liveVersion]),
      )
      .toEqual([
        ['v2', 'acknowledged', true],
        ['v2', 'acknowledged', true],
        ['thrift', 'acknowledged', true],
        ['thrift_9090', 'acknowledged', true],
      ]);
    expect(server.clients()[0]).toMatchObject({ protocol, node: { id: 'p1', labels: { app: 'client' } } });
  });

  it('keeps what it has while the control plane is away, and follows the next one', async () => {
    const first = await startServer(v1);
    const proxy = startProxy('p1', first.port, protocol);
    await expect.poll(() => proxy.names(TypeUrl.Listener)).toEqual(['thrift']);
    const before = proxy.states.length;
    first.server.close();
    await expect.poll(() => proxy.connections).toEqual([true, false]);
    const second = await startServer(v1, first.port);
    await expect.poll(() => proxy.connections).toEqual([true, false, true]);
    await expect
      .poll(() =>
        second.server
          .clients()[0]
          ?.resources.every(({ state, liveVersion }) => state === 'acknowledged' && liveVersion !== null),
      )
      .toBe(true);
    // The same versions from another process are no news.
    expect(proxy.states.length).toBe(before);
    second.source.resources = v2;
    second.server.changed();
    await expect.poll(() => proxy.names(TypeUrl.Cluster)).toEqual(['v2']);
  });

  it('names the refused resource, applies the others, and keeps its clusters', async () => {
    const { server, source, port } = await startServer(v1);
    const proxy = startProxy('p1', port, protocol);
    await expect.poll(() => proxy.names(TypeUrl.Listener)).toEqual(['thrift']);
    proxy.judge = (resources) =>
      JSON.stringify(resources.get(TypeUrl.RouteConfiguration)?.get('thrift_9090')?.value ?? '').includes('"v2"')
        ? [{ typeUrl: TypeUrl.RouteConfiguration, name: 'thrift_9090', message: 'no such method' }]
        : [];
    source.resources = [...v2, cluster('other'), endpoints('other', 9003)];
    server.changed();
    await expect
      .poll(() =>
        server.clients()[0]!.resources.map(({ name, state, rejection }) => [name, state, rejection?.message ?? '']),
      )
      .toEqual([
        ['v2', 'acknowledged', ''],
        ['other', 'acknowledged', ''],
        ['v1', 'acknowledged', ''],
        ['v2', 'acknowledged', ''],
        ['other', 'acknowledged', ''],
        ['v1', 'acknowledged', ''],
        ['thrift', 'acknowledged', ''],
        ['thrift_9090', 'rejected', 'no such method'],
      ]);
    expect(proxy.names(TypeUrl.Cluster)).toEqual(['other', 'v1', 'v2']);
  });
});

describe('AdsServer', () => {
  it('listens in plaintext on loopback only, unless told to', async () => {
    const server = new AdsServer({ xds, source: { generate: () => [] }, log: silent });
    open.push(server);
    await expect(server.listen({ host: '0.0.0.0', port: 0, insecure: false })).rejects.toThrow(
      '0.0.0.0:0 can be reached from other machines',
    );
    await expect(server.listen({ host: '127.0.0.1', port: 0, insecure: false })).resolves.toMatchObject({
      host: '127.0.0.1',
    });
    await expect(server.listen({ host: '0.0.0.0', port: 0, insecure: true })).resolves.toMatchObject({
      host: '0.0.0.0',
    });
  });

  it('serves many clients, each with its own resources', async () => {
    const server = new AdsServer({
      xds,
      source: { generate: ({ id }) => [cluster(`of-${id}`), endpoints(`of-${id}`, 1)] },
      log: silent,
    });
    open.push(server);
    const { port } = await server.listen({ host: '127.0.0.1', port: 0, insecure: false });
    const proxies = Array.from({ length: 20 }, (_, index) =>
      startProxy(`p${index}`, port, index % 2 === 0 ? 'delta' : 'sotw'),
    );
    await expect
      .poll(() => proxies.map((proxy) => proxy.names(TypeUrl.Cluster)))
      .toEqual(proxies.map((_, index) => [`of-p${index}`]));
    expect(server.clients()).toHaveLength(20);
    proxies[0]!.client.close();
    await expect.poll(() => server.clients()).toHaveLength(19);
  });

  it('ends a stream whose first request does not say who asks', async () => {
    const { port } = await startServer(v1);
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    open.push(client);
    const { path, requestSerialize, responseDeserialize } = aggregatedDiscoveryMethods(
      xds.descriptor,
    ).deltaAggregatedResources;
    const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    const failed = new Promise<Error>((resolve) => call.on('error', resolve));
    call.write({
      typeUrl: TypeUrl.Cluster,
      resourceNamesSubscribe: [],
      resourceNamesUnsubscribe: [],
      initialResourceVersions: {},
      responseNonce: '',
    });
    expect((await failed).message).toBe('3 INVALID_ARGUMENT: the first request of a stream must carry a node');
  });

  it('tells CSDS tools the state of each resource', async () => {
    const { server, port } = await startServer(v1);
    const proxy = startProxy('p1', port);
    proxy.judge = () => [{ typeUrl: TypeUrl.Listener, name: 'thrift', message: 'no such codec' }];
    await expect
      .poll(() => server.clients()[0]?.resources.map(({ state }) => state))
      .toEqual(['acknowledged', 'acknowledged', 'rejected', 'acknowledged']);
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    open.push(client);
    const { path, requestSerialize, responseDeserialize } = clientStatusMethods(xds.descriptor).fetchClientStatus;
    const response = await new Promise<Message>((resolve, reject) => {
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, {}, (error, value) =>
        error === null ? resolve(value!) : reject(error),
      );
    });
    expect(xds.messageToJson('envoy.service.status.v3.ClientStatusResponse', response)).toMatchObject({
      config: [
        {
          node: { id: 'p1' },
          genericXdsConfigs: [
            { name: 'v1', configStatus: 'SYNCED', clientStatus: 'ACKED' },
            { name: 'v1' },
            { name: 'thrift', configStatus: 'ERROR', clientStatus: 'NACKED', errorState: { details: 'no such codec' } },
            { name: 'thrift_9090' },
          ],
        },
      ],
    });
  });
});
