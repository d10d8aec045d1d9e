import { describe, expect, it } from 'vitest';
import { findingsOf, httpManifest, TestMesh, testManifest } from '../../../test/harness/control-mesh.ts';
import { generateFor, resourceOf } from '../../../test/harness/generated.ts';
import { TypeUrl } from '../../xds/type-urls.ts';
import type { Generated } from '../generate/generated.ts';
import type { Mesh, Route } from './mesh.ts';

const HOST = 'web.shop.svc.cluster.local';

const service = (host: string, address: string): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${host.split('.')[0]}, namespace: shop }
spec:
  hosts: [${host}]
  addresses: [${address}]
  ports: [{ name: http-web, number: 80, protocol: HTTP }, { name: tcp-metaprotocol-thrift, number: 9090, protocol: TCP }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1, labels: { version: v1 } }, { address: 127.0.0.2, labels: { version: v2 } }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${host.split('.')[0]}, namespace: shop }
spec: { host: ${host}, subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }] }
`;

const virtualService = (http: string, hosts = HOST, more = '', name = 'web'): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: shop }
spec:
  hosts: [${hosts}]
  ${more}
  http: ${http}
`;

const to = (subset: string, weight = ''): string => `{ destination: { host: ${HOST}, subset: ${subset} }${weight} }`;
const ROUTE = `route: [${to('v1')}]`;

function apply(files: Readonly<Record<string, string>>): ReturnType<TestMesh['apply']> {
  return new TestMesh([httpManifest(), testManifest()]).apply({ 's.yaml': service(HOST, '127.0.10.1'), ...files });
}

function routesOf(http: string): readonly Route[] {
  const translation = apply({ 'v.yaml': virtualService(http) });
  expect(findingsOf(translation)).toEqual([]);
  expect(translation.mesh.tables.map(({ host, port }) => [host, port])).toEqual([[HOST, 80]]);
  return translation.mesh.tables[0]!.routes;
}

const findings = (http: string): string[] =>
  findingsOf(apply({ 'v.yaml': virtualService(http) })).map((finding) => finding.replace(/ v\.yaml:\d+/, ''));

function generate(mesh: Mesh, labels: Record<string, string> = {}): Generated {
  const manifests = [{ name: 'http1' }, { name: 'thrift' }];
  return generateFor(mesh, { namespace: 'shop', manifests, labels }, '/tmp/a');
}

describe('match blocks', () => {
  it('give one route each, with their conditions on attributes', () => {
    const routes = routesOf(`
    - name: canary
      match:
        - { name: a, uri: { prefix: /A }, ignoreUriCase: true, method: { exact: GET }, headers: { X-User: { regex: "a|b" } } }
        - { uri: { regex: "/x/.*" }, queryParams: { q: {}, p: { exact: "" } }, withoutHeaders: { y: {} } }
        - { authority: { prefix: web }, scheme: { exact: https }, port: 80 }
        - { port: 81 }
      ${ROUTE}
    - match: [{ uri: { prefix: / } }]
      ${ROUTE}`);
    const plain = { negated: false };
    expect(routes.map(({ name, match }) => [name, match])).toEqual([
      [
        'canary.a',
        [
          { key: ':method', test: { kind: 'exact', value: 'GET', ignoreCase: false }, ...plain },
          { key: ':pathname', test: { kind: 'prefix', value: '/A', ignoreCase: true }, ...plain },
          { key: 'x-user', test: { kind: 'regex', value: 'a|b' }, ...plain },
        ],
      ],
      [
        'canary',
        [
          { key: ':pathname', test: { kind: 'regex', value: '/x/.*' }, ...plain },
          { key: '?p', test: { kind: 'exact', value: '', ignoreCase: false }, ...plain },
          { key: '?q', test: { kind: 'present' }, ...plain },
          { key: 'y', test: { kind: 'present' }, negated: true },
        ],
      ],
      [
        'canary',
        [
          { key: ':authority', test: { kind: 'prefix', value: 'web', ignoreCase: false }, ...plain },
          { key: ':scheme', test: { kind: 'exact', value: 'https', ignoreCase: false }, ...plain },
        ],
      ],
      ['http-1', []],
    ]);
  });

  it('that ask for the caller are for proxies with those labels, in that namespace', () => {
    const block = (name: string, match: string) => `{ name: ${name}, match: [${match}], ${ROUTE} }`;
    const http = `[${block('labels', '{ sourceLabels: { a: b } }')}, ${block('there', '{ sourceNamespace: shop }')},
      ${block('elsewhere', '{ sourceNamespace: other }')}, ${block('gateways', '{ gateways: [mesh], sourceLabels: { c: d } }')}]`;
    expect(findings(http)).toEqual([]);
    const { mesh } = apply({ 'v.yaml': virtualService(http) });
    const namesAt = (labels: Record<string, string>): string[] => {
      const table = generate(mesh, labels).resources.find(({ name }) => name === `${HOST}_80`)!;
      const [host] = table.value.virtualHosts as unknown as { routes: { name: string }[] }[];
      return host!.routes.map(({ name }) => name);
    };
    expect(namesAt({})).toEqual(['there', 'gateways']);
    expect(namesAt({ a: 'b', c: 'x' })).toEqual(['labels', 'there', 'gateways']);
  });
});

