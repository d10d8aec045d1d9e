import { describe, expect, it } from 'vitest';
import {
  findingsOf,
  httpManifest,
  RULE,
  SERVICE,
  TestMesh,
  tcpManifest,
  testManifest,
} from '../../../test/harness/control-mesh.ts';
import type { Gateway, Mesh } from './mesh.ts';

const SIMPLE = 'tls: { mode: SIMPLE, serverCertificate: /c, privateKey: /k }';

const gateway = (servers: string, name = 'edge', selector = 'app: edge'): string => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: ${name}, namespace: shop }
spec:
  selector: { ${selector} }
  servers: ${servers}
`;

const server = (protocol: string, more = '', hosts = '[a.test]', number = 443, name = 'main'): string =>
  `[{ port: { number: ${number}, name: ${name}, protocol: ${protocol} }, hosts: ${hosts}${more && `, ${more}`} }]`;

const virtual = (spec: string, name = 'vs', namespace = 'shop'): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: ${namespace} }
spec: ${spec}
`;

const SITE = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: site, namespace: shop }
spec:
  hosts: [site.shop.svc.cluster.local]
  ports: [{ number: 80, name: http }, { number: 443, name: https }, { number: 5432, name: tcp-db }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1 }]
`;
const TO_SITE = (port: number): string => `route: [{ destination: { host: site, port: { number: ${port} } } }]`;

function apply(files: Readonly<Record<string, string>>): { mesh: Mesh; said: string[] } {
  const translation = new TestMesh([httpManifest(), testManifest(), tcpManifest()]).apply({ 's.yaml': SITE, ...files });
  return { mesh: translation.mesh, said: findingsOf(translation) };
}

describe('a server', () => {
  const only = (servers: string): Gateway['servers'][number] | undefined =>
    apply({ 'g.yaml': gateway(servers) }).mesh.gateways[0]?.servers[0];

  it.each([
    ['HTTP', '', 'http', null],
    ['https', SIMPLE, 'http', 'ends'],
    ['HTTPS', 'tls: {}', 'tcp', 'passthrough'],
    ['TLS', SIMPLE, 'tcp', 'ends'],
    ['TCP', '', 'tcp', null],
    ['thrift', '', 'thrift', null],
    ['thrift', SIMPLE, 'thrift', 'ends'],
  ])('of %s %s speaks %s', (protocol, more, speaks, tls) => {
    const read = only(server(protocol, more))!;
    expect(read.protocol.kind === 'tcp' ? 'tcp' : read.protocol.name).toBe(speaks);
    expect(typeof read.tls === 'object' && read.tls !== null ? 'ends' : read.tls).toBe(tls);
  });

  it('of TLS sends nobody to where he is', () => {
    const redirect = 'tls: { mode: SIMPLE, serverCertificate: /c, privateKey: /k, httpsRedirect: true }';
    expect(only(server('HTTPS', redirect))!.httpsRedirect).toBe(false);
    expect(only(server('HTTP', 'tls: { httpsRedirect: true }'))!.httpsRedirect).toBe(true);
  });

  it('of TCP speaks what Aeraki’s name of its port says', () => {
    expect(only(server('TCP', '', '["*"]', 9090, 'tcp-metaprotocol-thrift-9090'))!.protocol).toMatchObject({
      kind: 'codec',
      name: 'thrift',
    });
  });

  it('has its TLS settings, and hosts with their namespaces', () => {
    const tls = `tls: { mode: SIMPLE, serverCertificate: /c, privateKey: /k, minProtocolVersion: TLSV1_3, cipherSuites: [ECDHE-RSA-AES128-GCM-SHA256, fake] }`;
    const { mesh, said } = apply({
      'g.yaml': gateway(server('HTTPS', `bind: 127.0.0.9, ${tls}`, '[./A.test, "x/*.b.test", "*"]')),
    });
    expect(mesh.gateways[0]!.servers).toEqual([
      {
        index: 0,
        port: 443,
        portName: 'main',
        bind: '127.0.0.9',
        protocol: expect.objectContaining({ name: 'http' }),
        hosts: [
          { namespace: 'shop', host: 'a.test' },
          { namespace: 'x', host: '*.b.test' },
          { namespace: '*', host: '*' },
        ],
        tls: {
          certificates: [{ certificateFile: '/c', keyFile: '/k' }],
          credentials: [],
          minimumVersion: 'TLSv1_3',
          maximumVersion: null,
          cipherSuites: ['ECDHE-RSA-AES128-GCM-SHA256'],
        },
        httpsRedirect: false,
      },
    ]);
    expect(said).toEqual([
      expect.stringMatching(
        /^warning g.yaml:7 .*cipherSuites\[1\]: fake is no cipher suite that is known here: left out/,
      ),
    ]);
  });

  it.each([
    [server('HTTPS'), /error .*tls: actual nothing, expected a tls block beside protocol HTTPS/],
    [server('HTTP', SIMPLE), /no tls block beside protocol HTTP, but httpsRedirect/],
    [server('TCP', 'tls: { httpsRedirect: true }'), /no tls block beside protocol TCP/],
    [server('HTTPS', 'tls: { mode: SIMPLE }'), /tls.serverCertificate.*expected a certificate/],
    [server('HTTPS', 'tls: { mode: SIMPLE, serverCertificate: /c }'), /tls.privateKey.*the file of the private key/],
    [server('HTTPS', 'tls: { mode: SIMPLE, serverCertificate: /c, privateKey: /k, credentialName: c }'), /not several/],
    [server('HTTPS', `tls: { mode: MUTUAL, serverCertificate: /c, privateKey: /k }`), /the CA of callers/],
    [
      server(
        'HTTPS',
        'tls: { mode: SIMPLE, credentialName: c, minProtocolVersion: TLSV1_3, maxProtocolVersion: TLSV1_2 }',
      ),
      /at least minProtocolVersion TLSV1_3/,
    ],
    [server('HTTP', '', '["*bar.test"]'), /hosts\[0\].*expected a host name, \*.suffix or \*/],
    [server('HTTP', '', '[a/b/c]'), /hosts\[0\]/],
    [server('carrier-pigeon'), /error .*port.protocol: actual "carrier-pigeon", expected one of HTTP, HTTPS, TCP, TLS/],
    [server('TCP', '', '["*"]', 1, 'tcp-metaprotocol-pigeon'), /error .*port.name: actual "tcp-metaprotocol-pigeon"/],
    [server('GRPC'), /notApplied .*port.protocol: grpc is not built yet: the server gets no listener/],
    [
      server('HTTPS', 'tls: { mode: MUTUAL, credentialName: c }'),
      /notApplied .*tls.mode: verifying the certificates of callers is not built yet: the server gets no listener/,
    ],
    [
      server('HTTPS', 'tls: { mode: SIMPLE, credentialName: c }'),
      /warning .*credentialName: no namespace has a Secret c/,
    ],
    [server('TLS', 'tls: { serverCertificate: /c }'), /warning .*serverCertificate: no effect: with mode PASSTHROUGH/],
  ])('%s', (servers, expected) => {
    expect(apply({ 'g.yaml': gateway(servers) }).said.join('\n')).toMatch(expected);
  });
});

describe('a VirtualService', () => {
  const GATE = gateway(
    `${server('HTTP', '', '["*.site.test", "other/*"]', 80, 'http').slice(0, -1)}, ${server('TLS', 'tls: {}', '["*.site.test"]', 443, 'tls').slice(1, -1)}, ${server('TCP', '', '["*"]', 5432, 'db').slice(1)}`,
  );
  const routesOf = (spec: string, namespace = 'shop') => {
    const { mesh, said } = apply({ 'g.yaml': GATE, 'v.yaml': virtual(spec, 'vs', namespace) });
    return { routes: mesh.gatewayRoutes, tables: mesh.tables, connections: mesh.connections, said };
  };

  it('is for sidecars, for the Gateways that it names, or for both', () => {
    const hosts = 'hosts: [site]';
    const http = `http: [{ ${TO_SITE(80)} }]`;
    expect(routesOf(`{ ${hosts}, ${http} }`)).toMatchObject({ routes: [], tables: [{ port: 80 }], said: [] });
    const wide = 'hosts: [site, "a.site.test"]';
    expect(routesOf(`{ ${wide}, gateways: [edge], ${http} }`)).toMatchObject({ routes: [{ server: 0 }], tables: [] });
    const both = routesOf(`{ ${wide}, gateways: [mesh, shop/edge], ${http} }`);
    expect(both).toMatchObject({ routes: [{ server: 0, gateway: 'Gateway/shop/edge' }], tables: [{}] });
    expect(both.said).toEqual([expect.stringMatching(/warning .*no service has the host a.site.test/)]);
  });

  it('asks for the scheme of the server, not for what a request claims', () => {
    const block = (name: string, scheme: string) =>
      `{ name: ${name}, match: [{ scheme: ${scheme}, uri: { prefix: /${name} } }], ${TO_SITE(80)} }`;
    const blocks = [
      block('secure', '{ exact: https }'),
      block('plain', '{ exact: http }'),
      block('both', '{ prefix: http }'),
      block('any', '{ regex: "https?" }'),
    ];
    const { mesh, said } = apply({
      'g.yaml': gateway(
        `[${server('HTTP', '', '[a.test]', 80, 'plain').slice(1, -1)}, ${server('HTTPS', SIMPLE).slice(1, -1)}]`,
      ),
      'v.yaml': virtual(`{ hosts: [a.test], gateways: [edge], http: [${blocks.join(', ')}] }`),
    });
    expect(said).toEqual([]);
    const routes = mesh.gatewayRoutes.map(({ routes: content }) =>
      content.kind === 'http' ? content.routes.map(({ name, match }) => [name, match.length]) : [],
    );
    expect(routes).toEqual([
      [
        ['plain', 1],
        ['both', 1],
        ['any', 1],
      ],
      [
        ['secure', 1],
        ['both', 1],
        ['any', 1],
      ],
    ]);
  });

  it('leads HTTP to a port of TLS, which a DestinationRule begins', () => {
    const files = (rule: string) => ({
      'v.yaml': virtual(`{ hosts: [site], http: [{ ${TO_SITE(443)} }] }`),
      'r.yaml': rule,
    });
    const rule = (policy: string) => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: site, namespace: shop }
spec: { host: site, trafficPolicy: ${policy} }
`;
    const port = (number: number) => `{ portLevelSettings: [{ port: { number: ${number} }, tls: { mode: SIMPLE } }] }`;
    expect(apply(files(rule(port(443)))).said).toEqual([]);
    expect(apply(files(rule('{ tls: { mode: SIMPLE } }'))).said).toEqual([]);
    expect(apply(files(rule(port(80)))).said).toEqual([
      expect.stringMatching(/^warning .*route\[0\].destination: port 443 of .* expects TLS, and no DestinationRule/),
    ]);
    const { said } = apply({ 'v.yaml': virtual(`{ hosts: [site], http: [{ ${TO_SITE(5432)} }] }`) });
    expect(said.join()).toMatch(/error .*port 5432 of .* speaks opaque tcp, expected http1/);
  });

  it('is used where its hosts and those of a server meet, by the narrower name', () => {
    const { routes, said } = routesOf(
      `{ hosts: [a.site.test, "*.test", "*.deep.site.test", b.test], gateways: [edge], http: [{ ${TO_SITE(80)} }] }`,
    );
    expect(routes[0]!.routes).toMatchObject({ hosts: ['a.site.test', '*.site.test', '*.deep.site.test'] });
    expect(said).toEqual([]);
    const other = routesOf(`{ hosts: [b.test], gateways: [shop/edge], http: [{ ${TO_SITE(80)} }] }`);
    expect(other).toMatchObject({ routes: [] });
    expect(other.said.join()).toMatch(/the servers of Gateway shop\/edge for these hosts take .*: no effect at it/);
  });

  it('has blocks for one Gateway or for sidecars only, where the caller’s labels count only without them', () => {
    const block = (match: string, name: string) => `{ match: [${match}], name: ${name}, ${TO_SITE(80)} }`;
    const { routes, tables } = routesOf(`{ hosts: [site, a.site.test], gateways: [mesh, edge], http: [
      ${block('{ gateways: [edge], sourceLabels: { a: b }, uri: { exact: /1 } }', 'edge')},
      ${block('{ gateways: [mesh], uri: { exact: /2 } }', 'mesh')},
      ${block('{ port: 81 }', 'never')},
      ${block('{ uri: { prefix: / } }', 'all')},
      ${block('{ uri: { exact: /late } }', 'late')}] }`);
    expect(routes[0]!.routes).toMatchObject({ routes: [{ name: 'edge' }, { name: 'all' }] });
    expect(tables[0]!.routes.map(({ name }) => name)).toEqual(['mesh', 'all', 'late']);
  });

  it('sends connections by SNI and by port', () => {
    const { routes, said } = routesOf(`{ hosts: ["*.site.test"], gateways: [edge],
      tls: [{ match: [{ sniHosts: [a.site.test], port: 443 }], ${TO_SITE(443)} },
            { match: [{ sniHosts: ["*.site.test"], port: 444 }], ${TO_SITE(443)} }],
      tcp: [{ match: [{ port: 5433 }], ${TO_SITE(80)} }, { match: [{ port: 5432 }], ${TO_SITE(5432)} }] }`);
    const to = (port: number) => [{ host: 'site.shop.svc.cluster.local', port, subset: '', weight: 1 }];
    expect(routes.map(({ server: at, routes: content }) => [at, content])).toEqual([
      [1, { kind: 'connections', routes: [{ sniHosts: ['a.site.test'], destinations: to(443) }] }],
      [2, { kind: 'connections', routes: [{ sniHosts: [], destinations: to(5432) }] }],
    ]);
    expect(said).toEqual([]);
  });

  it('sends a sidecar’s connections too: TLS by SNI, opaque ports as a whole', () => {
    const { connections, said } = routesOf(`{ hosts: [site],
      tls: [{ match: [{ sniHosts: [site.shop.svc.cluster.local] }], ${TO_SITE(443)} }],
      tcp: [{ match: [{ port: 5432 }], ${TO_SITE(5432)} }] }`);
    expect(connections).toMatchObject([
      { port: 443, routes: [{ sniHosts: ['site.shop.svc.cluster.local'] }] },
      { port: 5432, routes: [{ sniHosts: [] }] },
    ]);
    expect(said).toEqual([]);
  });

  it.each([
    [
      `{ hosts: [a.site.test], gateways: [edgy], http: [{ ${TO_SITE(80)} }] }`,
      /no Gateway shop\/edgy: no effect at it; did you mean shop\/edge\?/,
    ],
    [
      `{ hosts: [a.site.test], tls: [{ match: [{ sniHosts: [b.test] }], ${TO_SITE(443)} }], gateways: [edge] }`,
      /error .*sniHosts\[0\]: b.test is not within the hosts of this VirtualService, a.site.test/,
    ],
    [
      `{ hosts: ["*"], gateways: [edge], tcp: [{ match: [{ destinationSubnets: [10.0.0.0/8] }], ${TO_SITE(80)} }] }`,
      /notApplied .*destinationSubnets: needs interception/,
    ],
    ['{ hosts: ["*"], gateways: [edge], tls: [{ route: [] }] }', /tls\[0\].match/],
    [
      `{ hosts: ["*"], gateways: [edge], http: [{ match: [{ gateways: [mesh] }], ${TO_SITE(80)} }] }`,
      /warning .*http\[0\].match\[0\].gateways\[0\]: no effect: the gateways of this VirtualService are shop\/edge/,
    ],
    [
      `{ hosts: ["*"], gateways: [edge], http: [{ route: [{ destination: { host: nobody } }] }] }`,
      /error .*no service has the host nobody.shop.svc.cluster.local/,
    ],
    [`{ hosts: [site], tls: [{ match: [{ sniHosts: ["*"] }], ${TO_SITE(443)} }] }`, /sniHosts\[0\]: \* is not within/],
  ])('%s', (spec, expected) => {
    expect(routesOf(spec).said.join('\n')).toMatch(expected);
  });

  it('says when no host of the Gateway takes it in', () => {
    const narrow = gateway(server('HTTP', '', '[x/a.test, b.test]'));
    const { said } = apply({
      'g.yaml': narrow,
      'v.yaml': virtual(`{ hosts: [a.test], gateways: [edge], http: [{ ${TO_SITE(80)} }] }`),
    });
    expect(said).toEqual([
      'warning v.yaml:5 spec.gateways[0]: no host of Gateway shop/edge takes in a host of this VirtualService: no effect at it; it has x/a.test, */b.test',
    ]);
  });
});

