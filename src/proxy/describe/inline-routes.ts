/** Aeraki's own route table, written into a listener instead of being served by RDS. */
import type { MutationDescription, RouteTableDescription } from '../../metaprotocol/description.ts';
import { readAttributeMatch } from './attribute-match.ts';
import type { Reader } from './reader.ts';
import { readMirror, readWeightedClusters } from './route-table.ts';

export function readInlineRoutes(table: Reader): RouteTableDescription {
  const name = table.string('name');
  const routes = table.children('routes').map((route) => {
    const match = route.child('match');
    const action = route.child('route');
    if (action === null) route.error('expected the field route');
    const described = {
      name: route.string('name'),
      match: match?.children('metadata').flatMap((matcher) => readAttributeMatch(matcher) ?? []) ?? [],
      clusters: action === null ? [] : readWeightedClusters(action),
      // The type has no timeout.
      timeoutMs: 0,
      requestMutation: readKeyValues(route, 'requestMutation'),
      responseMutation: readKeyValues(route, 'responseMutation'),
      hashOn: action?.strings('hashPolicy') ?? [],
      mirrors: action?.children('requestMirrorPolicies').flatMap(readMirror) ?? [],
      retry: { retries: 0 },
      filterOptions: {},
    };
    match?.end('error');
    action?.end('note');
    route.end('note');
    return described;
  });
  table.end('note');
  return { name, virtualHosts: [{ name, domains: ['*'], routes }] };
}

function readKeyValues(route: Reader, field: string): MutationDescription {
  const set = route.children(field).map((pair): [string, string] => {
    const read: [string, string] = [pair.string('key'), pair.string('value')];
    if (read[0] === '') pair.error('a key is required', 'key');
    pair.end('note');
    return read;
  });
  return { set, add: [], remove: [] };
}