describe('actions', () => {
  const actionsOf = (fields: string): unknown => routesOf(`[{ ${fields} }]`)[0]!.filterOptions.http;

  it.each([
    [`match: [{ uri: { prefix: /a } }], rewrite: { uri: /b }, ${ROUTE}`, { path: { prefix: '/a', to: '/b' } }],
    [`match: [{ uri: { exact: /a } }], rewrite: { uri: /b }, ${ROUTE}`, { path: { to: '/b' } }],
    [
      `rewrite: { uriRegexRewrite: { match: "^/(.*)", rewrite: '/x/\\1$' } }, ${ROUTE}`,
      { path: { regex: '^/(.*)', to: '/x/$1\\$' } },
    ],
    [
      `rewrite: { uriRegexRewrite: { match: "^/(.*)", rewrite: '\\\\1/\\0' } }, ${ROUTE}`,
      { path: { regex: '^/(.*)', to: '\\\\1/$0' } },
    ],
    [`rewrite: { authority: other }, ${ROUTE}`, { authority: 'other' }],
    [`headers: { request: { set: { Host: other } } }, ${ROUTE}`, { authority: 'other' }],
    [
      'redirect: { uri: /b, port: 8080, scheme: https }',
      { redirect: { status: 301, scheme: 'https', port: '8080', path: { to: '/b' } } },
    ],
    ['redirect: { derivePort: FROM_REQUEST_PORT, redirectCode: 307 }', { redirect: { status: 307, port: 'listener' } }],
    ['directResponse: { status: 503, body: { bytes: aGk= } }', { direct: { status: 503, bytes: 'aGk=' } }],
    ['directResponse: { status: 503, body: { string: hi } }', { direct: { status: 503, body: 'hi' } }],
    [ROUTE, undefined],
  ])('%s', (fields, options) => {
    expect(actionsOf(fields)).toEqual(options);
  });

  it('change headers: the only destination’s after the route’s', () => {
    const [route] = routesOf(`
    - route: [{ destination: { host: ${HOST} }, headers: { request: { set: { X-A: "2" }, remove: [C] } } }]
      headers: { request: { set: { x-a: "1" }, add: { B: "3" } }, response: { remove: [server] } }
      timeout: 2s
      mirror: { host: ${HOST}, subset: v2 }
      mirrorPercentage: { value: 12.5 }`);
    expect(route).toMatchObject({
      timeoutMs: 2_000,
      requestMutation: { set: [['x-a', '2']], add: [['b', '3']], remove: ['c'] },
      responseMutation: { set: [], add: [], remove: ['server'] },
      mirrors: [{ destination: { host: HOST, port: 80, subset: 'v2' }, percent: 12.5 }],
      destinations: [{ host: HOST, port: 80, subset: '', weight: 1 }],
    });
  });

  it('change headers: %% is a percent sign', () => {
    const [route] = routesOf(`[{ headers: { request: { set: { x-a: "5%%A%%" } } }, ${ROUTE} }]`);
    expect(route!.requestMutation.set).toEqual([['x-a', '5%A%']]);
  });

  it('split by weights of any sum', () => {
    const [route] = routesOf(
      `[{ route: [${to('v1', ', weight: 3')}, ${to('v2', ', weight: 1')}, ${to('v2', ', weight: 0')}] }]`,
    );
    expect(route!.destinations.map(({ subset, weight }) => [subset, weight])).toEqual([
      ['v1', 3],
      ['v2', 1],
    ]);
  });
});

