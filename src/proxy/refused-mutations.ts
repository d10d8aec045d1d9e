/** Route changes to messages that could not be carried, as remarks on the routes: configured, and without effect. */
import type { MutationDescription, RouteDescription, RouteTableDescription } from '../metaprotocol/description.ts';
import { TypeUrl } from '../xds/type-urls.ts';
import type { ResourceRemark } from './resource-remark.ts';
import type { StatTotals } from './stat-totals.ts';

const REFUSED = 'route_mutations_refused_total';

/** Of routes that still change something: counters outlive them, and what comes later may have their names. */
export function refusedMutations(
  totals: StatTotals,
  tables: ReadonlyMap<string, RouteTableDescription>,
): ResourceRemark[] {
  return totals.series(REFUSED).flatMap(({ labels, values: [count = 0] }) => {
    const name = labels.routes ?? '';
    const table = tables.get(name);
    if (count === 0 || table === undefined) return [];
    const routes = table.virtualHosts.flatMap((host) => host.routes).filter((route) => route.name === labels.route);
    if (!routes.some(changesMessages)) return [];
    const message = `route "${labels.route}": ${count} changes to messages not applied: their transport cannot carry them`;
    return [{ typeUrl: TypeUrl.RouteConfiguration, name, message }];
  });
}

function changesMessages(route: RouteDescription): boolean {
  return [route, ...route.clusters].some((one) => changes(one.requestMutation) || changes(one.responseMutation));
}

function changes({ set, add, remove }: MutationDescription): boolean {
  return set.length + add.length + remove.length > 0;
}
