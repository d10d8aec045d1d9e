import { expect, describe as group, it } from 'vitest';
import { CertificateAuthority } from '../../../scripts/certificates.ts';
import type { JsonObject } from '../../xds/json.ts';
import { TypeUrl } from '../../xds/type-urls.ts';
import type { Resources } from '../ads-resources.ts';
import { Fixtures, resources, running, wired } from '../testing/resources.ts';
import { describe } from './describe.ts';
import { Settler } from './settle.ts';

const fixtures = new Fixtures();
const nothing: Resources = new Map();
const noFiles = () => [];
const noNames = () => [];

const listener = fixtures.listener('L', 1_000, 'R');
const routes = fixtures.routesTo('R', 'C');
const cluster = fixtures.cluster('C');
const endpoints = fixtures.endpoints('C', 9);
const good = running(listener, routes, cluster, endpoints);

/** A second team's service, which no fault of the first may touch. */
const other = [
  fixtures.listener('L2', 2_000, 'R2'),
  fixtures.routesTo('R2', 'C2'),
  fixtures.cluster('C2'),
  fixtures.endpoints('C2', 10),
];

const newSettler = () => new Settler((resource) => fixtures.xds.encodeResource(resource));

function describeAll(wanted: Resources, accepted: Resources = nothing) {
  const settled = newSettler().settle(wanted, accepted);
  return { settled, description: describe(settled, noNames, noFiles) };
}