describe('what is wrong or has no effect', () => {
  it.each([
    ['[{ match: [{}] }]', /error spec.http\[0\].*one of route, redirect, directResponse, not none/],
    [`[{ ${ROUTE}, redirect: { uri: /x } }]`, /not route and redirect/],
    [`[{ route: [${to('v1')}, ${to('v2')}] }]`, /weights that sum to more than 0/],
    [
      `[{ route: [{ destination: { host: nobody.example } }] }]`,
      /error spec.http\[0\].route\[0\].destination.host: no service has the host/,
    ],
    [`[{ route: [${to('v3')}] }]`, /has no subset v3, expected one of v1, v2/],
    [`[{ match: [{ uri: { regex: "(" } }], ${ROUTE} }]`, /an RE2 regular expression/],
    [
      `[{ headers: { request: { set: { content-length: "1" } } }, ${ROUTE} }]`,
      /cannot change its attribute content-length/,
    ],
    [`[{ headers: { response: { set: { ":status": "1" } } }, ${ROUTE} }]`, /warning .*:status cannot be changed here/],
    [
      `[{ rewrite: { authority: a }, headers: { request: { set: { Host: b } } }, ${ROUTE} }]`,
      /rewrite.authority: actual "a", expected the authority once/,
    ],
    [
      `[{ match: [{ uri: { exact: /a } }], redirect: { prefixRewrite: /b } }]`,
      /expected matches by uri.prefix beside it/,
    ],
    [
      `[{ headers: { request: { set: { x-a: "1\\r\\nx-b: 2" } } }, ${ROUTE} }]`,
      /set.x-a: .*ASCII characters in one line/,
    ],
    [`[{ headers: { response: { add: { x-a: Москва } } }, ${ROUTE} }]`, /add.x-a: .*ASCII characters in one line/],
    [`[{ headers: { request: { set: { "x a": b } } }, ${ROUTE} }]`, /error .*set\["x a"\]: .*expected a header name/],
    [`[{ headers: { request: { remove: ["x:a"] } }, ${ROUTE} }]`, /error .*remove\[0\]: .*expected a header name/],
    [`[{ headers: { request: { set: { Host: a b } } }, ${ROUTE} }]`, /error .*set.Host: .*expected a host, or/],
    [`[{ headers: { request: { set: { x-a: "%REQ(b)%" } } }, ${ROUTE} }]`, /warning .*sent as it stands/],
    [
      `[{ match: [{ uri: { regex: ".*" } }], ${ROUTE} }, { name: late, ${ROUTE} }]`,
      /warning spec.http\[1\]: never used: route 0/,
    ],
    [
      `[{ headers: { request: { set: { x-a: "5%" } } }, ${ROUTE} }]`,
      /error .*set.x-a: .*expected %% for a percent sign/,
    ],
    [
      `[{ match: [{ headers: { "?q": { exact: a } } }], ${ROUTE} }]`,
      /error .*headers\["\?q"\]: .*expected a header name/,
    ],
    [
      `[{ match: [{ withoutHeaders: { "@request.auth.claims.a": {} } }], ${ROUTE} }]`,
      /error .*JWT claims are not built/,
    ],
    [`[{ match: [{ headers: { Connection: {} } }], ${ROUTE} }]`, /warning .*headers.Connection: .*routes never see it/],
    [`[{ match: [{ uri: { exact: /Café } }], ${ROUTE} }]`, /warning .*uri.exact: never holds: "\/Café" is no path/],
    [`[{ match: [{ uri: { prefix: "/a?b=" } }], ${ROUTE} }]`, /warning .*uri.prefix: never holds: .*without its query/],
    [`[{ match: [{ uri: { prefix: api } }], ${ROUTE} }]`, /warning .*uri.prefix: never holds: .*begin with \//],
    [
      `[{ match: [{ uri: { regex: /a }, ignoreUriCase: true }], ${ROUTE} }]`,
      /warning .*ignoreUriCase: .*write \(\?i\)/,
    ],
    [`[{ match: [{ method: { exact: Get } }], ${ROUTE} }]`, /warning .*method.exact: Get is another method than GET/],
    [`[{ match: [{ queryParams: { a b: {} } }], ${ROUTE} }]`, /warning .*queryParams\["a b"\]: never holds/],
    [`[{ match: [{ queryParams: { q: { exact: ü } } }], ${ROUTE} }]`, /warning .*queryParams.q.exact: never holds/],
    [
      `[{ match: [{ headers: { x: { exact: "a " } } }], ${ROUTE} }]`,
      /warning .*headers.x.exact: never holds: .*blanks/,
    ],
    [`[{ directResponse: { status: 204, body: { string: x } } }]`, /warning .*directResponse.body: is not sent/],
    [`[{ directResponse: { status: 200, body: { bytes: "@" } } }]`, /error .*body.bytes: actual "@", expected base64/],
    [`[{ rewrite: { uri: "" }, ${ROUTE} }]`, /error .*rewrite: .*expected one of uri, uriRegexRewrite, authority/],
    [`[{ redirect: { redirectCode: 302 } }]`, /error .*redirect: .*expected somewhere else/],
    [`[{ rewrite: { uri: /a b }, ${ROUTE} }]`, /error .*rewrite.uri: .*percent-encoded/],
    [`[{ rewrite: { uri: "/a#b" }, ${ROUTE} }]`, /error .*rewrite.uri: .*there is no #/],
    [`[{ rewrite: { authority: a b }, ${ROUTE} }]`, /error .*rewrite.authority: .*expected a host, or/],
    [`[{ redirect: { uri: /ä } }]`, /error .*redirect.uri: .*percent-encoded/],
    [`[{ redirect: { authority: "a/b" } }]`, /error .*redirect.authority: .*expected a host, or/],
    [
      `[{ rewrite: { uriRegexRewrite: { match: "(a)", rewrite: '/\\2' } }, ${ROUTE} }]`,
      /error .*uriRegexRewrite.rewrite: .*expected \\0 to \\1, the groups/,
    ],
    [
      `[{ match: [{ uri: {}, header: { a: {} } }], ${ROUTE} }]`,
      /error .*match\[0\].header: unknown condition: .*did you mean headers\?/,
    ],
    [`[{ match: [{ uri: { exakt: a } }], ${ROUTE} }]`, /error .*uri.exakt: unknown condition: .*did you mean exact\?/],
    [`[{ delegate: { name: x } }]`, /delegates are not built yet/],
    [`[{ fault: {}, retries: {}, corsPolicy: {}, ${ROUTE} }]`, /notApplied spec.http\[0\].retries/],
    [`[{ ${ROUTE} }, { name: late, ${ROUTE} }]`, /warning spec.http\[1\]: never used: route 0/],
  ])('%s', (http, expected) => {
    expect(findings(http).join('\n')).toMatch(expected);
  });

  it('is a body of more than a megabyte, too', () => {
    const body = (field: string) => findings(`[{ directResponse: { status: 200, body: { ${field} } } }]`).join();
    const bytes = (length: number) => body(`bytes: "${Buffer.alloc(length).toString('base64')}"`);
    expect([bytes(1_048_576), body(`string: ${'ü'.repeat(524_288)}`)]).toEqual(['', '']);
    expect(bytes(1_048_577)).toMatch(/error .*body.bytes: .*expected at most 1048576 bytes/);
    expect(body(`string: ${'ü'.repeat(524_289)}`)).toMatch(/error .*body.string: .*expected at most 1048576 bytes/);
  });

  it('is said of hosts and gateways', () => {
    const said = (hosts: string, more = ''): string =>
      findingsOf(apply({ 'v.yaml': virtualService(`[{ ${ROUTE} }]`, hosts, more) })).join('\n');
    expect(said('nobody.example')).toMatch(/warning .*no service has the host nobody.example: no effect on it/);
    expect(said(HOST, 'gateways: [shop/gate]')).toMatch(
      /warning .*gateways\[0\]: there is no Gateway shop\/gate: no effect at it; there are none/,
    );
    expect(said('web')).toBe('');
    expect(said('')).toMatch(/spec.hosts: actual a list \[\], expected at least one; what has none is a delegate/);
    expect(said('"*"')).toMatch(/spec.hosts\[0\]: actual "\*", expected \* with Gateways only/);
    expect(said('"*"', 'gateways: [shop/gate]')).toMatch(/there is no Gateway/);
  });
});

describe('hosts', () => {
  it('are used by the most exact VirtualService; only those that are as exact conflict', () => {
    const translation = apply({
      'o.yaml': service('other.shop.svc.cluster.local', '127.0.10.2'),
      'a.yaml': virtualService(`[{ name: any, ${ROUTE} }]`, '"*.shop.svc.cluster.local"', '', 'aaa'),
      'b.yaml': virtualService(`[{ name: exact, ${ROUTE} }]`, HOST, '', 'zzz'),
    });
    const first = new Map<string, string>();
    for (const { host, routes } of translation.mesh.tables) if (!first.has(host)) first.set(host, routes[0]!.name);
    expect([...first]).toEqual([
      [HOST, 'exact'],
      ['other.shop.svc.cluster.local', 'any'],
    ]);
    expect(findingsOf(translation)).toEqual([]);
    const wildcard = (name: string): string => virtualService(`[{ ${ROUTE} }]`, '"*.cluster.local"', '', name);
    const said = findingsOf(apply({ 'a.yaml': wildcard('aaa'), 'b.yaml': wildcard('zzz') })).join('\n');
    expect(said).toMatch(/shadowed b.yaml.*VirtualService\/shop\/aaa is older or sorts first/);
  });
});

describe('services with one address and port', () => {
  const OTHER = 'other.shop.svc.cluster.local';
  const files = { 'o.yaml': service(OTHER, '127.0.10.1').replace(/, \{ name: tcp-metaprotocol-thrift.*?\}/, '') };

  it('are virtual hosts of one listener', () => {
    const translation = apply({
      ...files,
      'v.yaml': virtualService(`[{ route: [{ destination: { host: ${OTHER} } }] }]`, OTHER),
    });
    expect(findingsOf(translation)).toEqual([]);
    const generated = generate(translation.mesh);
    const listeners = generated.resources.filter(({ typeUrl }) => typeUrl === TypeUrl.Listener);
    expect(listeners.map(({ name }) => name)).toEqual(['127.0.10.1_80', '127.0.10.1_9090']);
    const tables = generated.resources.filter(({ name }) => name.endsWith('_80') && name !== '127.0.10.1_80');
    const domains = (host: string, short: string): string[] => [
      host,
      `${host}.`,
      `${short}.shop.svc`,
      `${short}.shop`,
      short,
    ];
    expect(tables.map(({ value }) => value)).toEqual([
      {
        name: `${OTHER}_80`,
        ignorePortInHostMatching: true,
        virtualHosts: [
          {
            name: `${OTHER}:80`,
            domains: domains(OTHER, 'other'),
            routes: [expect.objectContaining({ name: 'http-0' })],
          },
          { name: `${HOST}:80`, domains: domains(HOST, 'web'), routes: [expect.objectContaining({ name: 'default' })] },
        ],
      },
    ]);
    expect(generated.addresses.map(({ host, listener }) => [host, listener])).toContainEqual([HOST, '127.0.10.1_80']);
  });

  it('are told where another protocol has them', () => {
    const thrift = service(OTHER, '127.0.10.1').replace('name: http-web', 'name: tcp-metaprotocol-thrift-b');
    expect(findingsOf(apply({ 'o.yaml': thrift })).join('\n')).toMatch(/shadowed .* is used for 127.0.10.1 port 80/);
  });
});

describe('on the wire', () => {
  const { mesh } = apply({
    'v.yaml': virtualService(`
    - match: [{ uri: { exact: /x }, ignoreUriCase: true, queryParams: { q: { regex: "a+" } }, headers: { k: {} } }]
      rewrite: { uri: /y }
      ${ROUTE}
    - match: [{ uri: { regex: "/z.*" } }]
      ${ROUTE}`),
  });
  const generated = generate(mesh);

  it('is an HttpConnectionManager', () => {
    expect(resourceOf(generated, TypeUrl.Listener, '127.0.10.1_80')).toMatchObject({
      filterChains: [
        {
          filters: [
            {
              typedConfig: {
                '@type': TypeUrl.HttpConnectionManager,
                codecType: 'HTTP1',
                rds: { routeConfigName: `${HOST}_80` },
                accessLog: [{ typedConfig: { path: '/tmp/a' } }],
                httpFilters: [{ name: 'http' }, { typedConfig: { '@type': TypeUrl.HttpRouter } }],
              },
            },
          ],
        },
      ],
    });
  });

  it('matches paths and queries in the fields of Envoy', () => {
    expect(resourceOf(generated, TypeUrl.RouteConfiguration, `${HOST}_80`)).toMatchObject({
      virtualHosts: [
        {
          routes: [
            {
              match: {
                path: '/x',
                caseSensitive: false,
                queryParameters: [{ name: 'q', stringMatch: { safeRegex: { regex: 'a+' } } }],
                headers: [{ name: 'k', presentMatch: true }],
              },
              typedPerFilterConfig: { http: { value: { path: { to: '/y' } } } },
            },
            { match: { safeRegex: { regex: '/z.*' } } },
          ],
        },
      ],
    });
  });
});
