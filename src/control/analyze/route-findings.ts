/** Routes that no request can ever take: said only where it is certain. */
import { RE2JS } from 're2js';
import type { AttributeMatch, Route } from '../translate/mesh.ts';

export interface RouteFinding {
  readonly index: number;
  readonly message: string;
}

/** `routes` in the order in which they are tried. */
export function findUnreachableRoutes(routes: readonly Route[]): RouteFinding[] {
  return routes.flatMap((route, index): RouteFinding[] => {
    const contradiction = findContradiction(route.match);
    if (contradiction !== null)
      return [{ index, message: `can match nothing: ${contradiction} is asked for and excluded` }];
    const by = routes.findIndex((earlier, at) => at < index && covers(earlier, route));
    return by < 0
      ? []
      : [{ index, message: `never used: route ${by} (${routes[by]!.name}) takes every request that would match` }];
  });
}

/** Routes whose name another one has. */
export function findNamesakes(routes: readonly Route[]): RouteFinding[] {
  return routes.flatMap(({ name }, index): RouteFinding[] => {
    const first = routes.findIndex((route) => route.name === name);
    return first === index
      ? []
      : [{ index, message: `route ${first} has the name ${name} too: logs and statistics cannot tell them apart` }];
  });
}

/** Does every request that matches `route` match `earlier` too? false also means: not certain. */
function covers(earlier: Route, route: Route): boolean {
  return (
    earlier.callers === undefined &&
    earlier.match.every((wanted) => route.match.some((given) => implies(given, wanted)))
  );
}

function findContradiction(matches: readonly AttributeMatch[]): string | null {
  for (const excluded of matches.filter((match) => match.negated)) {
    if (matches.some((match) => !match.negated && implies(match, { ...excluded, negated: false }))) return excluded.key;
  }
  return null;
}

function implies(given: AttributeMatch, wanted: AttributeMatch): boolean {
  if (given.key !== wanted.key || given.negated !== wanted.negated) return false;
  const [a, b] = [given.test, wanted.test];
  if (a.kind === b.kind && (a.kind === 'present' || (b.kind !== 'present' && a.value === b.value))) return true;
  if (given.negated) return false;
  if (b.kind === 'present') return true;
  if (a.kind === 'exact' && b.kind === 'regex') return RE2JS.compile(b.value).matches(a.value);
  return b.kind === 'prefix' && (a.kind === 'exact' || a.kind === 'prefix') && a.value.startsWith(b.value);
}
