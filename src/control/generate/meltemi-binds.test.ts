import { describe, expect, it } from 'vitest';
import {
  closedManifest,
  HOST,
  RULE,
  router,
  SERVICE,
  TestMesh,
  tcpManifest,
  testManifest,
  to,
} from '../../../test/harness/control-mesh.ts';
import { generateFor } from '../../../test/harness/generated.ts';
import type { NodeInfo } from '../../xds/node.ts';
import { TypeUrl } from '../../xds/type-urls.ts';
import type { Generated } from './generated.ts';

function generate(
  files: Record<string, string>,
  node: Partial<NodeInfo> = {},
  manifests = [testManifest(), tcpManifest()],
): Generated {
  const { mesh } = new TestMesh(manifests).apply(files);
  return generateFor(mesh, node);
}

function binds(generated: Generated): string[] {
  return generated.addresses.map(
    ({ direction, bind, host, listener }) => `${direction} ${bind.address}:${bind.port} ${host} ${listener}`,
  );
}

const at = (address: string): string => SERVICE.replace('127.0.10.1', address);

describe('where an outbound listener binds', () => {
  it("is the service's own address where that is local", () => {
    expect(binds(generate({ 's.yaml': at('192.0.2.7') }))).toEqual([`outbound 192.0.2.7:9090 ${HOST} 192.0.2.7_9090`]);
  });

  it('is a stable loopback address where it is not, or where the proxy wants that', () => {
    const [remote] = binds(generate({ 's.yaml': at('192.0.2.8') }));
    expect(remote).toMatch(/^outbound 127\.(6[4-9]|[789]\d|1[012]\d)\.\d+\.\d+:9090 echo\.\S+ 192\.0\.2\.8_9090$/);
    expect(binds(generate({ 's.yaml': at('192.0.2.8') }))).toEqual([remote]);
    expect(binds(generate({ 's.yaml': at('192.0.2.7') }, { bind: 'loopback' }))[0]).toMatch(
      /^outbound 127\.\d+\.\d+\.\d+:9090/,
    );
    expect(binds(generate({ 's.yaml': SERVICE }, { bind: 'loopback' }))[0]).toContain('127.0.10.1:9090');
  });

  it('is a stable port of 127.0.0.1 where only that is local', () => {
    const [listener] = binds(generate({ 's.yaml': SERVICE }, { localAddresses: ['127.0.0.1', '192.0.2.7'] }));
    expect(listener).toMatch(/^outbound 127\.0\.0\.1:[23]\d{4} /);
  });

  it('is a loopback address for a service without addresses, and then clients mean that', () => {
    const generated = generate({ 's.yaml': SERVICE.replace('  addresses: [127.0.10.1]\n', '') });
    const [address] = generated.addresses;
    expect(address!.listener).toBe(`${HOST}_9090`);
    const listener = generated.resources.find((resource) => resource.typeUrl === TypeUrl.Listener)!;
    expect(listener.value.metadata).toEqual({ filterMetadata: { 'meltemi.service_address': { ...address!.bind } } });
  });

  it('belongs to the first of two services with one address and port, as their resources say already', () => {
    const generated = generate({ 's.yaml': SERVICE, 'o.yaml': SERVICE.replaceAll('echo', 'other') });
    expect(binds(generated)).toEqual([`outbound 127.0.10.1:9090 ${HOST} 127.0.10.1_9090`]);
    expect(generated.notes).toEqual([]);
  });
});

