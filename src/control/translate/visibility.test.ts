import { describe, expect, it } from 'vitest';
import { HOST, RULE, router, SERVICE, TestMesh, to } from '../../../test/harness/control-mesh.ts';
import { hostMatches } from './hosts.ts';
import { MeshIndex } from './mesh-index.ts';
import { isVisible, overlaps, policyFor, tableFor, visibleServices } from './visibility.ts';

describe('exportTo', () => {
  it.each([
    [['*'], 'b', true],
    [['.'], 'a', true],
    [['.'], 'b', false],
    [['b', 'c'], 'b', true],
    [['b', 'c'], 'a', false],
    [['~'], 'a', false],
  ])('%j in namespace a is seen from %s: %s', (exportTo, from, seen) => {
    expect(isVisible({ namespace: 'a', exportTo }, from)).toBe(seen);
  });

  it.each([
    [['*'], ['*'], true],
    [['.'], ['.'], false],
    [['.'], ['*'], true],
    [['c'], ['c'], true],
    [['c'], ['d'], false],
    [['~'], ['*'], false],
  ])('%j in a and %j in b are seen together: %s', (first, second, together) => {
    expect(overlaps({ namespace: 'a', exportTo: first }, { namespace: 'b', exportTo: second })).toBe(together);
  });

  it("prefers the caller's own namespace among services of one host", () => {
    const own = (namespace: string): string =>
      SERVICE.replace('namespace: shop', `namespace: ${namespace}`).replace(
        'addresses:',
        `exportTo: [${namespace === 'b' ? '"."' : '"*"'}]\n  addresses:`,
      );
    const { mesh } = new TestMesh().apply({ 'c.yaml': own('c'), 'b.yaml': own('b').replace('9090', '9091') });
    expect(visibleServices(mesh.services, 'b').map((service) => service.namespace)).toEqual(['b', 'c']);
    expect(visibleServices(mesh.services, 'd').map((service) => service.namespace)).toEqual(['c']);
  });

  it('limits who uses a router: others see the next one, or none', () => {
    const files = {
      's.yaml': SERVICE,
      'd.yaml': RULE,
      'r.yaml': router(`[{ ${to('v1')} }]`, 'alpha', '  exportTo: ["."]\n'),
      'q.yaml': router(`[{ ${to('v2')} }]`, 'beta'),
    };
    const index = new MeshIndex(new TestMesh().apply(files).mesh);
    expect([
      tableFor(index, HOST, 9090, 'thrift', 'shop')?.source,
      tableFor(index, HOST, 9090, 'thrift', 'other')?.source,
    ]).toEqual(['MetaRouter/shop/alpha', 'MetaRouter/shop/beta']);
    expect(tableFor(index, HOST, 1, 'thrift', 'shop')).toBeNull();
  });
});

describe('the lookup of a DestinationRule', () => {
  const rule = (namespace: string, host = HOST, exportTo = '["*"]'): string =>
    RULE.replace('namespace: shop', `namespace: ${namespace}`).replace(
      `host: ${HOST}`,
      `host: "${host}"\n  exportTo: ${exportTo}`,
    );
  const chosen = (client: string, ...rules: string[]): string | undefined => {
    const { mesh } = new TestMesh().apply({
      's.yaml': SERVICE,
      ...Object.fromEntries(rules.map((text, index) => [`${index}.yaml`, text])),
    });
    return policyFor(new MeshIndex(mesh), mesh.rootNamespace, mesh.services[0]!, client)?.sources[0];
  };

  it("takes the caller's namespace, then the service's, then the root", () => {
    const all = [rule('client'), rule('shop'), rule('istio-system')];
    expect(chosen('client', ...all)).toBe('DestinationRule/client/echo');
    expect(chosen('other', ...all)).toBe('DestinationRule/shop/echo');
    expect(chosen('other', rule('client'), rule('istio-system'))).toBe('DestinationRule/istio-system/echo');
    expect(chosen('other', rule('client'))).toBeUndefined();
  });

  it('honours exportTo but for the own namespace', () => {
    expect(chosen('client', rule('client', HOST, '["other"]'))).toBe('DestinationRule/client/echo');
    expect(chosen('client', rule('shop', HOST, '["."]'))).toBeUndefined();
  });

  it('takes the exact host, else the longest wildcard', () => {
    expect(
      chosen('shop', rule('shop', '*'), rule('shop', '*.svc.cluster.local').replace('name: echo', 'name: long')),
    ).toBe('DestinationRule/shop/long');
    expect(hostMatches('*.example', 'example')).toBe(false);
  });
});
