import { expect, it } from 'vitest';
import { StatsStore } from '../metaprotocol/stats.ts';
import type { JsonObject } from '../xds/json.ts';
import { TypeUrl } from '../xds/type-urls.ts';
import { Xds } from '../xds/xds.ts';
import { Reader, Report } from './describe/reader.ts';
import { readRouteTable } from './describe/route-table.ts';
import { refusedMutations } from './refused-mutations.ts';
import { StatTotals } from './stat-totals.ts';
import { wired } from './testing/resources.ts';

const xds = Xds.load();
const SET = { responseHeadersToAdd: [{ header: { key: 'by', value: 'us' } }] };

it('tells of changes that were not applied while a route of that name makes some', () => {
  const totals = new StatTotals();
  const stats = new StatsStore((definition) => totals.define('worker', definition));
  stats.counter('route_mutations_refused_total', { routes: 'wind', route: 'gold' }).add(3);
  stats.counter('route_mutations_refused_total', { routes: 'other', route: 'gold' }).add(3);
  const messages = (route: JsonObject) => {
    const routes = [{ name: 'gold', match: { prefix: '/' }, ...route }];
    const value = { name: 'wind', virtualHosts: [{ name: '*', domains: ['*'], routes }] };
    const table = readRouteTable(new Reader(wired(xds, TypeUrl.RouteConfiguration, value).value, '', new Report()));
    return refusedMutations(totals, new Map([['wind', table]])).map(({ name, message }) => `${name} ${message}`);
  };
  const said = ['wind route "gold": 3 changes to messages not applied: their transport cannot carry them'];
  expect(messages({ route: { cluster: 'v1' }, ...SET })).toEqual(said);
  const clusters = [{ name: 'v1', weight: 1, ...SET }];
  expect(messages({ route: { weightedClusters: { clusters } } })).toEqual(said);
  expect(messages({ route: { cluster: 'v1' } })).toEqual([]);
  expect(messages({ name: 'silver', route: { cluster: 'v1' }, ...SET })).toEqual([]);
});