describe('what a proxy sees', () => {
  it('follows exportTo', () => {
    const own = SERVICE.replace('addresses:', 'exportTo: ["."]\n  addresses:');
    expect(binds(generate({ 's.yaml': own }))).toEqual([]);
    expect(binds(generate({ 's.yaml': own }, { namespace: 'shop' }))).toHaveLength(1);
  });

  it('is nothing of a protocol whose codec it lacks, and the resource says so', () => {
    const generated = generate({ 's.yaml': SERVICE.replaceAll('metaprotocol-thrift', 'metaprotocol-echo') }, {}, [
      closedManifest('echo'),
    ]);
    expect([generated.resources, generated.notes]).toEqual([
      [],
      [
        {
          source: 'ServiceEntry/shop/echo',
          message: 'the proxy has no codec echo: no listener and no routes (it has tcp, thrift)',
        },
      ],
    ]);
  });

  it('notes a route to a service that is not exported to it', () => {
    const hidden = SERVICE.replaceAll('echo', 'other')
      .replace('127.0.10.1', '127.0.10.2')
      .replace('addresses:', 'exportTo: ["."]\n  addresses:');
    const generated = generate({
      's.yaml': SERVICE,
      'o.yaml': hidden,
      'r.yaml': router('[{ route: [{ destination: { host: other.shop.svc.cluster.local } }] }]'),
    });
    expect(generated.notes).toEqual([
      {
        source: 'MetaRouter/shop/echo',
        message: 'other.shop.svc.cluster.local port 9090 does not exist or is not exported to the namespace default',
      },
    ]);
  });

  it('notes a subset that its own DestinationRule lacks', () => {
    const own = RULE.replace('namespace: shop', 'namespace: default').replace('name: v1,', 'name: v7,');
    const generated = generate({
      's.yaml': SERVICE,
      'd.yaml': RULE,
      'e.yaml': own,
      'r.yaml': router(`[{ ${to('v1')} }]`),
    });
    expect(generated.notes).toEqual([
      {
        source: 'MetaRouter/shop/echo',
        message: `the DestinationRule that applies in the namespace default has no subset v1 of ${HOST}`,
      },
    ]);
  });

  it('is clusters without listeners for a router, whose listeners gateways will make', () => {
    const { resources } = generate({ 's.yaml': SERVICE }, { type: 'router' });
    expect(resources.map((resource) => resource.typeUrl)).toEqual([TypeUrl.Cluster, TypeUrl.ClusterLoadAssignment]);
  });
});

describe('other services', () => {
  it('opaque TCP goes through tcp_proxy', () => {
    const generated = generate({ 's.yaml': SERVICE.replaceAll('tcp-metaprotocol-thrift', 'tcp-db') });
    const listener = generated.resources.find((resource) => resource.typeUrl === TypeUrl.Listener)!;
    expect(listener.value.filterChains).toMatchObject([
      { filters: [{ typedConfig: { '@type': TypeUrl.TcpProxy, cluster: `outbound|9090||${HOST}` } }] },
    ]);
    expect(generated.resources.some((resource) => resource.typeUrl === TypeUrl.RouteConfiguration)).toBe(false);
  });

  it('names are looked up by the proxy', () => {
    const generated = generate({
      's.yaml': SERVICE.replace('STATIC', 'DNS').replace('address: 127.0.0.1,', 'address: a.example,'),
    });
    const cluster = generated.resources.find((resource) => resource.typeUrl === TypeUrl.Cluster)!;
    expect(cluster.value).toMatchObject({
      type: 'STRICT_DNS',
      loadAssignment: {
        endpoints: [
          { lbEndpoints: [{ endpoint: { address: { socketAddress: { address: 'a.example', portValue: 7001 } } } }] },
          {},
        ],
      },
    });
    expect(generated.resources.some((resource) => resource.typeUrl === TypeUrl.ClusterLoadAssignment)).toBe(false);
  });

  it('the hashed attribute of the chosen subset is on the route, the ring on its cluster', () => {
    const rule = RULE.replace(
      'version: v2 }',
      'version: v2 }, trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: user } } }',
    );
    const routes = `[{ match: { attributes: { method: { exact: a } } }, ${to('v2')} }, { ${to('v1')} }]`;
    const { resources } = generate({ 's.yaml': SERVICE, 'd.yaml': rule, 'r.yaml': router(routes) });
    const table = resources.find((resource) => resource.typeUrl === TypeUrl.RouteConfiguration)!;
    expect(table.value.virtualHosts).toMatchObject([
      { routes: [{ route: { hashPolicy: [{ header: { headerName: 'user' } }] } }, {}] },
    ]);
    expect(JSON.stringify(table.value).match(/hashPolicy/g)).toHaveLength(1);
    const lbPolicies = resources
      .filter((resource) => resource.typeUrl === TypeUrl.Cluster)
      .map((resource) => resource.value.lbPolicy);
    expect(lbPolicies).toEqual(['LEAST_REQUEST', 'RING_HASH', 'LEAST_REQUEST']);
  });
});

