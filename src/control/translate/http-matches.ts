/** One match block of a VirtualService -> matches on the attributes of HTTP requests. All of a block must hold. */

import { compare } from '../model/resource.ts';
import type { HttpMatchSpec, HttpStringMatchSpec } from '../model/virtual-service.ts';
import type { Scheme } from './bindings.ts';
import type { AttributeMatch } from './mesh.ts';

/** The path without its query. */
export const PATHNAME = ':pathname';

/** `scheme`: of all requests; that a block is for it was settled then. */
export function httpMatches(spec: HttpMatchSpec, scheme: Scheme | null): AttributeMatch[] {
  const matches: AttributeMatch[] = [];
  const add = (
    key: string,
    match: HttpStringMatchSpec | null | undefined,
    negated = false,
    ignoreCase = false,
  ): void => {
    if (match) matches.push({ key, test: toTest(match, ignoreCase), negated });
  };
  if (spec.uri && !isAnyPath(spec.uri)) {
    add(PATHNAME, spec.uri, false, spec.ignoreUriCase === true);
  }
  if (scheme === null) add(':scheme', spec.scheme);
  add(':method', spec.method);
  add(':authority', spec.authority);
  for (const [name, match] of Object.entries(spec.headers ?? {})) add(name.toLowerCase(), match);
  for (const [name, match] of Object.entries(spec.withoutHeaders ?? {})) add(name.toLowerCase(), match, true);
  for (const [name, match] of Object.entries(spec.queryParams ?? {})) add(`?${name}`, match);
  // The order of a mapping's keys means nothing, so it must not change what goes on the wire.
  return matches.sort((a, b) => compare(a.key, b.key) || Number(a.negated) - Number(b.negated));
}

/** Every path begins with `/`. A block that asks for nothing else is for everything. */
function isAnyPath({ prefix, regex }: HttpStringMatchSpec): boolean {
  return prefix === '' || prefix === '/' || regex === '.*' || regex === '/.*';
}

/** An empty match, and the regex `*`, ask for presence. */
function toTest(match: HttpStringMatchSpec, ignoreCase: boolean): AttributeMatch['test'] {
  if (typeof match.exact === 'string') return { kind: 'exact', value: match.exact, ignoreCase };
  if (typeof match.prefix === 'string') return { kind: 'prefix', value: match.prefix, ignoreCase };
  if (match.regex && match.regex !== '*') return { kind: 'regex', value: match.regex };
  return { kind: 'present' };
}