group('settling', () => {
  it('fills in references', () => {
    const { settled, description } = describeAll(good);
    expect(settled.refused).toEqual([]);
    expect(settled.notes).toEqual([]);
    expect(description.listeners).toMatchObject([
      {
        name: 'L',
        bind: { host: '127.0.0.1', port: 1_000 },
        serviceAddress: { host: '10.0.0.1', port: 9_090 },
        direction: 'outbound',
        chains: [{ name: 'main', protocol: 'thrift', codecOptions: {}, filters: [], routes: { name: 'R' } }],
      },
    ]);
    expect(description.clusters).toMatchObject([{ name: 'C', endpoints: [{ port: 9 }] }]);
  });

  it('keeps the last good version of an invalid resource alone', () => {
    const badRoutes = fixtures.routes('R', [{ match: { path: '/x' }, route: { cluster: 'C' } }]);
    const newer = fixtures.endpoints('C', 11);
    const { settled, description } = describeAll(resources(listener, badRoutes, cluster, newer, ...other), good);
    expect(settled.refused).toEqual([
      { typeUrl: TypeUrl.RouteConfiguration, name: 'R', message: expect.stringContaining('match.path') },
    ]);
    expect(settled.used.get(TypeUrl.RouteConfiguration)!.get('R')).toBe(routes);
    expect(description.listeners.map(({ name }) => name)).toEqual(['L', 'L2']);
    expect(description.clusters[0]!.endpoints).toMatchObject([{ port: 11 }]);
  });

  it('keeps the last good version of a listener whose newest one cannot be', () => {
    const bad = fixtures.listener('L', 1_001, 'R', { filterChains: [{ name: 'empty' }] });
    const { settled, description } = describeAll(resources(bad, routes, cluster, endpoints), good);
    expect(settled.refused).toMatchObject([
      { name: 'L', message: 'filterChains[0].filters: 0 network filters, expected one' },
    ]);
    expect(description.listeners).toMatchObject([{ bind: { port: 1_000 } }]);
  });

  it('leaves out what was never good, and what cannot be without it', () => {
    const { settled, description } = describeAll(resources(listener, routes, endpoints, ...other));
    expect(settled.refused).toEqual([
      { typeUrl: TypeUrl.RouteConfiguration, name: 'R', message: 'names unknown cluster "C"' },
    ]);
    expect(description.listeners.map(({ name }) => name)).toEqual(['L2']);
    expect(description.clusters.map(({ name }) => name)).toEqual(['C2']);
  });

  it('lets a cluster that was never good fail what is sent there, and no other route of a table', () => {
    const bad = fixtures.cluster('C', { lbPolicy: 'MAGLEV' });
    const shared = (...more: string[]) =>
      fixtures.routes(
        'R',
        ['C', 'C2', ...more].map((cluster) => ({ match: { prefix: '/' }, route: { cluster } })),
      );
    const first = describeAll(resources(listener, shared(), bad, ...other));
    expect(first.settled.refused.map(({ name }) => name)).toEqual(['C']);
    expect(first.description.clusters).toMatchObject([
      { name: 'C2', endpoints: [{ port: 10 }] },
      { name: 'C', endpoints: [], tls: null },
    ]);
    // Nor does it hold back what comes later.
    const later = resources(listener, shared('C2'), bad, ...other);
    const second = describeAll(later, first.settled.used);
    expect(second.settled.refused.map(({ name }) => name)).toEqual(['C']);
    expect(second.settled.used.get(TypeUrl.RouteConfiguration)!.get('R')).toBe(
      later.get(TypeUrl.RouteConfiguration)!.get('R'),
    );
  });

  group('of a table with several virtual hosts', () => {
    const table = (...hosts: readonly [name: string, cluster: string, domains?: string[]][]) =>
      wired(fixtures.xds, TypeUrl.RouteConfiguration, {
        name: 'R',
        virtualHosts: hosts.map(([name, cluster, domains = [name]]) => ({
          name,
          domains,
          routes: [{ match: { prefix: '/' }, route: { cluster } }],
        })),
      });
    const bad = fixtures.cluster('D', { lbPolicy: 'MAGLEV' });
    const all = [listener, cluster, endpoints, ...other];
    const before = running(table(['a', 'C'], ['b', 'C']), ...all);
    const hostsOf = ({ description }: ReturnType<typeof describeAll>) =>
      description.listeners[0]!.chains[0]!.routes.virtualHosts.map(
        ({ name, domains, routes: [route] }) => `${name} ${domains} ${route!.clusters[0]!.cluster}`,
      );
    const messages = ({ settled }: ReturnType<typeof describeAll>) =>
      settled.refused.map(({ name, message }) => `${name}: ${message}`);

    it('keeps the last good version of those alone that name a cluster which is not there', () => {
      for (const [more, rest] of [
        [[bad], ['D: lbPolicy: ']],
        [[], []],
      ] as const) {
        const wanted = resources(table(['a', 'D'], ['b', 'C2'], ['c', 'C2']), ...all, ...more);
        const first = describeAll(wanted, before);
        expect(hostsOf(first)).toEqual(['a a C', 'b b C2', 'c c C2']);
        expect(messages(first)).toEqual([
          ...rest.map((text) => expect.stringContaining(text)),
          'R: virtual host "a" names unknown cluster "D", its last good version goes on; all other virtual hosts are live',
        ]);
        const used = first.settled.used.get(TypeUrl.RouteConfiguration)!.get('R')!;
        expect(used.version).not.toBe(wanted.get(TypeUrl.RouteConfiguration)!.get('R')!.version);
        const decoded = fixtures.xds.decodeResource(used.any);
        expect(decoded.ok && decoded.resource.value).toEqual(used.value);
        // And so it stays, as the same object, until the cluster is there.
        const settler = newSettler();
        const again = settler.settle(wanted, first.settled.used);
        expect(again.used).toEqual(first.settled.used);
        expect(settler.settle(wanted, again.used).used.get(TypeUrl.RouteConfiguration)!.get('R')).toBe(
          again.used.get(TypeUrl.RouteConfiguration)!.get('R'),
        );
        const mended = describeAll(
          resources(...[...wanted.values()].flatMap((of) => [...of.values()]), fixtures.cluster('D')),
          again.used,
        );
        expect([hostsOf(mended)[0], messages(mended)]).toEqual(['a a D', []]);
      }
    });

    it('lets new ones fail alone', () => {
      const added = describeAll(resources(table(['a', 'C2'], ['b', 'C'], ['c', 'D']), ...all), before);
      expect(hostsOf(added)).toEqual(['a a C2', 'b b C', 'c c D']);
      expect(messages(added)).toEqual([
        'R: virtual host "c" names unknown cluster "D", what is sent there fails; all other virtual hosts are live',
      ]);
      expect(added.description.clusters.find(({ name }) => name === 'D')).toMatchObject({ endpoints: [] });
      // A refused cluster says enough of itself.
      const refused = describeAll(resources(table(['a', 'C2'], ['b', 'C'], ['c', 'D']), ...all, bad), before);
      expect([hostsOf(refused)[0], refused.settled.refused.map(({ name }) => name)]).toEqual(['a a C2', ['D']]);
    });

    it('gives a domain that moved to who has it now', () => {
      const moved = table(['a', 'D', ['new']], ['b', 'C', ['b', 'a']]);
      expect(hostsOf(describeAll(resources(moved, ...all), before))).toEqual(['a new D', 'b b,a C']);
      const wide = running(table(['a', 'C', ['a', 'x']], ['b', 'C']), ...all);
      expect(hostsOf(describeAll(resources(moved, ...all), wide))).toEqual(['a x C', 'b b,a C']);
    });
  });

  it('closes over references: a route to a refused cluster stays as it was, too', () => {
    const added = fixtures.cluster('D', { lbPolicy: 'MAGLEV' });
    const { settled } = describeAll(resources(listener, fixtures.routesTo('R', 'D'), cluster, added, endpoints), good);
    expect(settled.refused.map(({ name }) => name)).toEqual(['D', 'R']);
    expect(settled.used.get(TypeUrl.RouteConfiguration)!.get('R')).toBe(routes);
  });

  it('keeps what was removed while something that runs still names it', () => {
    const { settled } = describeAll(resources(listener), good);
    expect(settled.used).toEqual(good);
    expect(describeAll(resources(...other), good).settled.used).toEqual(running(...other));
  });

  it('lets a listener wait for its routes, or go on as it was', () => {
    expect(describeAll(resources(listener, cluster)).description.listeners).toEqual([]);
    const moved = fixtures.listener('L', 1_001, 'not yet');
    const { settled, description } = describeAll(resources(moved, routes, cluster, endpoints), good);
    expect(settled.refused).toEqual([]);
    expect(description.listeners).toMatchObject([{ bind: { port: 1_000 } }]);
  });

  it('refuses the newcomer at an address that is taken', () => {
    const twin = fixtures.listener('A', 1_000, 'R');
    const { settled } = describeAll(resources(twin, listener, routes, cluster, endpoints), good);
    expect(settled.refused).toEqual([
      { typeUrl: TypeUrl.Listener, name: 'A', message: 'address 127.0.0.1:1000 already belongs to listener "L"' },
    ]);
    expect(describeAll(resources(twin, listener, routes, cluster, endpoints)).settled.refused).toMatchObject([
      { name: 'L' },
    ]);
  });

  it('gives DNS endpoints all their addresses', () => {
    const assignment = {
      clusterName: 'C',
      endpoints: [{ lbEndpoints: [{ endpoint: { address: { socketAddress: { address: 'db', portValue: 5 } } } }] }],
    };
    const change = { type: 'STRICT_DNS', dnsLookupFamily: 'V4_ONLY', loadAssignment: assignment };
    const settled = newSettler().settle(resources(fixtures.cluster('C', change)), nothing);
    const { clusters } = describe(settled, (name) => (name === 'db' ? ['10.0.0.1', '10.0.0.2', '::5'] : []), noFiles);
    expect(clusters[0]!.endpoints.map(({ host, port }) => `${host}:${port}`)).toEqual(['10.0.0.1:5', '10.0.0.2:5']);
  });
});

