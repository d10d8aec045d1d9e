/** Names of endpoints that are not found now, as remarks on the clusters whose endpoints they are. */
import { TypeUrl } from '../xds/type-urls.ts';
import type { ClusterPlan } from './describe/cluster.ts';
import type { DnsNames } from './dns-names.ts';
import type { ResourceRemark } from './resource-remark.ts';

/** A name that a cluster asks for. */
export interface AskedName {
  readonly cluster: string;
  readonly name: string;
}

export function askedNames(clusters: readonly ClusterPlan[]): AskedName[] {
  return clusters.flatMap(({ name: cluster, discovery }) => {
    const names = new Set(discovery.kind === 'dns' ? discovery.endpoints.map(({ host }) => host) : []);
    return [...names].map((name) => ({ cluster, name }));
  });
}

export function unresolvedNames(
  names: Pick<DnsNames, 'faultOf' | 'addressesOf'>,
  asked: readonly AskedName[],
): ResourceRemark[] {
  return asked.flatMap(({ cluster, name }) => {
    const fault = names.faultOf(name);
    if (fault === null) return [];
    const instead = names.addressesOf(name).length === 0 ? 'it has no address' : 'its last addresses are used';
    return [{ typeUrl: TypeUrl.Cluster, name: cluster, message: `${name} is not resolved, ${instead}: ${fault}` }];
  });
}
