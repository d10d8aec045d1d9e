import { describe, expect, it } from 'vitest';
import {
  closedManifest,
  findingsOf,
  httpManifest,
  TestMesh,
  tcpManifest,
  testManifest,
} from '../../../test/harness/control-mesh.ts';
import { generateFor } from '../../../test/harness/generated.ts';
import type { JsonObject } from '../../xds/json.ts';
import { TypeUrl } from '../../xds/type-urls.ts';
import type { Generated } from './generated.ts';

const HOST = 'any.shop.svc.cluster.local';

const service = (port: string, annotations = ''): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: any, namespace: shop, annotations: { ${annotations} } }
spec:
  hosts: [${HOST}]
  addresses: [127.0.10.9]
  ports: [${port}]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1, ports: { auto: 7000 } }]
`;
const AUTO = '{ number: 80, name: auto }';
const BOTH = service(AUTO, 'meltemi.io/detect: "http, thrift"');

function apply(files: Readonly<Record<string, string>>): { said: string[]; generated: Generated } {
  const greeter = closedManifest('greeter');
  const speaksFirst = { ...greeter, capabilities: { ...greeter.capabilities, serverFirst: true } };
  const translation = new TestMesh([httpManifest(), testManifest(), tcpManifest(), speaksFirst]).apply(files);
  const manifests = [{ name: 'http1' }, { name: 'thrift' }, { name: 'tcp' }];
  return { said: findingsOf(translation), generated: generateFor(translation.mesh, { manifests }) };
}

// biome-ignore lint/suspicious/noExplicitAny: tests reach into generated JSON
const listenerOf = (generated: Generated): any =>
  generated.resources.find(({ typeUrl }) => typeUrl === TypeUrl.Listener)?.value;

describe('a port whose protocol is detected', () => {
  it('is HTTP or opaque where nothing else is said, and waits five seconds at most', () => {
    for (const port of [AUTO, '{ number: 80, name: main, protocol: AUTO }']) {
      const { said, generated } = apply({ 's.yaml': service(port).replace('auto: 7000', '') });
      expect(said).toEqual([]);
      expect(listenerOf(generated)).toMatchObject({
        listenerFilters: [
          { name: 'envoy.filters.listener.tls_inspector' },
          { name: 'envoy.filters.listener.http_inspector' },
        ],
        listenerFiltersTimeout: '5s',
        continueOnListenerFiltersTimeout: true,
        filterChains: [
          {
            // What TLS offers is not what its bytes are.
            filterChainMatch: { transportProtocol: 'raw_buffer', applicationProtocols: ['http/1.1', 'http/1.0'] },
            filters: [{ typedConfig: { rds: { routeConfigName: `${HOST}_80` } } }],
          },
        ],
        defaultFilterChain: {
          name: `${HOST}_80.opaque`,
          filters: [{ typedConfig: { '@type': TypeUrl.TcpProxy, cluster: `outbound|80||${HOST}` } }],
        },
      });
      expect(generated.addresses).toMatchObject([{ protocol: 'http or tcp' }]);
    }
  });

  it('speaks what its service lists, each with routes of its own', () => {
    const destination = `route: [{ destination: { host: ${HOST} } }]`;
    const { said, generated } = apply({
      's.yaml': BOTH,
      'v.yaml': `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web, namespace: shop }
spec: { hosts: [${HOST}], http: [{ name: web, ${destination} }] }
`,
      'm.yaml': `
apiVersion: metaprotocol.aeraki.io/v1alpha1
kind: MetaRouter
metadata: { name: rpc, namespace: shop }
spec: { hosts: [${HOST}], routes: [{ name: rpc, match: { attributes: { method: { exact: a } } }, ${destination} }] }
`,
    });
    expect(said).toEqual([]);
    const { listenerFilters, filterChains } = listenerOf(generated);
    expect(listenerFilters).toMatchObject([
      { name: 'envoy.filters.listener.tls_inspector' },
      { name: 'envoy.filters.listener.http_inspector' },
      { typedConfig: { '@type': TypeUrl.ProtocolInspector, protocols: ['thrift'] } },
    ]);
    expect(filterChains.map(({ name, filterChainMatch }: JsonObject) => [name, filterChainMatch])).toEqual([
      [`${HOST}_80`, { transportProtocol: 'raw_buffer', applicationProtocols: ['http/1.1', 'http/1.0'] }],
      [`${HOST}_80.thrift`, { transportProtocol: 'raw_buffer', applicationProtocols: ['thrift'] }],
    ]);
    const tables = generated.resources.filter(({ typeUrl }) => typeUrl === TypeUrl.RouteConfiguration);
    const routes = tables.map(({ name, value }) => [name, JSON.stringify(value).match(/"name":"(web|rpc)"/)?.[1]]);
    expect(routes).toEqual([
      [`${HOST}_80`, 'web'],
      [`${HOST}_80.thrift`, 'rpc'],
    ]);
  });

  it.each([
    [
      'carrier-pigeon',
      /error s.yaml:4 metadata.annotations\["meltemi.io\/detect"\]: actual "carrier-pigeon", expected/,
    ],
    ['http, tcp', /actual "tcp", expected protocols with a codec/],
    ['greeter', /greeter cannot be detected: its servers speak first/],
  ])('cannot be %s', (names, expected) => {
    expect(apply({ 's.yaml': service(AUTO, `meltemi.io/detect: "${names}"`) }).said.join()).toMatch(expected);
  });

  it('is opt-in', () => {
    const { generated } = apply({ 's.yaml': service('{ number: 80, name: autopilot }').replace('auto: 7000', '') });
    expect(listenerOf(generated)).not.toHaveProperty('listenerFilters');
    expect(listenerOf(generated).filterChains).toHaveLength(1);
  });
});