group('a listener', () => {
  const read = (typedConfig: object) =>
    describeAll(
      resources(
        fixtures.listener('L', 1_000, 'R', {
          filterChains: [{ filters: [{ name: 'f', typedConfig: typedConfig as never }] }],
        }),
        routes,
        cluster,
        endpoints,
      ),
    );

  it('carries opaque TCP to its cluster', () => {
    const { description, settled } = read({ '@type': TypeUrl.TcpProxy, statPrefix: 't', cluster: 'C' });
    expect(settled.refused).toEqual([]);
    expect(description.listeners[0]!.chains).toMatchObject([
      { protocol: 'tcp', routes: { virtualHosts: [{ routes: [{ clusters: [{ cluster: 'C' }], timeoutMs: 0 }] }] } },
    ]);
  });

  it('reads codec options, access log and idle timeout', () => {
    const { description, settled } = read({
      '@type': TypeUrl.MetaProtocolProxy,
      statPrefix: 's',
      idleTimeout: '3s',
      rds: { routeConfigName: 'R' },
      protocol: {
        name: 'whatever',
        codec: {
          name: 'thrift',
          config: { '@type': TypeUrl.TypedStruct, typeUrl: 'x/y', value: { transport: 'framed' } },
        },
      },
      accessLog: [
        {
          name: 'file',
          typedConfig: {
            '@type': 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog',
            path: '/tmp/a.log',
            logFormat: { textFormatSource: { inlineString: '%STATUS%' } },
          },
        },
      ],
    });
    expect(settled.notes).toEqual([]);
    expect(description.listeners[0]!.chains).toMatchObject([
      {
        protocol: 'thrift',
        codecOptions: { transport: 'framed' },
        statPrefix: 's',
        timeouts: { idleMs: 3_000, headMs: 60_000 },
        filters: [{ name: 'access_log', options: { path: '/tmp/a.log', format: '%STATUS%' } }],
      },
    ]);
  });

  it('takes the routes of Aeraki that are written into it', () => {
    const { description, settled } = read({
      '@type': TypeUrl.MetaProtocolProxy,
      statPrefix: 's',
      protocol: { name: 'thrift', codec: { name: 'aeraki.meta_protocol.codec.thrift' } },
      routeConfig: {
        name: 'inline',
        routes: [
          {
            name: 'r',
            match: { metadata: [{ name: 'method', exactMatch: 'gust' }] },
            route: { cluster: 'C', hashPolicy: ['user'] },
            requestMutation: [{ key: 'k', value: 'v' }],
          },
        ],
      },
    });
    expect(settled.refused).toEqual([]);
    expect(description.listeners[0]!.chains[0]!.routes.virtualHosts[0]!.routes).toMatchObject([
      { name: 'r', match: [{ key: 'method' }], hashOn: ['user'], requestMutation: { set: [['k', 'v']] } },
    ]);
  });

  it('is refused with a condition that nobody tests', () => {
    const filter = { name: 'f', typedConfig: { '@type': TypeUrl.TcpProxy, statPrefix: 't', cluster: 'C' } };
    const filterChains = [{ filterChainMatch: { destinationPort: 7, sourcePorts: [9] }, filters: [filter] }];
    const { settled } = describeAll(
      resources(fixtures.listener('L', 1_000, 'R', { filterChains }), cluster, endpoints),
    );
    expect(settled.refused).toMatchObject([
      { name: 'L', message: expect.stringMatching(/^filterChains\[0\]\.filterChainMatch\.sourcePorts: /) },
    ]);
  });

  it('is refused with a filter that we do not have', () => {
    const rbac = { statPrefix: 's', '@type': `type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC` };
    expect(read(rbac).settled.refused).toMatchObject([
      { name: 'L', message: expect.stringContaining('RBAC is not supported') },
    ]);
  });
});

