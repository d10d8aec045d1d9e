import { expect, it } from 'vitest';
import { TypeUrl } from '../xds/type-urls.ts';
import { readCluster } from './describe/cluster.ts';
import { Reader, Report } from './describe/reader.ts';
import { Fixtures } from './testing/resources.ts';
import { askedNames, unresolvedNames } from './unresolved-names.ts';

it('tells each name that is not found on the clusters that ask for it, once', () => {
  const endpoint = (address: string, portValue: number) => ({
    endpoint: { address: { socketAddress: { address, portValue } } },
  });
  const lbEndpoints = [endpoint('gone.test', 1), endpoint('gone.test', 2), endpoint('old.test', 1), endpoint('ok', 1)];
  const fixtures = new Fixtures();
  const clusters = ['a', 'b'].map((name) => {
    const type = name === 'a' ? { type: 'STRICT_DNS' } : {};
    const { value } = fixtures.cluster(name, {
      ...type,
      loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints }] },
    });
    return readCluster(new Reader(value, '', new Report()));
  });
  const names = {
    faultOf: (name: string) => (name === 'ok' ? null : 'not found'),
    addressesOf: (name: string) => (name === 'old.test' ? ['10.0.0.1'] : []),
  };
  expect(unresolvedNames(names, askedNames(clusters))).toEqual([
    { typeUrl: TypeUrl.Cluster, name: 'a', message: 'gone.test is not resolved, it has no address: not found' },
    {
      typeUrl: TypeUrl.Cluster,
      name: 'a',
      message: 'old.test is not resolved, its last addresses are used: not found',
    },
  ]);
});
