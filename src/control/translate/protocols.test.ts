import { describe, expect, it } from 'vitest';
import {
  closedManifest,
  findingsOf,
  httpManifest,
  TestMesh,
  tcpManifest,
  testManifest,
  testNode,
} from '../../../test/harness/control-mesh.ts';
import { KnownManifests } from './known-manifests.ts';
import { ProtocolTable } from './protocols.ts';

describe('the protocol of a port', () => {
  const table = new ProtocolTable([testManifest(), tcpManifest(), closedManifest('echo'), closedManifest('echo-rpc')]);
  it.each([
    ['tcp-metaprotocol-thrift', '', 'thrift'],
    ['tcp-metaprotocol-thrift-main', 'TCP', 'thrift'],
    ['tcp-MetaProtocol-Thrift', '', 'thrift'],
    ['tcp-thrift-main', '', 'thrift'],
    ['thrift', '', 'thrift'],
    ['tcp-metaprotocol-echo-rpc-x', '', 'echo-rpc'],
    ['tcp-metaprotocol-echo-x', '', 'echo'],
    ['main', 'THRIFT', 'thrift'],
    ['tcp-metaprotocol-unknown', '', 'nobody'],
    ['tcp-metaprotocol', '', 'nobody'],
    ['tcp', 'HTTP', 'opaque '],
    ['tcp-main', '', 'opaque '],
    ['main', 'TCP', 'opaque '],
    ['main', '', 'opaque '],
    ['tcp-redis', '', 'opaque redis'],
    ['main', 'TLS', 'opaque tls'],
    ['http-web', '', 'no http'],
    ['grpc-web', '', 'no grpc'],
    ['main', 'HTTP2', 'no http2'],
    ['httpx', '', 'opaque '],
  ])('name %s, protocol %j: %s', (name, protocol, expected) => {
    const found = table.ofPort(name, protocol);
    expect(
      found === null
        ? 'nobody'
        : found.kind === 'codec'
          ? found.name
          : found.kind === 'tcp'
            ? `opaque ${found.meant}`
            : `no ${found.name}`,
    ).toBe(expected);
  });
});

it('is not opaque TCP where nobody has a codec for that', () => {
  const table = new ProtocolTable([testManifest()]);
  expect([table.ofPort('tcp-db', ''), table.ofPort('redis', '')]).toEqual([
    { kind: 'unsupported', name: 'opaque TCP' },
    { kind: 'unsupported', name: 'redis' },
  ]);
});