describe('names without a dot', () => {
  it('are services of the resource’s namespace, in routes and in DestinationRules', () => {
    const rule = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: site, namespace: shop }
spec: { host: site, subsets: [{ name: v1, labels: {} }] }
`;
    const destination = 'destination: { host: site, subset: v1, port: { number: 80 } }';
    const { mesh, said } = apply({
      'd.yaml': rule,
      'v.yaml': virtual(`{ hosts: [site], http: [{ route: [{ ${destination} }] }] }`),
    });
    expect(said).toEqual([]);
    expect(mesh.policies).toMatchObject([{ host: 'site.shop.svc.cluster.local' }]);
    expect(mesh.tables[0]!.routes[0]!.destinations).toMatchObject([{ host: 'site.shop.svc.cluster.local' }]);
    const other = apply({ 'd.yaml': rule.replace('namespace: shop', 'namespace: other') }).said.join();
    expect(other).toContain('no service has the host site: the rule has no effect; there are site.shop');
  });
});

describe('operations of several destinations', () => {
  it('are theirs, but for the authority: the proxy has those of the route run behind them', () => {
    const part = (headers: string) =>
      `{ destination: { host: site, port: { number: 80 } }, weight: 1, headers: ${headers} }`;
    const { mesh, said } = apply({
      'v.yaml': virtual(`{ hosts: [site], http: [{
        headers: { request: { set: { a: route, host: first.test }, remove: [c] }, response: { add: { e: route } } },
        route: [${part('{ request: { set: { A: own, b: own, c: own, Host: own.test } }, response: { remove: [e, f] } }')},
                ${part('{ request: { add: { d: own } } }')}] }, {
        route: [${part('{ request: { set: { Host: own.test } } }')}, ${part('{}')}] }] }`),
    });
    expect(said.filter((each) => !each.includes('never used'))).toEqual([]);
    const [first, second] = mesh.tables[0]!.routes;
    const none = { set: [], add: [], remove: [] };
    expect(first!.destinations).toMatchObject([
      {
        requestMutation: { ...none, set: ['a', 'b', 'c'].map((key) => [key, 'own']) },
        responseMutation: { ...none, remove: ['e', 'f'] },
      },
      { requestMutation: { ...none, add: [['d', 'own']] }, responseMutation: none },
    ]);
    expect(first!.destinations[0]).not.toHaveProperty('authority');
    expect(second!.destinations[0]).toMatchObject({ requestMutation: none, authority: 'own.test' });
  });
});

describe('Gateways for one port', () => {
  const said = (a: string, b: string, selector = 'app: edge'): string =>
    apply({ 'a.yaml': gateway(a, 'a'), 'b.yaml': gateway(b, 'b', selector) }).said.join('\n');

  it.each([
    [server('TCP', '', '[x.test]'), server('HTTP', '', '[y.test]'), 'port 443 in plaintext'],
    [server('HTTPS', SIMPLE), server('TLS', SIMPLE), 'port 443 with the SNI a.test'],
    [server('HTTP', 'bind: 127.0.0.1'), server('HTTP'), '127.0.0.1 port 443'],
  ])('%s and %s: the first has it, and both say so', (a, b, subject) => {
    const text = said(a, b);
    expect(text).toContain(`warning a.yaml:2 : Gateway/shop/b wants ${subject} too`);
    expect(text).toContain(`shadowed b.yaml:2 : Gateway/shop/a is older or sorts first and is used for ${subject}`);
    expect(said(a, b, 'app: edge, zone: b')).toBe(text);
    expect(said(a, b, 'app: other')).toBe('');
  });

  it.each([
    [server('HTTP'), server('HTTP')],
    [server('HTTP'), server('HTTPS', SIMPLE)],
    [server('HTTPS', SIMPLE, '[x.test]'), server('HTTPS', SIMPLE, '[y.test]')],
    [server('HTTP', 'bind: 127.0.0.1'), server('TCP', 'bind: 127.0.0.2')],
    [server('TLS', 'tls: {}'), server('TLS', 'tls: {}')],
  ])('%s and %s share it', (a, b) => {
    expect(said(a, b)).toBe('');
  });

  it('may be one Gateway, which says of its later server what the earlier one has', () => {
    const both = (a: string, b: string): string => `${a.slice(0, -1)}, ${b.slice(1)}`;
    const again = server('HTTPS', SIMPLE, '[x.test, a.test]', 443, 'again');
    expect(apply({ 'g.yaml': gateway(both(server('HTTPS', SIMPLE), again)) }).said).toEqual([
      'warning g.yaml:7 spec.servers[1]: no effect on port 443 with the SNI a.test: server 0 has it',
    ]);
  });

  it('have one tls route for one SNI', () => {
    const tls = (names: string, vs: string) =>
      virtual(
        `{ hosts: ["*.test"], gateways: [edge], tls: [{ match: [{ sniHosts: [${names}] }], ${TO_SITE(443)} }] }`,
        vs,
      );
    const { said: all } = apply({
      'g.yaml': gateway(server('TLS', 'tls: {}', '["*"]')),
      'a.yaml': tls('a.test, b.test', 'a'),
      'b.yaml': tls('b.test, c.test', 'b'),
    });
    expect(all).toEqual([
      'warning a.yaml:2 : VirtualService/shop/b wants server 0 of Gateway/shop/edge and SNI b.test too; this one is older or sorts first and is used',
      'shadowed b.yaml:2 : VirtualService/shop/a is older or sorts first and is used for server 0 of Gateway/shop/edge and SNI b.test',
    ]);
  });

  it('have one tcp route for one server', () => {
    const { said: all } = apply({
      'g.yaml': gateway(server('TCP', '', '["*"]')),
      'a.yaml': virtual(`{ hosts: ["*"], gateways: [edge], tcp: [{ ${TO_SITE(80)} }] }`, 'a'),
      'b.yaml': virtual(`{ hosts: ["*"], gateways: [edge], tcp: [{ ${TO_SITE(80)} }] }`, 'b'),
    });
    expect(all.join('\n')).toMatch(/shadowed b.yaml:2 : VirtualService\/shop\/a .* server 0 of Gateway\/shop\/edge/);
  });
});

describe('a MetaRouter', () => {
  const thrift = (gateways: string) => `
apiVersion: metaprotocol.aeraki.io/v1alpha1
kind: MetaRouter
metadata: { name: echo, namespace: shop }
spec:
  hosts: [echo.shop.svc.cluster.local]
  gateways: [${gateways}]
  routes: [{ route: [{ destination: { host: echo.shop.svc.cluster.local, subset: v1 } }] }]
`;
  const files = { 'e.yaml': SERVICE, 'd.yaml': RULE, 'g.yaml': gateway(server('thrift', '', '["*"]', 7000)) };

  it('serves the Gateways that it names, and sidecars all the same', () => {
    const { mesh, said } = apply({ ...files, 'm.yaml': thrift('edge') });
    expect(mesh.gatewayRoutes).toMatchObject([{ server: 0, routes: { kind: 'table', table: { port: 9090 } } }]);
    expect(mesh.tables).toHaveLength(1);
    expect(said).toEqual([]);
  });

  it('says when there is no such Gateway, or none of its protocol', () => {
    expect(apply({ ...files, 'm.yaml': thrift('x/edge') }).said.join()).toContain('there is no Gateway x/edge');
    const http = { ...files, 'g.yaml': gateway(server('HTTP')) };
    expect(apply({ ...http, 'm.yaml': thrift('edge') }).said.join()).toContain(
      'no server of Gateway shop/edge has the protocol and a host of this router',
    );
  });
});
