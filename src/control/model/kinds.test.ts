import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findingsOf, HOST, RULE, router, SERVICE, TestMesh, to } from '../../../test/harness/control-mesh.ts';
import { KINDS } from './kinds.ts';

/** Findings of one broken resource beside sound ones, without level and file. */
function findings(files: Record<string, string>): string[] {
  return findingsOf(new TestMesh().apply({ 's.yaml': SERVICE, 'd.yaml': RULE, ...files })).map((finding) =>
    finding.replace(/ \S+\.yaml:\d+/, ''),
  );
}

function routerFindings(route: string): string[] {
  return findings({ 'r.yaml': router(`[{ ${route} }]`) });
}

const AT = 'error spec.routes[0]';

describe('MetaRouter', () => {
  it.each([
    [
      `match: { attributes: { a: { exact: x, prefix: y } } }, ${to('v1')}`,
      `${AT}.match.attributes.a: actual an object {"exact":"x","prefix":"y"}, expected one of exact, prefix, regex`,
    ],
    [
      `match: { attributes: { a: { prefix: '' } } }, ${to('v1')}`,
      `${AT}.match.attributes.a.prefix: actual "", expected a text that is not empty`,
    ],
    [
      `match: { attributes: { a: { exact: 1 } } }, ${to('v1')}`,
      `${AT}.match.attributes.a.exact: actual 1, expected a text (quote numbers and booleans)`,
    ],
    ['route: []', `${AT}.route: actual a list [], expected a list of at least 1 item`],
    [
      `requestMutation: [{ key: '', value: x }], ${to('v1')}`,
      `${AT}.requestMutation[0].key: actual "", expected a text that is not empty`,
    ],
    [
      `mirrorPercentage: { value: 5 }, ${to('v1')}`,
      `${AT}.mirrorPercentage: actual an object {"value":5}, expected a mirror beside it`,
    ],
    [
      `mirror: { host: ${HOST} }, mirrorPercentage: { value: 0 }, ${to('v1')}`,
      `${AT}.mirrorPercentage.value: actual 0, expected 0.0001 to 100`,
    ],
    [
      `mirror: { host: ${HOST} }, mirrorPercentage: { value: 0.00001 }, ${to('v1')}`,
      `${AT}.mirrorPercentage.value: actual 0.00001, expected 0.0001 to 100`,
    ],
    [
      `headers: { request: { set: { '': x } } }, ${to('v1')}`,
      `${AT}.headers.request.set[""]: actual "", expected a key that is a text that is not empty`,
    ],
    [`timeout: soon, ${to('v1')}`, `${AT}.timeout: actual "soon", expected a duration such as 1.5s, 200ms or 1m`],
    ...['1ns', '999us', '87660001h', '99999999999999999999h'].map((timeout) => [
      `timeout: ${timeout}, ${to('v1')}`,
      `${AT}.timeout: actual "${timeout}", expected 0s, or a duration from 1ms to 87660000h`,
    ]),
    [
      `route: [{ destination: { host: ${HOST}, subset: a|b } }]`,
      `${AT}.route[0].destination.subset: actual "a|b", expected a DNS label: at most 63 of a-z, A-Z, 0-9 and -`,
    ],
  ])('refuses %s', (route, expected) => {
    expect(routerFindings(route)).toEqual([expected]);
  });

  it('refuses weights that do not sum to 100', () => {
    const part = (weight: number): string => `{ destination: { host: ${HOST} }, weight: ${weight} }`;
    expect(routerFindings(`route: [${part(10)}, ${part(20)}]`).join()).toContain(
      'expected weights that sum to 100, not 30',
    );
  });

  it.each(['(', 'a(?=b)', '\\\\1', ''])('refuses the regex %j, which RE2 does not know', (regex) => {
    expect(routerFindings(`match: { attributes: { a: { regex: "${regex}" } } }, ${to('v1')}`).join()).toContain(
      'expected an RE2 regular expression (',
    );
  });

  it.each(['null', '{}', "{ exact: '' }", "{ regex: '*' }"])('reads %s as presence', (match) => {
    const { mesh } = new TestMesh().apply({
      's.yaml': SERVICE,
      'd.yaml': RULE,
      'r.yaml': router(`[{ match: { attributes: { a: ${match} } }, ${to('v1')} }]`),
    });
    expect(mesh.tables[0]!.routes[0]!.match).toEqual([{ key: 'a', test: { kind: 'present' }, negated: false }]);
  });

  it.each(['0s', '0', '1ms', '87660000h'])('takes the timeout %s', (timeout) => {
    expect(routerFindings(`timeout: "${timeout}", ${to('v1')}`)).toEqual([]);
  });

  it('reads an empty subset as none, as protobuf does, and names of any case', () => {
    const subsets = (subset: string): string[] => {
      const { mesh } = new TestMesh().apply({
        's.yaml': SERVICE,
        'd.yaml': RULE.replace('name: v2', 'name: V2'),
        'r.yaml': router(`[{ ${to(subset)} }]`),
      });
      return mesh.tables[0]!.routes[0]!.destinations.map((destination) => destination.subset);
    };
    expect([subsets("''"), subsets('V2')]).toEqual([[''], ['V2']]);
  });

  it('wants exactly one host and something to do', () => {
    const hosts = (text: string) =>
      findings({ 'r.yaml': router(`[{ ${to('v1')} }]`).replace(`hosts: [${HOST}]`, `hosts: ${text}`) });
    expect(hosts('[a, b]')).toEqual(['error spec.hosts: actual a list ["a","b"], expected exactly one host']);
    expect(hosts('[]')).toEqual(['error spec.hosts: actual a list [], expected exactly one host']);
    expect(hosts('a')).toEqual(['error spec.hosts: actual "a", expected a list']);
    expect(findings({ 'r.yaml': router('[]') }).join()).toContain(
      'expected at least one of routes, localRateLimit, globalRateLimit',
    );
  });

  it('accepts rate limits and says that they do nothing yet', () => {
    const limits = `  localRateLimit: { tokenBucket: { maxTokens: 5, tokensPerFill: 5, fillInterval: 60s }, conditions: [{ match: { attributes: { method: { exact: x } } }, tokenBucket: { maxTokens: 1, tokensPerFill: 1, fillInterval: 1s } }] }
  globalRateLimit: { domain: d, rateLimitService: outbound|8081||limits, requestTimeout: 100ms, descriptors: [{ property: method, descriptorKey: method }] }
`;
    expect(findings({ 'r.yaml': router(`[{ ${to('v1')} }]`, 'echo', limits) })).toEqual([
      'notApplied spec.localRateLimit: rate limits are not built yet',
      'notApplied spec.globalRateLimit: rate limits are not built yet',
    ]);
  });
});

