import { describe, expect, it } from 'vitest';
import { closedManifest, findingsOf, TestMesh, testManifest } from '../../../test/harness/control-mesh.ts';
import { generateFor, resourceOf } from '../../../test/harness/generated.ts';
import { TypeUrl } from '../../xds/type-urls.ts';
import type { Translation } from './translator.ts';

const redis = {
  ...closedManifest('redis'),
  codes: [{ name: 'ERR', code: 1 }],
  attributes: {
    fixed: ['command', 'key', 'hash-key', 'read-only'].map((key) => ({ key, description: '', mutable: false })),
    open: null,
    keyCase: 'sensitive' as const,
    hostKey: null,
    placementKey: 'hash-key',
  },
};

const service = (name: string, address: string, ports = '{ number: 6379, name: tcp-redis, protocol: TCP }') => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name}, namespace: shop }
spec:
  hosts: [${name}.example]
  addresses: [${address}]
  resolution: STATIC
  ports: [${ports}]
  endpoints: [{ address: 127.0.0.1, ports: { tcp-redis: 7001 } }]
`;
const resource = (kind: string, spec: string, name = 'r') => `
apiVersion: redis.aeraki.io/v1alpha1
kind: ${kind}
metadata: { name: ${name}, namespace: shop }
spec: ${spec}
`;
const FILES = { 'a.yaml': service('cache', '127.0.10.1'), 'b.yaml': service('other', '127.0.10.2') };
const translate = (more: Record<string, string>): Translation =>
  new TestMesh([testManifest(), redis]).apply({ ...FILES, ...more });
const routed = (spec: string) =>
  translate({ 'r.yaml': resource('RedisService', `{ host: [cache.example], ${spec} }`) });
const routesOf = ({ mesh }: Translation) => mesh.tables[0]!.routes;

function generate({ mesh }: Translation) {
  const generated = generateFor(mesh, { manifests: [{ name: 'redis' }, { name: 'thrift' }] });
  return (typeUrl: string, name: string) => resourceOf(generated, typeUrl, name);
}

describe('RedisService', () => {
  it('says what a password must be', () => {
    const translation = routed(
      'redis: [{ route: { host: cache.example } }], settings: { auth: { plain: { username: a } } }',
    );
    expect(findingsOf(translation)).toEqual([
      expect.stringContaining('spec.settings.auth.plain.password: actual nothing, expected a text'),
    ]);
  });

  it.each([
    [
      'settings: { auth: { plain: { password: HUSH }, secret: { name: s } } }',
      'actual an object, expected either plain or',
    ],
    ['settings: { auth: { plain: { password: [HUSH] } } }', 'actual a list, expected a text'],
    ['settings: { auth: { plain: HUSH } }', 'actual a text, expected an object'],
    ['settings: [{ auth: { plain: { password: HUSH } } }]', 'actual a list, expected an object'],
  ])('shows no password that stands where none is expected: %s', (spec, told) => {
    const [finding, ...more] = findingsOf(routed(spec));
    expect([finding, more]).toEqual([expect.stringContaining(told), []]);
    expect(finding).not.toContain('HUSH');
    const secret = `apiVersion: v1\nkind: Secret\nmetadata: { name: s, namespace: shop }\nstringData: HUSH\n`;
    expect(findingsOf(translate({ 's.yaml': secret }))).toEqual([expect.stringContaining('actual a text, expected')]);
  });

  it('routes by the longest prefix first and by none last', () => {
    const translation = routed(`redis: [
      { route: { host: other.example } },
      { match: { key: { prefix: a, removePrefix: true } }, route: { host: cache.example } },
      { match: { key: { prefix: abc } }, route: { host: other.example, port: 6379 } } ]`);
    expect(findingsOf(translation)).toEqual([]);
    expect(routesOf(translation).map(({ name, match, destinations }) => [name, match[0]?.test, destinations])).toEqual([
      ['prefix abc', { kind: 'prefix', value: 'abc', ignoreCase: false }, [to('other')]],
      ['prefix a', { kind: 'prefix', value: 'a', ignoreCase: false }, [to('cache')]],
      ['catch-all', undefined, [to('other')]],
    ]);
    expect(routesOf(translation).map((route) => [route.filterOptions, route.timeoutMs])).toEqual([
      [{}, 60_000],
      [{ 'codec.redis': { stripPrefix: 'a', ignoreCase: false } }, 60_000],
      [{}, 60_000],
    ]);
    const find = generate(translation);
    const [, stripping] = find(TypeUrl.RouteConfiguration, 'cache.example_6379').virtualHosts[0].routes;
    expect(stripping.typedPerFilterConfig['codec.redis'].value).toEqual({ stripPrefix: 'a', ignoreCase: false });
    expect(stripping.route.hashPolicy).toEqual([{ header: { headerName: 'hash-key' } }]);
    const proxy = find(TypeUrl.Listener, '127.0.10.1_6379').filterChains[0].filters[0].typedConfig;
    expect(proxy.metaProtocolFilters.map(({ name }: { name: string }) => name)).toEqual([
      'codec.redis',
      'aeraki.meta_protocol.filters.router',
    ]);
    expect(find(TypeUrl.Cluster, 'outbound|6379||cache.example').lbPolicy).toBe('RING_HASH');
  });

  it('matches in any case, and takes its own timeout', () => {
    const translation = routed(`settings: { caseInsensitive: true, opTimeout: 2s }, redis: [
      { match: { key: { prefix: A, removePrefix: true } }, route: { host: cache.example } },
      { match: { key: { prefix: a } }, route: { host: other.example } } ]`);
    expect(routesOf(translation)).toMatchObject([
      {
        match: [{ test: { ignoreCase: true } }],
        timeoutMs: 2_000,
        filterOptions: { 'codec.redis': { ignoreCase: true } },
      },
    ]);
    expect(findingsOf(translation)).toEqual([
      expect.stringContaining('shadowed r.yaml:7 spec.redis[1]: redis[0] comes first'),
    ]);
  });

  it('mirrors, some only what writes', () => {
    const translation = routed(`redis: [ { route: { host: cache.example }, mirror: [
      { route: { host: other.example }, percentage: { value: 50 } },
      { route: { host: other.example }, excludeReadCommands: true } ] } ]`);
    const destination = { host: 'other.example', port: 6379, subset: '' };
    expect(routesOf(translation).map(({ name, match, mirrors }) => [name, match.length, mirrors])).toEqual([
      ['catch-all (reads)', 1, [{ destination, percent: 50 }]],
      [
        'catch-all',
        0,
        [
          { destination, percent: 50 },
          { destination, percent: 100 },
        ],
      ],
    ]);
  });

  it('injects faults by command', () => {
    const translation = routed(`faults: [
      { type: ERROR, percentage: { value: 50 }, commands: [get, MEMORY] }, { type: DELAY, delay: 2s } ]`);
    const [fault] = translation.mesh.tables[0]!.filters;
    const test = { kind: 'regex', value: 'GET|MEMORY' };
    expect(fault).toEqual({
      name: 'fault',
      options: {
        faults: [
          {
            match: [{ key: 'command', test, invert: false, absentIsEmpty: false }],
            percentage: 50,
            abort: { code: 1, message: 'fault injected by a RedisService' },
          },
          { match: [], percentage: 100, delayMs: 2_000 },
        ],
      },
    });
    expect(routesOf(translation)).toMatchObject([{ name: 'default', timeoutMs: 60_000 }]);
  });

  it('asks callers for a password, given or of a Secret', () => {
    const plain = routed('settings: { auth: { plain: { password: 12345, username: joe } } }');
    expect(plain.mesh.tables[0]!.codecOptions).toEqual({ downstreamUsername: 'joe', downstreamPassword: '12345' });
    const secret = (data: string) => ({
      'r.yaml': resource('RedisService', '{ host: [cache.example], settings: { auth: { secret: { name: s } } } }'),
      's.yaml': `apiVersion: v1\nkind: Secret\nmetadata: { name: s, namespace: shop }\n${data}\n`,
    });
    // A trailing line end, as `echo pw | base64` makes it.
    const trimmed = translate(secret(`data: { token: ${Buffer.from('pw\n').toString('base64')} }`));
    expect(trimmed.mesh.tables[0]!.codecOptions).toEqual({ downstreamUsername: '', downstreamPassword: 'pw' });
    const find = generate(trimmed);
    const proxy = find(TypeUrl.Listener, '127.0.10.1_6379').filterChains[0].filters[0].typedConfig;
    expect(proxy.protocol.codec.config.value).toMatchObject({ downstreamPassword: 'pw' });
    expect(findingsOf(translate(secret('stringData: {}')))).toEqual([
      expect.stringContaining('the password of Secret s (password, token) is empty'),
    ]);
    const { 's.yaml': _, ...alone } = secret('');
    expect(findingsOf(translate(alone))).toEqual([
      expect.stringContaining('there is no Secret s in the namespace shop'),
    ]);
  });

  it('says what has no effect, and what is wrong', () => {
    const translation = routed(`settings: { readPolicy: ANY, enableHashtagging: false, enableRedirection: true },
      redis: [ { route: { host: nowhere.example } }, { match: { key: { prefix: a } }, route: { host: other.example, port: 1 } } ]`);
    expect(findingsOf(translation).map((finding) => finding.split(' ').slice(0, 3).join(' '))).toEqual([
      'notApplied r.yaml:5 spec.settings.enableRedirection:',
      'notApplied r.yaml:5 spec.settings.readPolicy:',
      'notApplied r.yaml:5 spec.settings.enableHashtagging:',
      'error r.yaml:6 spec.redis[1].route:',
      'error r.yaml:6 spec.redis[0].route.host:',
    ]);
    expect(translation.mesh.tables).toEqual([]);
    const lost = translate({ 'r.yaml': resource('RedisService', '{ host: [gone.example] }') });
    expect(findingsOf(lost)).toEqual([expect.stringContaining('no service has the host gone.example')]);
  });
});

describe('RedisDestination', () => {
  const SPEC = `{ host: cache.example, trafficPolicy: { connectionPool: {
    tcp: { maxConnections: 7, connectTimeout: 3s }, redis: { mode: CLUSTER, auth: { plain: { password: pw } } } } } }`;

  it('gives the cluster its numbers and credentials', () => {
    const translation = translate({ 'd.yaml': resource('RedisDestination', SPEC) });
    expect(findingsOf(translation)).toEqual([expect.stringContaining('Redis Cluster is not built yet')]);
    const cluster = generate(translation)(TypeUrl.Cluster, 'outbound|6379||cache.example');
    expect(cluster).toMatchObject({
      connectTimeout: '3s',
      circuitBreakers: { thresholds: [{ maxConnections: 7 }] },
      typedExtensionProtocolOptions: { 'meltemi.codec': { value: { upstreamUsername: '', upstreamPassword: 'pw' } } },
    });
  });

  it('is for ports of Redis alone, and says where there is none', () => {
    const ports = '{ number: 6379, name: tcp-redis, protocol: TCP }, { number: 90, name: tcp-thrift, protocol: TCP }';
    const both = translate({
      'a.yaml': service('cache', '127.0.10.1', ports),
      'd.yaml': resource('RedisDestination', SPEC),
    });
    const thrift = generate(both)(TypeUrl.Cluster, 'outbound|90||cache.example');
    expect(thrift).not.toHaveProperty('typedExtensionProtocolOptions');
    expect(thrift.circuitBreakers.thresholds[0].maxConnections).not.toBe(7);
    const wrong = service('cache', '127.0.10.1', '{ number: 90, name: tcp-thrift }').replaceAll(
      'tcp-redis',
      'tcp-thrift',
    );
    const none = translate({ 'a.yaml': wrong, 'd.yaml': resource('RedisDestination', SPEC) });
    expect(findingsOf(none)).toContainEqual(expect.stringContaining('no port of cache.example speaks redis'));
  });

  it('is used once for a host', () => {
    const second = resource('RedisDestination', '{ host: cache.example }', 'z');
    const translation = translate({ 'd.yaml': resource('RedisDestination', SPEC), 'e.yaml': second });
    expect(translation.mesh.upstreams.get('cache.example')!.maxConnections).toBe(7);
    expect(findingsOf(translation)).toContainEqual(expect.stringContaining('shadowed e.yaml:2'));
  });
});

function to(name: string) {
  return { host: `${name}.example`, port: 6379, subset: '', weight: 1 };
}
