import { describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../../../scripts/certificates.ts';
import { findingsOf, httpManifest, TestMesh, tcpManifest, testManifest } from '../../../test/harness/control-mesh.ts';
import { generateFor, namesOf, resourceOf } from '../../../test/harness/generated.ts';
import type { JsonObject } from '../../xds/json.ts';
import type { NodeInfo } from '../../xds/node.ts';
import { TypeUrl } from '../../xds/type-urls.ts';
import type { Mesh } from '../translate/mesh.ts';
import type { Generated } from './generated.ts';

const HOST = 'site.shop.svc.cluster.local';

const SITE = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: site, namespace: shop }
spec:
  hosts: [${HOST}]
  addresses: [127.0.10.9]
  ports: [{ number: 80, name: http }, { number: 443, name: https }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1 }]
`;

const resource = (kind: string, name: string, spec: string, namespace = 'shop'): string => `
apiVersion: networking.istio.io/v1
kind: ${kind}
metadata: { name: ${name}, namespace: ${namespace} }
spec: ${spec}
`;
const gateway = (name: string, servers: string): string => resource('Gateway', name, `{ servers: [${servers}] }`);
const server = (protocol: string, port: number, name: string, hosts: string, more = ''): string =>
  `{ port: { number: ${port}, name: ${name}, protocol: ${protocol} }, hosts: [${hosts}]${more && `, ${more}`} }`;
const http = (name: string, host: string, gateways: string, routes: string): string =>
  resource('VirtualService', name, `{ hosts: ["${host}"], gateways: [${gateways}], http: [${routes}] }`);
const to = (port: number): string => `route: [{ destination: { host: site, port: { number: ${port} } } }]`;
const SIMPLE = 'tls: { mode: SIMPLE, serverCertificate: /c, privateKey: /k }';

function generate(files: readonly string[], node: Partial<NodeInfo> = {}): Generated {
  const named = Object.fromEntries([SITE, ...files].map((text, at) => [`${at}.yaml`, text]));
  return forRouter(new TestMesh([httpManifest(), testManifest(), tcpManifest()]).apply(named).mesh, node);
}

function forRouter(mesh: Mesh, node: Partial<NodeInfo>): Generated {
  const manifests = [{ name: 'http1' }, { name: 'thrift' }, { name: 'tcp' }];
  return generateFor(mesh, { type: 'router', manifests, ...node });
}

describe('servers of HTTP', () => {
  const generated = generate([
    gateway('a', server('HTTP', 80, 'http', '"*.test", other.example')),
    gateway('b', server('HTTP', 80, 'http', 'b.test')),
    http('one', 'b.test', 'a', `{ ${to(80)} }, { match: [{ uri: { exact: /never } }], ${to(80)} }`),
    http('two', 'b.test', 'b', `{ match: [{ uri: { prefix: /two } }], redirect: { uri: /x } }`),
    http('zwide', '*', 'a', `{ match: [{ uri: { prefix: /all } }], ${to(80)} }`),
  ]);

  it('of one port are one listener at every address, which believes no caller', () => {
    expect(namesOf(generated, TypeUrl.Listener)).toEqual(['0.0.0.0_80']);
    const listener = resourceOf(generated, TypeUrl.Listener, '0.0.0.0_80');
    expect(listener).toMatchObject({ address: { socketAddress: { address: '0.0.0.0', portValue: 80 } } });
    expect(listener).not.toHaveProperty('listenerFilters');
    expect(listener.filterChains).toMatchObject([
      { filters: [{ typedConfig: { useRemoteAddress: true, rds: { routeConfigName: 'http.80' } } }] },
    ]);
    expect(listener.filterChains[0]).not.toHaveProperty('filterChainMatch');
  });

  it('join the routes of each host, those for everything last', () => {
    const { virtualHosts } = resourceOf(generated, TypeUrl.RouteConfiguration, 'http.80');
    const routes = (virtualHosts as { name: string; routes: { name: string }[] }[]).map(({ name, routes }) => [
      name,
      routes.map((route) => route.name),
    ]);
    expect(routes).toEqual([
      ['*.test:80', ['http-0']],
      ['b.test:80', ['http-0', 'http-0']],
      ['other.example:80', ['http-0']],
    ]);
    expect(virtualHosts.map(({ domains }: { domains: string[] }) => domains)).toEqual([
      ['*.test'],
      ['b.test', 'b.test.'],
      ['other.example', 'other.example.'],
    ]);
    // What stands behind a route for everything is gone, before others come in between.
    expect(virtualHosts[1].routes[0].match).toEqual({ prefix: '/two' });
    expect(virtualHosts[1].routes[1].match).toEqual({ prefix: '/' });
  });

  it('give routes that answer by themselves a cluster without endpoints', () => {
    const [redirect] = resourceOf(generated, TypeUrl.RouteConfiguration, 'http.80').virtualHosts[1].routes;
    expect(redirect.route.cluster).toBe('BlackHoleCluster');
    expect(resourceOf(generated, TypeUrl.Cluster, 'BlackHoleCluster')).toMatchObject({ type: 'STATIC' });
  });

  it('tell which resources shape them, and where to connect', () => {
    expect([...generated.products.get('Gateway/shop/b')!]).toContain(`${TypeUrl.Listener} 0.0.0.0_80`);
    expect(generated.products.get('VirtualService/shop/two')).toContain(`${TypeUrl.RouteConfiguration} http.80`);
    expect(generated.addresses).toMatchObject([
      { direction: 'gateway', host: '*.test, other.example', port: 80, protocol: 'http', listener: '0.0.0.0_80' },
      { host: 'b.test' },
    ]);
  });

  it('without routes answer 404, with httpsRedirect always 301', () => {
    const bare = generate([gateway('a', server('HTTP', 80, 'http', 'a.test'))], { bind: 'loopback' });
    expect(resourceOf(bare, TypeUrl.RouteConfiguration, 'http.80').virtualHosts).toEqual([
      { name: 'blackhole:80', domains: ['*'], routes: [] },
    ]);
    expect(namesOf(bare, TypeUrl.Listener)).toEqual(['127.0.0.1_80']);
    const redirected = generate([
      gateway('a', server('HTTP', 80, 'http', '"*.test"', 'tls: { httpsRedirect: true }')),
      http('one', 'b.test', 'a', `{ ${to(80)} }`),
    ]);
    const { virtualHosts } = resourceOf(redirected, TypeUrl.RouteConfiguration, 'http.80');
    for (const { routes } of virtualHosts)
      expect(routes).toMatchObject([
        { typedPerFilterConfig: { http: { value: { redirect: { status: 301, scheme: 'https' } } } } },
      ]);
    expect(virtualHosts.map(({ name }: { name: string }) => name)).toEqual(['*.test:80', 'b.test:80']);
  });

  it('are not for other labels, nor for sidecars', () => {
    const files = [
      resource('Gateway', 'a', `{ selector: { a: b }, servers: [${server('HTTP', 80, 'http', 'a.test')}] }`),
    ];
    expect(namesOf(generate(files), TypeUrl.Listener)).toEqual([]);
    expect(namesOf(generate(files, { labels: { a: 'b', c: 'd' } }), TypeUrl.Listener)).toEqual(['0.0.0.0_80']);
    const sidecar = generate(files, { type: 'sidecar', labels: { a: 'b' } });
    expect(namesOf(sidecar, TypeUrl.Listener)).toEqual(['127.0.10.9_443', '127.0.10.9_80']);
  });
});

describe('a router behind a service', () => {
  const service = (name: string, port: number, target: number): string =>
    resource(
      'ServiceEntry',
      name,
      `{ hosts: [${name}.test], resolution: STATIC, endpoints: [{ address: 192.0.2.7 }],
         ports: [{ number: ${port}, name: http, targetPort: ${target} }] }`,
    );

  it('listens where the service brings callers, with the routes of the port that they came to', () => {
    const generated = generate([
      service('door', 80, 8080),
      gateway('a', `${server('HTTP', 80, 'one', 'one.test')}, ${server('HTTP', 81, 'two', 'two.test')}`),
      http('one', 'one.test', 'a', `{ match: [{ port: 80 }], ${to(80)} }`),
    ]);
    expect(namesOf(generated, TypeUrl.Listener)).toContain('0.0.0.0_8080');
    expect(namesOf(generated, TypeUrl.Listener)).toContain('0.0.0.0_81');
    expect(namesOf(generated, TypeUrl.Listener)).not.toContain('0.0.0.0_80');
    const [host] = resourceOf(generated, TypeUrl.RouteConfiguration, 'http.8080').virtualHosts;
    expect(host).toMatchObject({ domains: ['one.test', 'one.test.'], routes: [{}] });
  });

  it('knows itself by its labels too', () => {
    const selected = resource(
      'ServiceEntry',
      'door',
      `{ hosts: [door.test], resolution: STATIC, workloadSelector: { labels: { app: edge } }, ports: [{ number: 80, name: http, targetPort: 8080 }] }`,
    );
    const files = [selected, gateway('a', server('HTTP', 80, 'one', 'one.test'))];
    const generated = generate(files, { namespace: 'shop', labels: { app: 'edge' } });
    expect(namesOf(generated, TypeUrl.Listener)).toEqual(['0.0.0.0_8080']);
    expect(namesOf(generate(files, { namespace: 'shop' }), TypeUrl.Listener)).toEqual(['0.0.0.0_80']);
  });

  it('joins ports that end at the same one', () => {
    const generated = generate([
      service('door', 80, 8080),
      service('gate', 81, 8080),
      gateway('a', `${server('HTTP', 80, 'one', 'one.test')}, ${server('HTTP', 81, 'two', 'two.test')}`),
      http('one', 'one.test', 'a', `{ ${to(80)} }`),
      http('two', 'two.test', 'a', `{ ${to(80)} }`),
    ]);
    const { virtualHosts } = resourceOf(generated, TypeUrl.RouteConfiguration, 'http.8080');
    expect(virtualHosts.map(({ name }: { name: string }) => name)).toEqual(['one.test:8080', 'two.test:8080']);
  });
});

describe('servers of TLS', () => {
  const generated = generate([
    gateway(
      'a',
      `${server('HTTPS', 443, 'one', 'one.test', SIMPLE)}, ${server('HTTPS', 443, 'two', '"*"', SIMPLE)},
       ${server('TLS', 443, 'through', '"*.far.test"', 'tls: {}')}, ${server('HTTP', 443, 'plain', 'plain.test')}`,
    ),
    http('one', 'one.test', 'a', `{ ${to(80)} }`),
    resource(
      'VirtualService',
      'far',
      `{ hosts: ["*.far.test"], gateways: [a], tls: [{ match: [{ sniHosts: [x.far.test, "*.y.far.test"] }],
         route: [{ destination: { host: site, port: { number: 443 } }, weight: 3 }, { destination: { host: site, port: { number: 80 } }, weight: 1 }] }] }`,
    ),
  ]);

  it('are chains by SNI, beside one for plaintext', () => {
    const { listenerFilters, filterChains } = resourceOf(generated, TypeUrl.Listener, '0.0.0.0_443');
    expect(listenerFilters).toMatchObject([{ name: 'envoy.filters.listener.tls_inspector' }]);
    expect(
      filterChains.map(({ name, filterChainMatch, transportSocket }: JsonObject) => [
        name,
        filterChainMatch,
        (transportSocket as JsonObject | undefined)?.name,
      ]),
    ).toEqual([
      ['https.443.one.a.shop', { serverNames: ['one.test'], transportProtocol: 'tls' }, 'envoy.transport_sockets.tls'],
      ['https.443.two.a.shop', { transportProtocol: 'tls' }, 'envoy.transport_sockets.tls'],
      [
        'through.VirtualService/shop/far.0',
        { serverNames: ['x.far.test', '*.y.far.test'], transportProtocol: 'tls' },
        undefined,
      ],
      ['http.443', { transportProtocol: 'raw_buffer' }, undefined],
    ]);
    expect(filterChains[0].transportSocket.typedConfig).toEqual({
      '@type': TypeUrl.DownstreamTlsContext,
      commonTlsContext: {
        tlsParams: { tlsMinimumProtocolVersion: 'TLSv1_2' },
        alpnProtocols: ['http/1.1'],
        tlsCertificates: [{ certificateChain: { filename: '/c' }, privateKey: { filename: '/k' } }],
      },
    });
    expect(filterChains[2].filters[0].typedConfig.weightedClusters).toEqual({
      clusters: [
        { name: `outbound|443||${HOST}`, weight: 3 },
        { name: `outbound|80||${HOST}`, weight: 1 },
      ],
    });
  });

  it('take their certificates from Secrets of the router’s namespace', () => {
    const { certificate, key } = new CertificateAuthority().issue({ names: ['a.test'] });
    const quoted = (text: string): string => JSON.stringify(text);
    const secret = (namespace: string): string => `