describe('every kind', () => {
  it.each([
    ['name: a/b', 'metadata.name: actual "a/b", expected a name of at most 253 of a-z, 0-9, - and .'],
    ['name: -a', 'metadata.name: actual "-a", expected a name of at most 253 of a-z, 0-9, - and .'],
    ['name: a, namespace: b/c', 'metadata.namespace: actual "b/c", expected a DNS label: at most 63 of a-z, 0-9 and -'],
    ['name: a, namespace: B', 'metadata.namespace: actual "B", expected a DNS label: at most 63 of a-z, 0-9 and -'],
  ])('has names that tell resources apart: not { %s }', (metadata, expected) => {
    const text = router(`[{ ${to('v1')} }]`).replace('name: echo, namespace: shop', metadata);
    expect(findings({ 'r.yaml': text })).toEqual([`error ${expected}`]);
  });

  it('may leave the namespace empty', () => {
    const text = router(`[{ ${to('v1')} }]`).replace('namespace: shop', "namespace: ''");
    expect(findings({ 'r.yaml': text })).toEqual([]);
  });
});

describe('ServiceEntry', () => {
  it.each([
    [SERVICE.replace('  resolution: STATIC\n', ''), 'expected no endpoints with resolution NONE'],
    [
      SERVICE.replace('STATIC\n', 'STATIC\n  workloadSelector: { labels: { app: x } }\n'),
      'expected either endpoints or workloadSelector, not both',
    ],
    [
      SERVICE.replace('ports: { tcp-metaprotocol-thrift: 7001 }', 'ports: { other: 7001 }'),
      "expected one of the service's port names: tcp-metaprotocol-thrift",
    ],
    [SERVICE.replace('address: 127.0.0.1,', 'address: name.example,'), 'expected an IP address with resolution STATIC'],
    [SERVICE.replace('addresses: [127.0.10.1]', 'addresses: [127.0.10.999]'), 'expected an IP address or a CIDR range'],
    [SERVICE.replace(HOST, '"*"'), 'expected a host name, with a wildcard at most as its first label'],
    [SERVICE.replace('addresses:', 'exportTo: [".", "."]\n  addresses:'), 'expected each namespace once'],
    [
      SERVICE.replaceAll('tcp-metaprotocol-thrift', 'tcp-metaprotocol-thrif'),
      "expected tcp-metaprotocol-<protocol> with one of tcp, thrift, or of a proxy's --plugin",
    ],
    [
      SERVICE.replaceAll('address: 127.0.0.1, ports: { tcp-metaprotocol-thrift: 7001 }', 'address: 127.0.10.1'),
      "actual 127.0.10.1:9090, the service's own address: its listener would call itself",
    ],
  ])('refuses %#', (text, expected) => {
    expect(findings({ 's.yaml': text }).join('\n')).toContain(expected);
  });

  it('says of what it accepts and does not apply', () => {
    const text = SERVICE.replace('addresses: [127.0.10.1]', 'addresses: [127.0.10.1, 10.0.0.0/8]').replace(
      'ports:\n',
      'ports:\n    - { number: 80, name: http }\n    - { number: 6379, name: redis }\n',
    );
    expect(findings({ 's.yaml': text })).toEqual([
      'notApplied spec.ports[0]: http is not built yet: the port gets no listener',
      'notApplied spec.ports[1]: redis has no codec here: the port is served as opaque TCP',
      'notApplied spec.addresses[1]: a range needs interception, which is not built yet: no listener for it',
    ]);
  });
});

