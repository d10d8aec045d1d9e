import { describe, expect, it } from 'vitest';
import {
  closedManifest,
  findingsOf,
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
import type { Translation } from './translator.ts';

const FILES = { 's.yaml': SERVICE, 'd.yaml': RULE };

function outcome(translation: Translation, key: string): string {
  return translation.verdicts.get(key)!.outcome;
}

function subsetsOfRoutes({ mesh }: Translation): string[] {
  return mesh.tables.flatMap((table) =>
    table.routes.flatMap((route) => route.destinations.map((destination) => destination.subset)),
  );
}

const ROUTER = 'MetaRouter/shop/echo';

describe('validity per resource', () => {
  it('keeps the last good version of an invalid resource while others change', () => {
    const mesh = new TestMesh();
    mesh.apply({ ...FILES, 'r.yaml': router(`[{ ${to('v1')} }]`) });
    const broken = mesh.apply({
      ...FILES,
      's.yaml': SERVICE.replace('7001', '7009'),
      'r.yaml': router('[{ route: 1 }]'),
    });
    expect([outcome(broken, ROUTER), outcome(broken, 'ServiceEntry/shop/echo')]).toEqual(['lastGood', 'accepted']);
    expect(subsetsOfRoutes(broken)).toEqual(['v1']);
    expect(broken.mesh.services[0]!.endpoints[0]!.ports.get('tcp-metaprotocol-thrift')).toBe(7009);
    expect(subsetsOfRoutes(mesh.apply({ ...FILES, 'r.yaml': router(`[{ ${to('v2')} }]`) }))).toEqual(['v2']);
  });

  it('refuses a resource that was never good, as if it were not there', () => {
    const translation = new TestMesh().apply({ ...FILES, 'r.yaml': router('[{ route: 1 }]') });
    expect([outcome(translation, ROUTER), translation.mesh.tables]).toEqual(['refused', []]);
  });

  it('does not bring back the last good version of a resource that was deleted meanwhile', () => {
    const mesh = new TestMesh();
    mesh.apply({ ...FILES, 'r.yaml': router(`[{ ${to('v1')} }]`) });
    mesh.apply(FILES);
    expect(mesh.apply({ ...FILES, 'r.yaml': router('[{ route: 1 }]') }).mesh.tables).toEqual([]);
  });

  it('goes on with a route whose subset is gone, says so, and heals when it comes back', () => {
    const mesh = new TestMesh();
    const files = { ...FILES, 'r.yaml': router(`[{ ${to('v2')} }]`) };
    mesh.apply(files);
    const gone = mesh.apply({ ...files, 'd.yaml': RULE.replace('name: v2', 'name: v3') });
    expect([outcome(gone, ROUTER), subsetsOfRoutes(gone)]).toEqual(['lastGood', ['v2']]);
    expect(findingsOf(gone)).toEqual([
      `error r.yaml:7 spec.routes[0].route[0].destination.subset: ${HOST} has no subset v2, expected one of v1, v3`,
    ]);
    expect(outcome(mesh.apply(files), ROUTER)).toBe('accepted');
  });

  it('makes the last good version anew where it is still sound, so that it follows the services', () => {
    const mesh = new TestMesh();
    mesh.apply({ ...FILES, 'r.yaml': router(`[{ ${to('v1')} }]`) });
    const moved = SERVICE.replace('number: 9090', 'number: 9191');
    const broken = mesh.apply({ ...FILES, 's.yaml': moved, 'r.yaml': router('[{ route: 1 }]') });
    expect(broken.mesh.tables.map((table) => table.port)).toEqual([9191]);
  });

  it('keeps a service whose protocol is no longer defined', () => {
    const mesh = new TestMesh();
    const protocol =
      'apiVersion: metaprotocol.aeraki.io/v1alpha1\nkind: ApplicationProtocol\nmetadata: { name: a }\nspec: { protocol: mine, codec: aeraki.meta_protocol.codec.thrift }\n';
    const service = SERVICE.replaceAll('metaprotocol-thrift', 'metaprotocol-mine');
    mesh.apply({ 's.yaml': service, 'p.yaml': protocol });
    const without = mesh.apply({ 's.yaml': service });
    expect([outcome(without, 'ServiceEntry/shop/echo'), without.mesh.services[0]!.ports[0]!.protocol]).toMatchObject([
      'lastGood',
      { kind: 'codec', name: 'mine' },
    ]);
  });
});

describe('references of a MetaRouter', () => {
  const messages = (route: string, manifests = [testManifest(), tcpManifest()]): string[] =>
    findingsOf(new TestMesh(manifests).apply({ ...FILES, 'r.yaml': router(`[{ ${route} }]`) })).map((finding) =>
      finding.slice(finding.indexOf(': ') + 2),
    );

  it('names what exists where a host, port or subset does not', () => {
    expect(messages('route: [{ destination: { host: echo.shop.svc.cluster.locl } }]')).toEqual([
      `no service has the host echo.shop.svc.cluster.locl; did you mean ${HOST}?`,
    ]);
    expect(messages(`route: [{ destination: { host: ${HOST}, port: { number: 80 } } }]`)).toEqual([
      `${HOST} has no port 80, expected one of 9090`,
    ]);
    expect(messages(to('v9'))).toEqual([`${HOST} has no subset v9, expected one of v1, v2`]);
  });

  it('warns of a near miss of a fixed attribute where the protocol has an open namespace', () => {
    expect(messages(`match: { attributes: { metod: { exact: x }, trace: { exact: y } } }, ${to('v1')}`)).toEqual([
      'metod is close to the attribute method of thrift; as it stands it means a THeader header',
    ]);
  });

  it('refuses an unknown attribute where it has none, with those that exist', () => {
    const mesh = new TestMesh([closedManifest('redis')]);
    const service = SERVICE.replaceAll('metaprotocol-thrift', 'metaprotocol-redis');
    const translation = mesh.apply({
      's.yaml': service,
      'd.yaml': RULE,
      'r.yaml': router(
        `[{ match: { attributes: { comand: { exact: GET } } }, requestMutation: [{ key: command, value: x }], ${to('v1')} }]`,
      ),
    });
    expect(findingsOf(translation)).toEqual([
      'error r.yaml:7 spec.routes[0].match.attributes.comand: redis has no attribute comand, expected one of command (did you mean command?)',
      'error r.yaml:7 spec.routes[0].requestMutation[0].key: redis cannot change its attribute command, expected one of none',
      'error r.yaml:7 spec.routes[0].requestMutation: redis cannot carry request mutations',
    ]);
  });

  it('asks whether the codec, with its options, carries mutations', () => {
    const mutation = `requestMutation: [{ key: foo, value: bar }], ${to('v1')}`;
    expect(messages(mutation)).toEqual([
      'with transport auto, thrift carries request mutations on some messages only; those that cannot are counted',
    ]);
    const withOptions = (transport: string): Translation => {
      const protocol = `apiVersion: metaprotocol.aeraki.io/v1alpha1\nkind: ApplicationProtocol\nmetadata: { name: a }\nspec: { protocol: thrift, codec: thrift, options: { transport: ${transport} } }\n`;
      return new TestMesh().apply({ ...FILES, 'p.yaml': protocol, 'r.yaml': router(`[{ ${mutation} }]`) });
    };
    expect(findingsOf(withOptions('header'))).toEqual([]);
    expect(findingsOf(withOptions('framed'))).toEqual([
      'error r.yaml:7 spec.routes[0].requestMutation: actual transport framed, which cannot carry request mutations; expected header or auto (options of an ApplicationProtocol)',
    ]);
    expect(messages(`headers: { response: { set: { method: x } } }, ${to('v1')}`)[0]).toBe(
      'thrift cannot change its attribute method, expected one of a THeader header',
    );
  });

  it('says which of two values for one key is used', () => {
    const twice =
      'requestMutation: [{ key: foo, value: a }, { key: foo, value: b }], headers: { request: { set: { foo: c } } }';
    expect(messages(`${twice}, ${to('v1')}`).filter((message) => !message.includes('counted'))).toEqual([
      'foo is set before to "a": this one is used',
      'foo is set before to "b": this one is used',
    ]);
  });

  it('refuses headers of HTTP that no message carries', () => {
    const files = { 's.yaml': SERVICE.replaceAll('tcp-metaprotocol-thrift', 'http'), 'd.yaml': RULE };
    const said = (route: string): string =>
      findingsOf(
        new TestMesh([httpManifest()]).apply({ ...files, 'r.yaml': router(`[{ ${route}, ${to('v1')} }]`) }),
      ).join();
    expect(said('requestMutation: [{ key: a, value: "1\\r\\nb: 2" }]')).toBe(
      'error r.yaml:7 spec.routes[0].requestMutation[0].key: actual "1\\r\\nb: 2" for "a", expected a header value of ASCII characters in one line',
    );
    expect(said('headers: { response: { add: { "a b": x } } }')).toContain('for "a b", expected a header name');
    expect(said('headers: { request: { remove: ["a:"] } }')).toContain('actual "a:", expected a header name');
    expect(said('requestMutation: [{ key: Host, value: "a/b" }]')).toContain('expected a host, or a host and port');
    expect(said('requestMutation: [{ key: x-a, value: "50% off" }, { key: host, value: "a:80" }]')).toBe('');
  });

  it('finds the service of a short host in its own namespace', () => {
    const short = router(`[{ route: [{ destination: { host: echo } }] }]`).replace(`hosts: [${HOST}]`, 'hosts: [echo]');
    const translation = new TestMesh().apply({ ...FILES, 'r.yaml': short });
    expect([findingsOf(translation), translation.mesh.tables.map(({ host }) => host)]).toEqual([[], [HOST]]);
  });

  it('refuses a destination of another protocol', () => {
    const other = SERVICE.replaceAll('echo', 'other')
      .replace('127.0.10.1', '127.0.10.2')
      .replaceAll('tcp-metaprotocol-thrift', 'tcp');
    const translation = new TestMesh().apply({
      ...FILES,
      'o.yaml': other,
      'r.yaml': router('[{ route: [{ destination: { host: other.shop.svc.cluster.local } }] }]'),
    });
    expect(findingsOf(translation)).toEqual([
      'error r.yaml:7 spec.routes[0].route[0].destination: port 9090 of other.shop.svc.cluster.local speaks opaque tcp, expected thrift',
    ]);
  });

  it('says of a router without a service that it has no effect', () => {
    const translation = new TestMesh().apply({
      'r.yaml': router(`[{ route: [{ destination: { host: a } }] }]`).replace(
        'routes:',
        'localRateLimit: { tokenBucket: { maxTokens: 1, tokensPerFill: 1, fillInterval: 1s } }\n  routs:',
      ),
    });
    expect(findingsOf(translation).map((finding) => finding.split(' ')[0])).toEqual([
      'warning',
      'notApplied',
      'warning',
    ]);
  });
});

describe('conflicts', () => {
  it('uses the first of two routers for one host by name, whatever their files, and both say so', () => {
    const translation = new TestMesh().apply({
      ...FILES,
      '1.yaml': router(`[{ ${to('v2')} }]`, 'zeta'),
      '2.yaml': router(`[{ ${to('v1')} }]`, 'alpha'),
    });
    expect(subsetsOfRoutes(translation)).toEqual(['v1', 'v2']);
    expect(findingsOf(translation).sort()).toEqual([
      `shadowed 1.yaml:2 : MetaRouter/shop/alpha is older or sorts first and is used for ${HOST} port 9090`,
      `warning 2.yaml:2 : MetaRouter/shop/zeta wants ${HOST} port 9090 too; this one is older or sorts first and is used`,
    ]);
  });

  it('uses the older one where ages are known', () => {
    const aged = (name: string, year: number, subset: string): string =>
      router(`[{ ${to(subset)} }]`, name).replace(
        'namespace: shop',
        `namespace: shop, creationTimestamp: "${year}-01-01T00:00:00Z"`,
      );
    const translation = new TestMesh().apply({
      ...FILES,
      '1.yaml': aged('alpha', 2024, 'v1'),
      '2.yaml': aged('zeta', 2020, 'v2'),
    });
    expect(subsetsOfRoutes(translation)[0]).toBe('v2');
  });

  it('reports two services with one host and port, and two with one address and port', () => {
    const twin = SERVICE.replace('name: echo', 'name: twin');
    const { mesh, verdicts } = new TestMesh().apply({
      's.yaml': SERVICE,
      't.yaml': twin,
      'u.yaml': twin.replaceAll('echo', 'other').replace('twin', 'zzz'),
    });
    expect(mesh.services.map((service) => service.source)).toEqual(['ServiceEntry/shop/echo', 'ServiceEntry/shop/zzz']);
    const said = (key: string): string[] =>
      verdicts.get(key)!.findings.map((finding) => `${finding.level}: ${finding.message}`);
    expect(said('ServiceEntry/shop/twin')).toEqual([
      `shadowed: ServiceEntry/shop/echo is older or sorts first and is used for ${HOST} port 9090`,
    ]);
    expect(said('ServiceEntry/shop/zzz')).toEqual([
      'shadowed: ServiceEntry/shop/echo is older or sorts first and is used for 127.0.10.1 port 9090',
    ]);
    expect(said('ServiceEntry/shop/echo')).toHaveLength(2);
  });

  it('sees no conflict between resources that nobody sees together', () => {
    const own = (namespace: string): string =>
      SERVICE.replace('namespace: shop', `namespace: ${namespace}`).replace(
        'addresses:',
        'exportTo: ["."]\n  addresses:',
      );
    expect(findingsOf(new TestMesh().apply({ 'a.yaml': own('a'), 'b.yaml': own('b') }))).toEqual([]);
  });
});

describe('endpoints', () => {
  const workload = (name: string, spec: string): string =>
    `apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: { name: ${name}, namespace: shop, labels: { app: echo } }\nspec: ${spec}\n`;
  const selecting = SERVICE.replace(/ {2}endpoints:.*/s, '  workloadSelector: { labels: { app: echo } }\n');

  it('come from WorkloadEntries of the namespace by label', () => {
    const { mesh } = new TestMesh().apply({
      's.yaml': selecting,
      'a.yaml': workload(
        'a',
        '{ address: 10.0.0.1, labels: { app: echo, version: v1 }, ports: { tcp-metaprotocol-thrift: 1234 } }',
      ),
      'b.yaml': workload('b', '{ address: 10.0.0.2, labels: { app: other } }'),
      'c.yaml': workload('c', '{ address: 10.0.0.3 }'),
      'd.yaml': workload('d', '{ address: 10.0.0.4 }').replace('namespace: shop', 'namespace: other'),
    });
    expect(mesh.services[0]!.endpoints.map((endpoint) => endpoint.address)).toEqual(['10.0.0.1', '10.0.0.3']);
  });

  it('may be none, which is said', () => {
    const bare = SERVICE.replace(/ {2}endpoints:.*/s, '');
    expect(findingsOf(new TestMesh().apply({ 's.yaml': bare }))).toEqual([
      'warning s.yaml:5 spec: no endpoints: what is sent to the service fails',
    ]);
  });

  it('leave out a name where only addresses will do, and say so', () => {
    const translation = new TestMesh().apply({
      's.yaml': selecting,
      'a.yaml': workload('a', '{ address: a.example }'),
    });
    expect([translation.mesh.services[0]!.endpoints, findingsOf(translation)]).toEqual([
      [],
      [
        'warning s.yaml:11 spec.workloadSelector: WorkloadEntry/shop/a is not used: its address is a name, which needs resolution DNS',
        'warning s.yaml:11 spec.workloadSelector: no WorkloadEntry of the namespace shop can be taken: what is sent to the service fails',
      ],
    ]);
  });
});
