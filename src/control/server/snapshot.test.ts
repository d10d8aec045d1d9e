import { expect, it } from 'vitest';
import { cluster, endpoints } from '../../../test/harness/xds-resources.ts';
import { TypeUrl } from '../../xds/type-urls.ts';
import { Xds } from '../../xds/xds.ts';
import { ResourceEncoder } from './resource-encoder.ts';
import { buildSnapshot, emptySnapshot } from './snapshot.ts';

const xds = Xds.load();
const bad = { typeUrl: TypeUrl.Cluster, name: 'a', value: { name: 'a', lbPolicy: 'FASTEST' } };

function build(resources: Parameters<typeof buildSnapshot>[1], previous = emptySnapshot()) {
  return buildSnapshot(new ResourceEncoder(xds), resources, previous);
}

it('keeps the objects of what did not change', () => {
  const first = build([cluster('a'), endpoints('a', 1)]).snapshot;
  const second = build([cluster('a'), endpoints('a', 2)], first).snapshot;
  expect(second.get(TypeUrl.Cluster)!.get('a')).toBe(first.get(TypeUrl.Cluster)!.get('a'));
  expect(second.get(TypeUrl.ClusterLoadAssignment)!.get('a')).not.toBe(
    first.get(TypeUrl.ClusterLoadAssignment)!.get('a'),
  );
});

it('keeps the last good version of a resource that cannot be sent, alone, and tells why', () => {
  const first = build([cluster('a'), cluster('b')]).snapshot;
  const { snapshot, unsendable } = build([bad, cluster('b', '2s')], first);
  expect(snapshot.get(TypeUrl.Cluster)!.get('a')).toBe(first.get(TypeUrl.Cluster)!.get('a'));
  expect(snapshot.get(TypeUrl.Cluster)!.get('b')).not.toBe(first.get(TypeUrl.Cluster)!.get('b'));
  expect(unsendable).toMatchObject([{ name: 'a', issues: [{ path: 'lbPolicy' }] }]);
  expect(build([bad]).snapshot.get(TypeUrl.Cluster)!.size).toBe(0);
});

it('takes the first of two with one name, and no types that ADS does not carry', () => {
  const { snapshot, unsendable } = build([
    cluster('a', '1s'),
    cluster('a', '2s'),
    { typeUrl: TypeUrl.TcpProxy, name: 'x', value: {} },
  ]);
  expect(snapshot.get(TypeUrl.Cluster)!.get('a')!.value.connectTimeout).toBe('1s');
  expect(unsendable.map(({ issues }) => issues[0]!.message)).toEqual([
    'generated twice; the first one is sent',
    `ADS carries no "${TypeUrl.TcpProxy}"`,
  ]);
});