apiVersion: v1
kind: Secret
metadata: { name: cred, namespace: ${namespace} }
stringData: { tls.crt: ${quoted(certificate)}, tls.key: ${quoted(key)} }
`;
    const files = [
      gateway(
        'a',
        `${server('HTTPS', 443, 'one', 'a.test', 'tls: { mode: SIMPLE, credentialName: cred }')}, ${server('HTTPS', 443, 'two', 'b.test', SIMPLE)}`,
      ),
    ];
    const served = generate([...files, secret('default')]);
    const [chain] = resourceOf(served, TypeUrl.Listener, '0.0.0.0_443').filterChains;
    expect(chain.transportSocket.typedConfig.commonTlsContext.tlsCertificateSdsSecretConfigs).toEqual([
      { name: 'kubernetes://cred', sdsConfig: { ads: {}, resourceApiVersion: 'V3' } },
    ]);
    expect(resourceOf(served, TypeUrl.Secret, 'kubernetes://cred').tlsCertificate.privateKey.inlineString).toBe(key);
    expect(served.products.get('Secret/default/cred')).toEqual(new Set([`${TypeUrl.Secret} kubernetes://cred`]));
    const lacking = generate([...files, secret('shop')]);
    expect(namesOf(lacking, TypeUrl.Secret)).toEqual([]);
    expect(resourceOf(lacking, TypeUrl.Listener, '0.0.0.0_443').filterChains).toMatchObject([
      { name: 'https.443.two.a.shop' },
    ]);
    expect(lacking.notes).toEqual([
      {
        source: 'Gateway/shop/a',
        message:
          'the namespace default has no Secret cred with a certificate and its key: the router, which is in this namespace, does not serve a.test on port 443',
      },
    ]);
    const broken = generate([...files, secret('default').replace('BEGIN PRIVATE', 'BEGIN')]);
    expect(broken.notes).toMatchObject([
      { message: expect.stringMatching(/^Secret default\/cred is there and not valid: .*: the router, which is/) },
    ]);
  });

  it('give a name that two want to the first, and say so where the resources could not', () => {
    const wanting = (name: string, selector: string): string =>
      resource(
        'Gateway',
        name,
        `{ selector: ${selector}, servers: [${server('HTTPS', 443, 'm', `a.test, ${name}.test`, SIMPLE)}] }`,
      );
    const labels = { a: 'a', b: 'b' };
    // Where each selects the other's routers the resources themselves say it.
    expect(generate([wanting('x', '{ a: a }'), wanting('y', '{ a: a, b: b }')], { labels }).notes).toEqual([]);
    const both = generate([wanting('x', '{ a: a }'), wanting('y', '{ b: b }')], { labels });
    const chains = resourceOf(both, TypeUrl.Listener, '0.0.0.0_443').filterChains;
    expect(chains.map(({ filterChainMatch }: JsonObject) => filterChainMatch)).toEqual([
      { serverNames: ['a.test', 'x.test'] },
      { serverNames: ['y.test'] },
    ]);
    expect(both.notes.map(({ source, message }) => `${source}: ${message}`)).toEqual([
      'Gateway/shop/y: port 443 with the SNI a.test belongs to Gateway/shop/x, which comes first',
      'Gateway/shop/x: Gateway/shop/y wants port 443 with the SNI a.test too; this one comes first and has it',
    ]);
  });
});