describe('inbound listeners', () => {
  const sidecar = (spec: string): string =>
    `apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: { name: inbound, namespace: shop }\nspec: ${spec}\n`;
  const ingress =
    'ingress: [{ port: { number: 7001, name: tcp-metaprotocol-thrift }, bind: 127.0.0.2, defaultEndpoint: "127.0.0.1:7777" }]';
  const workload: Partial<NodeInfo> = { namespace: 'shop', ips: ['127.0.0.2'] };
  const service = SERVICE.replaceAll('address: 127.0.0.1', 'address: 127.0.0.2').replace(
    '{ number: 9090,',
    '{ number: 9090, targetPort: 7001,',
  );

  it('come from Sidecar.ingress for a workload that matches by address', () => {
    const generated = generate({ 's.yaml': service, 'i.yaml': sidecar(`{ ${ingress} }`) }, workload);
    expect(binds(generated)[0]).toBe(`inbound 127.0.0.2:7001 ${HOST} inbound|7001||`);
    const inbound = generated.resources.filter((resource) => resource.name === 'inbound|7001||');
    expect(inbound.map((resource) => resource.typeUrl)).toEqual([
      TypeUrl.Cluster,
      TypeUrl.ClusterLoadAssignment,
      TypeUrl.Listener,
      TypeUrl.RouteConfiguration,
    ]);
    expect(inbound[1]!.value).toMatchObject({
      endpoints: [
        { lbEndpoints: [{ endpoint: { address: { socketAddress: { address: '127.0.0.1', portValue: 7777 } } } }] },
      ],
    });
    expect(inbound[2]!.value).toMatchObject({
      trafficDirection: 'INBOUND',
      address: { socketAddress: { address: '127.0.0.2', portValue: 7001 } },
    });
  });

  it('are not for a proxy of the namespace that is no workload, unless a selector names it', () => {
    const files = { 's.yaml': service };
    expect(
      binds(generate({ ...files, 'i.yaml': sidecar(`{ ${ingress} }`) }, { namespace: 'shop' })).join(),
    ).not.toContain('inbound');
    const selecting = sidecar(`{ workloadSelector: { labels: { app: echo } }, ${ingress} }`);
    expect(
      binds(generate({ ...files, 'i.yaml': selecting }, { namespace: 'shop', labels: { app: 'echo' } })).join(),
    ).toContain('inbound');
    expect(binds(generate({ ...files, 'i.yaml': selecting }, workload)).join()).not.toContain('inbound');
    expect(
      binds(
        generate({ ...files, 'i.yaml': selecting }, { ...workload, namespace: 'other', labels: { app: 'echo' } }),
      ).join(),
    ).not.toContain('inbound');
  });

  it('match by labels where the service selects its workloads', () => {
    const selecting = SERVICE.replace(/ {2}endpoints:.*/s, '  workloadSelector: { labels: { app: echo } }\n');
    const files = { 's.yaml': selecting, 'i.yaml': sidecar(`{ ${ingress} }`) };
    expect(binds(generate(files, { namespace: 'shop', labels: { app: 'echo', zone: 'a' } })).join()).toContain(
      'inbound',
    );
    expect(binds(generate(files, { namespace: 'shop', labels: { app: 'other' } })).join()).not.toContain('inbound');
  });

  it("bind to the proxy's first address by default, and forward to the same port of 127.0.0.1", () => {
    const generated = generate(
      { 's.yaml': service, 'i.yaml': sidecar('{ ingress: [{ port: { number: 7001, name: tcp-db } }] }') },
      workload,
    );
    expect(binds(generated)[0]).toContain('inbound 127.0.0.2:7001');
    expect(JSON.stringify(generated.resources)).toContain('"portValue":7001');
  });

  it('come before outbound ones at the same socket, and both say so', () => {
    const collision = sidecar('{ ingress: [{ port: { number: 9090, name: tcp-db }, bind: 127.0.10.1 }] }');
    const generated = generate({ 's.yaml': service, 'i.yaml': collision }, workload);
    expect(generated.addresses.map((address) => address.direction)).toEqual(['inbound']);
    expect(generated.notes.map((note) => `${note.source}: ${note.message}`)).toEqual([
      'ServiceEntry/shop/echo: 127.0.10.1 port 9090 belongs to Sidecar/shop/inbound, which comes first: no listener',
      'Sidecar/shop/inbound: ServiceEntry/shop/echo wants 127.0.10.1 port 9090 too; this one comes first and has it',
    ]);
  });
});