describe('DestinationRule', () => {
  const policy = (text: string): string[] => findings({ 'd.yaml': `${RULE}  trafficPolicy: ${text}\n` });

  it('refuses what contradicts itself', () => {
    expect(policy('{ loadBalancer: { simple: RANDOM, consistentHash: { httpHeaderName: a } } }').join()).toContain(
      'expected either simple or consistentHash, not both',
    );
    expect(policy('{ loadBalancer: { consistentHash: { httpHeaderName: a, useSourceIp: true } } }').join()).toContain(
      'expected exactly one of httpHeaderName',
    );
    const tls = (fields: string): string => policy(`{ tls: { mode: SIMPLE, ${fields} } }`).join();
    expect(tls('insecureSkipVerify: true, caCertificates: /ca')).toContain(
      'tls.insecureSkipVerify: actual true, expected either',
    );
    expect(tls('credentialName: a, caCertificates: /ca')).toContain('expected either credentialName or files');
    expect(policy('{ tls: { mode: MUTUAL } }').join()).toContain('tls.clientCertificate');
    expect(findings({ 'd.yaml': RULE.replace('name: v2', 'name: v1') }).join()).toContain(
      'expected each subset name once',
    );
    expect(findings({ 'd.yaml': RULE.replace('name: v2', 'name: "a|b"') }).join()).toContain(
      'subsets[1].name: actual "a|b", expected a DNS label',
    );
    const twice = [1, 2].map(
      (size) => `{ port: { number: 9090 }, connectionPool: { tcp: { maxConnections: ${size} } } }`,
    );
    expect(policy(`{ portLevelSettings: [${twice}] }`)).toEqual([
      'error spec.trafficPolicy.portLevelSettings[1].port.number: actual 9090, expected each port once',
    ]);
  });

  it('says of settings for a port and of a subset that nothing has', () => {
    expect(policy('{ portLevelSettings: [{ port: { number: 80 }, loadBalancer: { simple: RANDOM } }] }')).toEqual([
      `warning spec.trafficPolicy.portLevelSettings[0].port.number: ${HOST} has no port 80, there are 9090: these settings have no effect`,
    ]);
    expect(findings({ 'd.yaml': RULE.replace('version: v2', 'version: v7, tier: a') })).toEqual([
      'warning spec.subsets[1].labels: no endpoint has the labels version=v7, tier=a: what is sent to this subset fails',
    ]);
  });

  it('says of each block that does nothing yet, at every level', () => {
    const text =
      `${RULE}  trafficPolicy: { outlierDetection: {}, portLevelSettings: [{ port: { number: 9090 }, tls: { mode: SIMPLE, caCrl: /crl } }] }\n`.replace(
        'version: v2 } }',
        'version: v2 }, trafficPolicy: { loadBalancer: { warmup: {} } } }',
      );
    expect(findings({ 'd.yaml': text })).toEqual([
      'notApplied spec.trafficPolicy.outlierDetection: outlier detection is not built yet',
      'notApplied spec.trafficPolicy.portLevelSettings[0].tls.caCrl: revocation lists are not built yet',
      'notApplied spec.subsets[1].trafficPolicy.loadBalancer.warmup: warm-up is not built yet',
    ]);
  });
});

describe('docs/config.md', () => {
  const page = readFileSync(new URL('../../../docs/config.md', import.meta.url), 'utf8');

  it.each(KINDS.map((kind) => kind.kind))('names %s and each of its fields that are not applied', (kind) => {
    const definition = KINDS.find((each) => each.kind === kind)!;
    expect(page).toContain(`## ${kind}`);
    const section = page.split(`## ${kind}\n`)[1]!.split('\n## ')[0]!;
    for (const { path } of definition.notApplied) {
      const field = path.replace(/^spec\.(subsets\[\]\.)?(trafficPolicy\.)?(portLevelSettings\[\]\.)?/, '');
      expect(section, path).toContain(`\`${field}\``);
    }
  });
});