describe('routes for chosen callers', () => {
  it('are for routers with those labels', () => {
    const files = [
      gateway('a', `${server('TCP', 81, 'tcp', '"*"')}, ${server('HTTP', 80, 'http', '"*"')}`),
      resource(
        'VirtualService',
        'vs',
        `{ hosts: ["*"], gateways: [a], tcp: [{ match: [{ sourceLabels: { a: b } }], ${to(443)} }, { ${to(80)} }],
           http: [{ name: few, match: [{ sourceLabels: { a: b } }], ${to(80)} }, { name: all, ${to(80)} }] }`,
      ),
    ];
    const at = (labels: Record<string, string>) => {
      const generated = generate(files, { labels });
      const [chain] = resourceOf(generated, TypeUrl.Listener, '0.0.0.0_81').filterChains;
      const [host] = resourceOf(generated, TypeUrl.RouteConfiguration, 'http.80').virtualHosts;
      return [chain.filters[0].typedConfig.cluster, host.routes.map(({ name }: { name: string }) => name)];
    };
    expect(at({})).toEqual([`outbound|80||${HOST}`, ['all']]);
    expect(at({ a: 'b' })).toEqual([`outbound|443||${HOST}`, ['few']]);
  });
});

describe('what no route leads to', () => {
  it('is not served, and its Gateway says so', () => {
    const generated = generate([
      gateway(
        'a',
        `${server('TCP', 5432, 'db', '"*"')}, ${server('thrift', 9090, 'rpc', '"*"')}, ${server('TLS', 443, 'through', 'a.test', 'tls: {}')}`,
      ),
    ]);
    expect(namesOf(generated, TypeUrl.Listener)).toEqual([]);
    expect(generated.notes.map(({ message }) => message)).toEqual([
      'no VirtualService has a tcp route for port 5432 and *: it is not served',
      'no MetaRouter has routes for port 9090 and *: it is not served',
      'no VirtualService has a tls route for port 443 and a.test: it is not served',
    ]);
  });
});

