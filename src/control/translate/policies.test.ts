import { describe, expect, it } from 'vitest';
import { closedManifest, findingsOf, RULE, SERVICE, TestMesh } from '../../../test/harness/control-mesh.ts';
import type { ClusterPolicy } from './mesh.ts';
import { clusterPolicy } from './policies.ts';

function policy(rule: string, subset: string, port = 9090): ClusterPolicy {
  const { mesh } = new TestMesh().apply({ 's.yaml': SERVICE, 'd.yaml': rule });
  const [only] = mesh.policies;
  return clusterPolicy(only!, only!.subsets.get(subset) ?? null, port, null);
}

const LEVELS = `${RULE.replace(
  'version: v2 }',
  'version: v2 }, trafficPolicy: { loadBalancer: { simple: RANDOM } }',
)}  trafficPolicy:
    loadBalancer: { consistentHash: { httpHeaderName: user, ringHash: { minimumRingSize: 64 } } }
    connectionPool: { tcp: { maxConnections: 7, connectTimeout: 250ms, idleTimeout: 1m }, http: { http1MaxPendingRequests: 5, maxConcurrentStreams: 3 } }
    portLevelSettings: [{ port: { number: 9191 }, connectionPool: { tcp: { maxConnections: 2 } } }]
`;

describe('clusterPolicy', () => {
  it('is all defaults without a rule', () => {
    expect(clusterPolicy(null, null, 1, null)).toEqual({
      balancer: 'least_request',
      hashKey: null,
      minimumRingSize: 1_024,
      connectTimeoutMs: 10_000,
      idleTimeoutMs: null,
      maxConnections: 1_024,
      maxPendingRequests: 1_024,
      maxConcurrentStreams: null,
      tls: null,
    });
  });

  it("takes the rule's blocks, and a subset's over them block by block", () => {
    const top = {
      balancer: 'ring_hash',
      hashKey: 'user',
      minimumRingSize: 64,
      maxConnections: 7,
      connectTimeoutMs: 250,
      idleTimeoutMs: 60_000,
      maxPendingRequests: 5,
      maxConcurrentStreams: 3,
      tls: null,
    };
    expect(policy(LEVELS, 'v1')).toEqual(top);
    expect(policy(LEVELS, 'v2')).toEqual({ ...top, balancer: 'random', hashKey: null, minimumRingSize: 1_024 });
  });

  it("lets a port's settings replace the rule's, whole", () => {
    expect(policy(LEVELS, '', 9191)).toMatchObject({
      balancer: 'least_request',
      maxConnections: 2,
      connectTimeoutMs: 10_000,
      maxConcurrentStreams: null,
      tls: null,
    });
  });

  it.each([
    ['ROUND_ROBIN', 'round_robin'],
    ['LEAST_CONN', 'least_request'],
    ['UNSPECIFIED', 'least_request'],
    ['PASSTHROUGH', 'least_request'],
  ])('reads %s as %s', (simple, balancer) => {
    expect(policy(`${RULE}  trafficPolicy: { loadBalancer: { simple: ${simple} } }\n`, '').balancer).toBe(balancer);
  });

  it('checks the hashed attribute against the protocol of the service', () => {
    const service = SERVICE.replaceAll('metaprotocol-thrift', 'metaprotocol-redis');
    const rule = `${RULE}  trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: user } } }\n`;
    const translation = new TestMesh([closedManifest('redis')]).apply({ 's.yaml': service, 'd.yaml': rule });
    expect(findingsOf(translation)).toEqual([
      'error d.yaml:10 spec.trafficPolicy.loadBalancer.consistentHash.httpHeaderName: redis has no attribute user, expected one of command',
    ]);
  });
});

describe('TLS that is asked for', () => {
  it.each([
    [
      '{ mode: ISTIO_MUTUAL }',
      /notApplied .*tls.mode: mutual TLS of the mesh is not built yet: connections are plaintext/,
    ],
    [
      '{ mode: MUTUAL, clientCertificate: /c, privateKey: /k }',
      /notApplied .*tls.mode: a certificate of the proxy’s own/,
    ],
    ['{ mode: SIMPLE, insecureSkipVerify: true }', /warning .*tls.insecureSkipVerify: servers are not verified/],
    ['{ mode: SIMPLE, credentialName: ca }', /warning .*tls.credentialName: no namespace has a Secret ca/],
    ['{ mode: SIMPLE }', /^$/],
  ])('%s: what is not done is said', (tls, expected) => {
    const rule = `${RULE}  trafficPolicy: { tls: ${tls} }\n`;
    expect(findingsOf(new TestMesh().apply({ 's.yaml': SERVICE, 'd.yaml': rule })).join()).toMatch(expected);
  });

  it('is to the service’s host, with the names that its entry says', () => {
    const rule = `${RULE}  trafficPolicy: { tls: { mode: SIMPLE } }\n`;
    const entry = `${SERVICE}  subjectAltNames: [a.test]\n`;
    const { mesh } = new TestMesh().apply({ 's.yaml': entry, 'd.yaml': rule });
    const tlsOf = (names: readonly string[]): unknown =>
      clusterPolicy(mesh.policies[0]!, null, 9090, { ...mesh.services[0]!, subjectAltNames: names }).tls;
    const { host, subjectAltNames } = mesh.services[0]!;
    expect(tlsOf(subjectAltNames)).toEqual({ sni: host, ca: 'system', subjectAltNames: ['a.test'] });
    expect(tlsOf([])).toEqual({ sni: host, ca: 'system', subjectAltNames: [host] });
  });
});

describe('rules of one namespace and host', () => {
  it('are merged: all subsets, the policy of the first; what is lost is said', () => {
    const second = `${RULE.replace('name: echo', 'name: more').replace('{ name: v1,', '{ name: v3,')}  trafficPolicy: { loadBalancer: { simple: RANDOM } }\n`;
    const translation = new TestMesh().apply({ 's.yaml': SERVICE, 'd.yaml': RULE, 'e.yaml': second });
    const [merged, ...others] = translation.mesh.policies;
    expect([others, merged!.sources, [...merged!.subsets.keys()]]).toEqual([
      [],
      ['DestinationRule/shop/echo', 'DestinationRule/shop/more'],
      ['v1', 'v2', 'v3'],
    ]);
    expect(findingsOf(translation)).toEqual([
      'shadowed e.yaml:10 spec.trafficPolicy: DestinationRule/shop/echo is older or sorts first for this host: its traffic policy is used',
      'shadowed e.yaml:9 spec.subsets[1]: DestinationRule/shop/echo has the subset v2 already',
    ]);
  });

  it('are left out where they are for chosen clients, which is said', () => {
    const translation = new TestMesh().apply({
      's.yaml': SERVICE,
      'd.yaml': `${RULE}  workloadSelector: { matchLabels: { app: x } }\n`,
    });
    expect([translation.mesh.policies, findingsOf(translation)]).toEqual([
      [],
      ['notApplied d.yaml:10 spec.workloadSelector: the rule is not used: rules for chosen clients are not built yet'],
    ]);
  });
});
