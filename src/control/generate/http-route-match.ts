/** The path and query conditions of an HTTP route, as Envoy's own fields; all others are headers. */
import type { JsonObject } from '../../xds/json.ts';
import { PATHNAME } from '../translate/http-matches.ts';
import type { AttributeMatch } from '../translate/mesh.ts';

export interface HttpRouteMatch {
  readonly match: JsonObject;
  readonly headers: readonly AttributeMatch[];
}

export function httpRouteMatch(matches: readonly AttributeMatch[]): HttpRouteMatch {
  const path = matches.find(({ key }) => key === PATHNAME);
  const match: JsonObject = path === undefined ? { prefix: '/' } : pathOf(path.test);
  const queries = matches.filter(({ key }) => key.startsWith('?'));
  if (queries.length > 0) match.queryParameters = queries.map(({ key, test }) => queryOf(key.slice(1), test));
  return { match, headers: matches.filter(({ key }) => key !== PATHNAME && !key.startsWith('?')) };
}

function pathOf(test: AttributeMatch['test']): JsonObject {
  switch (test.kind) {
    case 'exact':
      return { path: test.value, ...(test.ignoreCase ? { caseSensitive: false } : {}) };
    case 'prefix':
      return { prefix: test.value, ...(test.ignoreCase ? { caseSensitive: false } : {}) };
    case 'regex':
      return { safeRegex: { regex: test.value } };
    case 'present':
      return { prefix: '/' };
  }
}

function queryOf(name: string, test: AttributeMatch['test']): JsonObject {
  if (test.kind === 'present') return { name, presentMatch: true };
  return {
    name,
    stringMatch: test.kind === 'regex' ? { safeRegex: { regex: test.value } } : { [test.kind]: test.value },
  };
}