describe('a destination that the router cannot have', () => {
  const hidden = resource(
    'ServiceEntry',
    'hidden',
    `{ hosts: [hidden.test], ports: [{ number: 80, name: http }], resolution: STATIC, exportTo: ["."], endpoints: [{ address: 127.0.0.1 }] }`,
  );
  const unresolved = resource('ServiceEntry', 'any', '{ hosts: [any.test], ports: [{ number: 80, name: http }] }');

  it('fails its own share, and no other route', () => {
    const part = (host: string) => `{ destination: { host: ${host}, port: { number: 80 } }, weight: 1 }`;
    const generated = generate([
      hidden,
      unresolved,
      gateway('a', `${server('HTTP', 80, 'http', '"*"')}, ${server('TCP', 81, 'tcp', '"*"')}`),
      http('one', 'one.test', 'a', `{ route: [${part('site')}, ${part('hidden.test')}] }`),
      http('two', 'two.test', 'a', `{ route: [${part('any.test')}], mirror: { host: hidden.test } }`),
      resource('VirtualService', 'tcp', `{ hosts: ["*"], gateways: [a], tcp: [{ route: [${part('hidden.test')}] }] }`),
    ]);
    const { virtualHosts } = resourceOf(generated, TypeUrl.RouteConfiguration, 'http.80');
    expect(virtualHosts.map(({ routes }: { routes: { route: JsonObject }[] }) => routes[0]!.route)).toEqual([
      {
        timeout: '0s',
        weightedClusters: {
          clusters: [
            { name: `outbound|80||${HOST}`, weight: 1 },
            { name: 'BlackHoleCluster', weight: 1 },
          ],
        },
      },
      { timeout: '0s', cluster: 'BlackHoleCluster' },
    ]);
    const [chain] = resourceOf(generated, TypeUrl.Listener, '0.0.0.0_81').filterChains;
    expect(chain.filters[0].typedConfig.cluster).toBe('BlackHoleCluster');
    expect(namesOf(generated, TypeUrl.Cluster)).toContain('BlackHoleCluster');
    expect(generated.notes.map(({ source, message }) => `${source}: ${message}`).sort()).toEqual([
      'VirtualService/shop/one: hidden.test port 80 does not exist or is not exported to the namespace default',
      'VirtualService/shop/tcp: hidden.test port 80 does not exist or is not exported to the namespace default',
      'VirtualService/shop/two: any.test port 80 is not served at this proxy: what is sent there fails',
      'VirtualService/shop/two: hidden.test port 80 does not exist or is not exported to the namespace default',
    ]);
  });
});