describe('ApplicationProtocol', () => {
  const text = (name: string, spec: string): string =>
    `apiVersion: metaprotocol.aeraki.io/v1alpha1\nkind: ApplicationProtocol\nmetadata: { name: ${name} }\nspec: ${spec}\n`;
  const findings = (...specs: string[]): string[] =>
    findingsOf(
      new TestMesh().apply(Object.fromEntries(specs.map((spec, index) => [`${index}.yaml`, text(`p${index}`, spec)]))),
    );

  it.each([
    [
      '{ protocol: mine, codec: nothing }',
      'error 0.yaml:4 spec.codec: actual "nothing", expected a codec that is built in or that a proxy has: thrift, aeraki.meta_protocol.codec.thrift, tcp',
    ],
    [
      '{ protocol: tcp, codec: thrift }',
      'error 0.yaml:4 spec.protocol: tcp is the built-in codec tcp, expected another name',
    ],
    [
      '{ protocol: mine, codec: thrift, options: { transprt: header } }',
      'error 0.yaml:4 spec.options.transprt: actual an unknown option, expected one of transport, frameLimitBytes (did you mean transport?)',
    ],
    [
      '{ protocol: mine, codec: thrift, options: { transport: smoke } }',
      'error 0.yaml:4 spec.options.transport: actual "smoke", expected one of auto, framed, header',
    ],
    [
      '{ protocol: mine, codec: thrift, options: { frameLimitBytes: 5 } }',
      `error 0.yaml:4 spec.options.frameLimitBytes: actual 5, expected an integer from 1024 to ${Number.MAX_SAFE_INTEGER}`,
    ],
    [
      '{ protocol: mine, codec: thrift, options: { transport: true } }',
      'error 0.yaml:4 spec.options.transport: actual true, expected a string',
    ],
    [
      '{ protocol: mine, codec: thrift, options: { transport: [] } }',
      'error 0.yaml:4 spec.options.transport: actual a list [], expected a text, a number, true or false',
    ],
  ])('refuses %s', (spec, expected) => {
    expect(findings(spec)).toEqual([expected]);
  });

  it.each([
    [
      '{ protocol: mine, codec: tcp, options: { windowBytes: 2048 } }',
      'notApplied 0.yaml:4 spec.options: ports of opaque TCP take no options yet',
    ],
    [
      '{ protocol: auto-mine, codec: thrift }',
      'warning 0.yaml:4 spec.protocol: ports called auto-mine detect what they speak: only tcp-metaprotocol-auto-mine means this',
    ],
  ])('says what has no effect of %s', (spec, expected) => {
    expect(findings(spec)).toEqual([expected]);
  });

  it('refuses an option without what it needs beside it', () => {
    const base = testManifest();
    const needs = { option: 'transport', value: 'framed' };
    const old = { key: 'old', type: 'boolean', default: false, needs, description: '' } as const;
    const mesh = new TestMesh([{ ...base, options: [...base.options, old] }]);
    const said = (options: string) =>
      findingsOf(mesh.apply({ '0.yaml': text('p', `{ protocol: mine, codec: thrift, options: { ${options} } }`) }));
    expect(said('old: true')).toEqual([
      'error 0.yaml:4 spec.options.old: actual true, expected transport: framed beside it',
    ]);
    expect(said('old: true, transport: header')).toHaveLength(1);
    expect([...said('old: true, transport: framed'), ...said('old: false')]).toEqual([]);
  });

  it.each(['http', 'http1'])('that gives options to the codec of %s gives them to each name of that codec', (name) => {
    const table = new ProtocolTable([httpManifest()]);
    const options = { headLimitBytes: 2_048 };
    table.add({ name, manifest: httpManifest(), options, source: 'first' });
    table.add({ name: 'http', manifest: httpManifest(), options: {}, source: 'second' });
    const optionsOf = (port: string) => (table.ofPort(port, '') as { options?: object }).options;
    expect(['http', 'http1', 'http-main', 'tcp-metaprotocol-http1'].map(optionsOf)).toEqual(Array(4).fill(options));
  });

  it('with a name of its own changes no port of another name', () => {
    const table = new ProtocolTable([httpManifest()]);
    table.add({ name: 'strict', manifest: httpManifest(), options: { headLimitBytes: 2_048 }, source: 'first' });
    expect(table.ofPort('http', '')).toMatchObject({ options: {} });
    expect(table.ofPort('strict', '')).toMatchObject({ options: { headLimitBytes: 2_048 } });
  });

  it('is defined by the first of two', () => {
    expect(findings('{ protocol: mine, codec: thrift }', '{ protocol: mine, codec: tcp }')).toEqual([
      'shadowed 1.yaml:4 spec.protocol: ApplicationProtocol/default/p0 is older or sorts first and defines mine',
    ]);
  });
});

describe('KnownManifests', () => {
  const faults: string[] = [];
  const learn = (known: KnownManifests, ...manifests: object[]): boolean =>
    known.learn(testNode({ manifests: JSON.parse(JSON.stringify(manifests)) }), (fault) => faults.push(fault));

  it('learns what proxies announce, the newest version of each, and nothing over what was given', () => {
    const known = new KnownManifests([testManifest()]);
    const old = { ...closedManifest('echo'), version: '1.9.0' };
    expect(learn(known, { ...testManifest(), version: '9.0.0' })).toBe(false);
    expect(learn(known, old)).toBe(true);
    expect(learn(known, old)).toBe(false);
    expect(learn(known, { ...old, version: '1.10.0' })).toBe(true);
    expect(learn(known, old)).toBe(false);
    expect(known.all().map(({ name, version }) => `${name} ${version}`)).toEqual(['thrift 1.0.0', 'echo 1.10.0']);
  });

  it('tells of manifests that it cannot read', () => {
    expect(learn(new KnownManifests([]), { name: 'bad' })).toBe(false);
    expect(faults[0]).toContain('manifest of proxy proxy-1: version: ');
  });
});