group('secrets', () => {
  const secret = (name: string, value: JsonObject) => wired(fixtures.xds, TypeUrl.Secret, { name, ...value });
  const inline = (text: string) => ({ inlineString: text });
  const authority = new CertificateAuthority();
  const { certificate, key } = authority.issue({ names: ['a.example'] });
  const pair = { tlsCertificate: { certificateChain: inline(certificate), privateKey: inline(key) } };
  const typedConfig = {
    '@type': TypeUrl.DownstreamTlsContext,
    commonTlsContext: { tlsCertificateSdsSecretConfigs: [{ name: 'cred', sdsConfig: { ads: {} } }] },
  };
  const { filterChains } = listener.value as { filterChains: JsonObject[] };
  const gateway = fixtures.listener('L', 1_000, 'R', {
    filterChains: [{ ...filterChains[0], transportSocket: { name: 'tls', typedConfig } }],
  });
  const others = [routes, cluster, endpoints];
  const certificatesOf = ({ settled }: ReturnType<typeof describeAll>) =>
    settled.listeners[0]?.chains[0]?.tls?.certificates;

  it('take the place of their names', () => {
    const label = 'secret cred';
    const wanted = resources(gateway, ...others, secret('cred', pair));
    expect(certificatesOf(describeAll(wanted))).toEqual([
      { chain: { inline: certificate, label }, key: { inline: key, label } },
    ]);
  });

  it('that are unknown, or are something else, refuse who names them', () => {
    const refusal = (...secrets: ReturnType<typeof secret>[]) => {
      const { settled } = describeAll(resources(gateway, ...others, ...secrets), good);
      expect(settled.used.get(TypeUrl.Listener)!.get('L')).toBe(listener);
      return settled.refused.map(({ name, message }) => `${name} ${message}`);
    };
    expect(refusal()).toEqual(['L names secret "cred", which is unknown']);
    const ca = { validationContext: { trustedCa: inline(authority.certificate) } };
    expect(refusal(secret('cred', ca))).toEqual(['L names secret "cred", which is without a certificate']);
  });

  it('keep their last good version, and stay while they are named', () => {
    const before = resources(gateway, ...others, secret('cred', pair));
    const bad = secret('cred', { tlsCertificate: { certificateChain: inline('x'), privateKey: inline(key) } });
    for (const wanted of [resources(gateway, ...others, bad), resources(gateway, ...others)]) {
      expect(certificatesOf(describeAll(wanted, before))).toMatchObject([{ chain: { inline: certificate } }]);
    }
  });
});