describe('a destination that is nowhere any more', () => {
  it('keeps its name, so that a router that has it goes on', () => {
    const rule = (subset: string): string =>
      resource('DestinationRule', 'site', `{ host: ${HOST}, subsets: [{ name: ${subset}, labels: {} }] }`);
    const files = (subset: string) => ({
      's.yaml': SITE,
      'd.yaml': rule(subset),
      'g.yaml': gateway('a', server('HTTP', 80, 'http', '"*"')),
      'v.yaml': http(
        'one',
        'one.test',
        'a',
        '{ route: [{ destination: { host: site, subset: v1, port: { number: 80 } } }] }',
      ),
    });
    const memory = new TestMesh([httpManifest(), testManifest(), tcpManifest()]);
    memory.apply(files('v1'));
    const generated = forRouter(memory.apply(files('v2')).mesh, {});
    const [host] = resourceOf(generated, TypeUrl.RouteConfiguration, 'http.80').virtualHosts;
    expect(host.routes[0].route.cluster).toBe(`outbound|80|v1|${HOST}`);
  });
});

describe('a sidecar', () => {
  const chainsOf = (spec: string): JsonObject[] => {
    const files = [resource('VirtualService', 'site', `{ hosts: [site], ${spec} }`)];
    return resourceOf(generate(files, { type: 'sidecar' }), TypeUrl.Listener, '127.0.10.9_443').filterChains;
  };

  it('has a chain for each SNI of a service’s routes, and the service for all others', () => {
    const chains = chainsOf(`tls: [{ match: [{ sniHosts: [${HOST}] }], ${to(80)} }]`);
    expect(chains).toMatchObject([
      {
        name: `${HOST}_443.0`,
        filterChainMatch: { serverNames: [HOST] },
        filters: [{ typedConfig: { cluster: `outbound|80||${HOST}` } }],
      },
      { name: `${HOST}_443`, filters: [{ typedConfig: { cluster: `outbound|443||${HOST}` } }] },
    ]);
  });

  it('tells services of TLS with one address apart by SNI; the first has the names of nobody', () => {
    const other = resource(
      'ServiceEntry',
      'zother',
      '{ hosts: [other.test], addresses: [127.0.10.9], ports: [{ number: 443, name: tls-main }], resolution: STATIC, endpoints: [{ address: 127.0.0.1 }] }',
    );
    const routes = resource(
      'VirtualService',
      'other',
      `{ hosts: [other.test, "*.other.test"], tls: [{ match: [{ sniHosts: [a.other.test] }], ${to(80)} }] }`,
    );
    const generated = generate([other, routes], { type: 'sidecar' });
    const { filterChains, listenerFilters } = resourceOf(generated, TypeUrl.Listener, '127.0.10.9_443');
    expect(listenerFilters).toHaveLength(1);
    expect(
      filterChains.map(({ filterChainMatch, filters }: { filterChainMatch?: JsonObject; filters: JsonObject[] }) => [
        filterChainMatch?.serverNames,
        (filters[0]!.typedConfig as JsonObject).cluster,
      ]),
    ).toEqual([
      [['a.other.test'], `outbound|80||${HOST}`],
      [['other.test'], 'outbound|443||other.test'],
      [undefined, `outbound|443||${HOST}`],
    ]);
    const translation = new TestMesh([httpManifest(), testManifest(), tcpManifest()]).apply({
      's.yaml': SITE,
      'o.yaml': other,
    });
    expect(findingsOf(translation)).toEqual([]);
    expect(generated.addresses.filter(({ port }) => port === 443).map(({ host }) => host)).toEqual([
      HOST,
      'other.test',
    ]);
    expect(generated.products.get('ServiceEntry/shop/zother')).toContain(`${TypeUrl.Listener} 127.0.10.9_443`);
  });

  it('takes the first tcp route that is for its own caller', () => {
    const chains = chainsOf(
      `tcp: [{ match: [{ sourceLabels: { a: b } }], ${to(80)} }, { match: [{ sourceNamespace: default }], ${to(443)} }]`,
    );
    expect(chains).toMatchObject([{ filters: [{ typedConfig: { cluster: `outbound|443||${HOST}` } }] }]);
    expect(chains).toHaveLength(1);
  });

  it('sends an opaque port where its tcp route says', () => {
    expect(chainsOf(`tcp: [{ ${to(80)} }]`)).toMatchObject([
      { name: `${HOST}_443`, filters: [{ typedConfig: { cluster: `outbound|80||${HOST}` } }] },
    ]);
  });
});

