/** Route changes to messages that could not be carried, as remarks on the routes: configured, and without effect. */
import { TypeUrl } from '../xds/type-urls.ts';
import type { ResourceRemark } from './resource-remark.ts';
import type { StatTotals } from './stat-totals.ts';

const REFUSED = 'route_mutations_refused_total';

export function refusedMutations(totals: StatTotals): ResourceRemark[] {
  return totals.series(REFUSED).flatMap(({ labels, values: [count = 0] }) => {
    if (count === 0) return [];
    const message = `route "${labels.route}": ${count} changes to messages not applied: their transport cannot carry them`;
    return [{ typeUrl: TypeUrl.RouteConfiguration, name: labels.routes ?? '', message }];
  });
}
