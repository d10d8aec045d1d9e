import { describe, expect, it } from 'vitest';
import {
  HOST,
  httpManifest,
  RULE,
  router,
  SERVICE,
  TestMesh,
  tcpManifest,
  testManifest,
  to,
} from '../../../test/harness/control-mesh.ts';
import { generateFor, namesOf, resourceOf } from '../../../test/harness/generated.ts';
import type { NodeInfo } from '../../xds/node.ts';
import { TypeUrl } from '../../xds/type-urls.ts';
import type { Generated } from './generated.ts';

function generate(files: Record<string, string>, node: Partial<NodeInfo> = {}): Generated {
  const { mesh } = new TestMesh([testManifest(), tcpManifest()]).apply(files);
  return generateFor(mesh, node);
}

// biome-ignore lint/suspicious/noExplicitAny: tests reach into generated JSON
function routesOf(generated: Generated): any[] {
  return resourceOf(generated, TypeUrl.RouteConfiguration, `${HOST}_9090`).virtualHosts[0].routes;
}

describe('a thrift service', () => {
  const generated = generate({ 's.yaml': SERVICE, 'd.yaml': RULE, 'r.yaml': router(`[{ ${to('v1')} }]`) });

  it('gets a listener at its own address, with its codec and its routes over RDS', () => {
    expect(namesOf(generated, TypeUrl.Listener)).toEqual(['127.0.10.1_9090']);
    expect(resourceOf(generated, TypeUrl.Listener, '127.0.10.1_9090')).toMatchObject({
      address: { socketAddress: { address: '127.0.10.1', portValue: 9090 } },
      trafficDirection: 'OUTBOUND',
      metadata: { filterMetadata: { 'meltemi.service_address': { address: '127.0.10.1', port: 9090 } } },
      filterChains: [
        {
          filters: [
            {
              typedConfig: {
                '@type': TypeUrl.MetaProtocolProxy,
                rds: { configSource: { ads: {} }, routeConfigName: `${HOST}_9090` },
                protocol: { name: 'thrift', codec: { name: 'thrift' } },
              },
            },
          ],
        },
      ],
    });
  });

  it('gets a cluster for all endpoints and one for each subset, with their endpoints', () => {
    const clusters = [`outbound|9090|v1|${HOST}`, `outbound|9090|v2|${HOST}`, `outbound|9090||${HOST}`];
    expect(namesOf(generated, TypeUrl.Cluster)).toEqual(clusters);
    expect(namesOf(generated, TypeUrl.ClusterLoadAssignment)).toEqual(clusters);
    expect(resourceOf(generated, TypeUrl.ClusterLoadAssignment, `outbound|9090|v2|${HOST}`)).toMatchObject({
      endpoints: [
        {
          locality: { region: 'eu', zone: 'a', subZone: '' },
          lbEndpoints: [
            {
              endpoint: { address: { socketAddress: { address: '127.0.0.1', portValue: 7002 } } },
              loadBalancingWeight: 3,
            },
          ],
        },
      ],
    });
  });

  it('says the defaults of the pool and of the balancer on the wire', () => {
    expect(resourceOf(generated, TypeUrl.Cluster, `outbound|9090||${HOST}`)).toEqual({
      name: `outbound|9090||${HOST}`,
      type: 'EDS',
      edsClusterConfig: { edsConfig: { ads: {}, resourceApiVersion: 'V3' }, serviceName: `outbound|9090||${HOST}` },
      connectTimeout: '10s',
      lbPolicy: 'LEAST_REQUEST',
      circuitBreakers: { thresholds: [{ priority: 'DEFAULT', maxConnections: 1_024, maxPendingRequests: 1_024 }] },
      metadata: {
        filterMetadata: { 'meltemi.pool': { minConnections: 1, maxInFlightPerCaller: 256, maxBound: 1_024 } },
      },
    });
  });

  it('tells which resources each CRD shaped', () => {
    const ofRouter = [...generated.products.get('MetaRouter/shop/echo')!];
    expect(ofRouter).toEqual([`${TypeUrl.RouteConfiguration} ${HOST}_9090`]);
  });
});