describe('TLS to servers', () => {
  const rule = (tls: string): string =>
    resource('DestinationRule', 'site', `{ host: ${HOST}, trafficPolicy: { tls: ${tls} } }`);
  const socketOf = (tls: string, ...files: string[]): JsonObject | undefined =>
    resourceOf(generate([rule(tls), ...files]), TypeUrl.Cluster, `outbound|443||${HOST}`).transportSocket?.typedConfig;

  it('has SNI, CA and names', () => {
    expect(
      socketOf('{ mode: SIMPLE, sni: x.test, caCertificates: /ca, subjectAltNames: [spiffe://a/b, 10.0.0.1, c.test] }'),
    ).toEqual({
      '@type': TypeUrl.UpstreamTlsContext,
      sni: 'x.test',
      commonTlsContext: {
        validationContext: {
          trustedCa: { filename: '/ca' },
          matchTypedSubjectAltNames: [
            { sanType: 'URI', matcher: { exact: 'spiffe://a/b' } },
            { sanType: 'IP_ADDRESS', matcher: { exact: '10.0.0.1' } },
            { sanType: 'DNS', matcher: { exact: 'c.test' } },
          ],
        },
      },
    });
  });

  it('verifies by the system’s CAs that the server is the service, where nothing else is said', () => {
    expect(socketOf('{ mode: SIMPLE }')).toMatchObject({
      sni: HOST,
      commonTlsContext: {
        validationContext: {
          systemRootCerts: {},
          matchTypedSubjectAltNames: [{ sanType: 'DNS', matcher: { exact: HOST } }],
        },
      },
    });
    expect(socketOf('{ mode: MUTUAL, clientCertificate: /c, privateKey: /k, sni: a }')).toMatchObject({ sni: 'a' });
    expect(socketOf('{ mode: SIMPLE, insecureSkipVerify: true }')).toMatchObject({ commonTlsContext: {} });
  });

  it.each(['{ mode: DISABLE }', '{ mode: ISTIO_MUTUAL }'])('%s is none', (tls) => {
    expect(socketOf(tls)).toBeUndefined();
  });

  it('takes the CA of a Secret', () => {
    const secret = `
apiVersion: v1
kind: Secret
metadata: { name: ca, namespace: default }
stringData: { ca.crt: "-----BEGIN CERTIFICATE-----" }
`;
    const tls = '{ mode: SIMPLE, credentialName: ca }';
    expect(socketOf(tls, secret)).toMatchObject({
      commonTlsContext: { validationContext: { trustedCa: { inlineString: '-----BEGIN CERTIFICATE-----' } } },
    });
    expect([...(generate([rule(tls), secret]).products.get('Secret/default/ca') ?? [])]).toEqual(
      expect.arrayContaining([`${TypeUrl.Cluster} outbound|443||${HOST}`]),
    );
    expect(generate([rule(tls)]).notes).toMatchObject([
      {
        source: 'DestinationRule/shop/site',
        message: 'the namespace default has no Secret ca with ca.crt: no connections',
      },
    ]);
  });

  it('is replaced for one port, and by a subset', () => {
    const policy = '{ tls: { mode: SIMPLE }, portLevelSettings: [{ port: { number: 80 } }] }';
    const subset = '[{ name: plain, labels: {}, trafficPolicy: { tls: { mode: DISABLE } } }]';
    const generated = generate([
      resource('DestinationRule', 'site', `{ host: ${HOST}, trafficPolicy: ${policy}, subsets: ${subset} }`),
    ]);
    const encrypted = generated.resources.filter(({ value }) => value.transportSocket !== undefined);
    expect(encrypted.map(({ name }) => name)).toEqual([`outbound|443||${HOST}`]);
  });
});

it('says of TLS that passes through where a DestinationRule begins TLS once more', () => {
  const files = [
    gateway('g', server('TLS', 443, 'tls', 'site.test', 'tls: { mode: PASSTHROUGH }')),
    resource(
      'VirtualService',
      'v',
      `{ hosts: [site.test], gateways: [g, mesh], tls: [{ match: [{ sniHosts: [site.test] }], ${to(443)} }] }`,
    ),
  ];
  const rule = (mode: string) =>
    resource('DestinationRule', 'd', `{ host: site, trafficPolicy: { tls: { mode: ${mode} } } }`);
  const notes = (mode: string) => generate([...files, rule(mode)]).notes.map(({ message }) => message);
  expect(notes('SIMPLE')).toEqual([
    `a tls route passes TLS on as it is, and DestinationRule/shop/d begins TLS to ${HOST} once more: it gets TLS in TLS`,
  ]);
  expect(notes('DISABLE')).toEqual([]);
});