describe('routes on the wire', () => {
  it('says a timeout always, and the default route where there is no router', () => {
    const [route] = routesOf(generate({ 's.yaml': SERVICE }));
    expect(route).toEqual({
      name: 'default',
      match: { prefix: '/' },
      route: { cluster: `outbound|9090||${HOST}`, timeout: '0s' },
    });
  });

  it('sorts attributes, and tells presence, negation and absence apart', () => {
    const match = `match: { attributes: { method: { regex: 'get.*' }, b: { exact: '' }, a: { prefix: x } }, withoutAttributes: { d: null, c: { exact: y } } }`;
    const [route] = routesOf(
      generate({ 's.yaml': SERVICE, 'd.yaml': RULE, 'r.yaml': router(`[{ ${match}, timeout: 1500ms, ${to('v1')} }]`) }),
    );
    expect(route.match.headers).toEqual([
      { name: 'a', stringMatch: { prefix: 'x' } },
      { name: 'b', presentMatch: true },
      { name: 'c', stringMatch: { exact: 'y' }, invertMatch: true, treatMissingHeaderAsEmpty: true },
      { name: 'd', presentMatch: true, invertMatch: true },
      { name: 'method', stringMatch: { safeRegex: { regex: 'get.*' } } },
    ]);
    expect(route.route).toEqual({ timeout: '1.5s', cluster: `outbound|9090|v1|${HOST}` });
  });

  it('splits by weight, drops a weight of 0, mirrors a fraction', () => {
    const part = (subset: string, weight: number): string =>
      `{ destination: { host: ${HOST}, subset: ${subset} }, weight: ${weight} }`;
    const mirror = `mirror: { host: ${HOST}, subset: v2 }, mirrorPercentage: { value: 12.5 }`;
    const files = { 's.yaml': SERVICE, 'd.yaml': RULE };
    const [split] = routesOf(
      generate({ ...files, 'r.yaml': router(`[{ route: [${part('v1', 80)}, ${part('v2', 20)}], ${mirror} }]`) }),
    );
    expect(split.route.weightedClusters.clusters).toEqual([
      { name: `outbound|9090|v1|${HOST}`, weight: 80 },
      { name: `outbound|9090|v2|${HOST}`, weight: 20 },
    ]);
    expect(split.route.requestMirrorPolicies).toEqual([
      {
        cluster: `outbound|9090|v2|${HOST}`,
        runtimeFraction: { defaultValue: { numerator: 125_000, denominator: 'MILLION' } },
      },
    ]);
    const [whole] = routesOf(
      generate({ ...files, 'r.yaml': router(`[{ route: [${part('v1', 0)}, ${part('v2', 100)}] }]`) }),
    );
    expect(whole.route.cluster).toBe(`outbound|9090|v2|${HOST}`);
  });

  it('overwrites, appends and removes attributes of requests and responses', () => {
    const mutation = `requestMutation: [{ key: foo, value: bar }], responseMutation: [{ key: r, value: s }], headers: { request: { set: { foo: baz }, add: { x: y }, remove: [z] } }`;
    const [route] = routesOf(
      generate({ 's.yaml': SERVICE, 'd.yaml': RULE, 'r.yaml': router(`[{ ${mutation}, ${to('v1')} }]`) }),
    );
    expect(route).toMatchObject({
      requestHeadersToAdd: [
        { header: { key: 'foo', value: 'baz' }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' },
        { header: { key: 'x', value: 'y' }, appendAction: 'APPEND_IF_EXISTS_OR_ADD' },
      ],
      requestHeadersToRemove: ['z'],
      responseHeadersToAdd: [{ header: { key: 'r', value: 's' }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' }],
    });
  });
});

it('says of services that share an HTTP listener whose options count', () => {
  const http = { ...httpManifest(), options: testManifest().options };
  const protocol = (name: string, limit: number) =>
    `apiVersion: metaprotocol.aeraki.io/v1alpha1\nkind: ApplicationProtocol\nmetadata: { name: ${name} }\nspec: { protocol: ${name}, codec: http1, options: { frameLimitBytes: ${limit} } }\n`;
  const service = (host: string, name: string) =>
    `apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: { name: ${host} }\nspec: { hosts: [${host}.example], addresses: [127.0.10.1], resolution: STATIC, ports: [{ name: tcp-metaprotocol-${name}, number: 80, protocol: TCP }], endpoints: [{ address: 127.0.0.1 }] }\n`;
  const { mesh } = new TestMesh([http]).apply({
    'p.yaml': [protocol('small', 2_048), protocol('large', 4_096)].join('---\n'),
    's.yaml': [service('a', 'small'), service('b', 'large'), service('c', 'small')].join('---\n'),
  });
  const { notes } = generateFor(mesh, { manifests: [http] as unknown as NodeInfo['manifests'] });
  expect(notes).toEqual([
    {
      source: expect.stringContaining('/b'),
      message:
        'a.example has the listener of port 80: the options of its protocol small count for callers, not those of large',
    },
  ]);
});
