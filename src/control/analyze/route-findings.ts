/** Routes that no request can ever take: said only where it is certain. */
import { isDeepStrictEqual } from 'node:util';
import { RE2JS } from 're2js';
import type { AttributeMatch, Route } from '../translate/mesh.ts';

export interface RouteFinding {
  readonly index: number;
  readonly message: string;
}

/** Regular expressions are tried on this many values of a table; beyond, what they take is not certain. */
const REGEX_TRIES = 20_000;

/** `routes` in the order in which they are tried. */
export function findUnreachableRoutes(routes: readonly Route[]): RouteFinding[] {
  const matchesWhole = regexTries();
  const earlier = new EarlierRoutes();
  return routes.flatMap((route, index): RouteFinding[] => {
    const contradiction = findContradiction(route.match, matchesWhole);
    if (contradiction !== null)
      return [{ index, message: `can match nothing: ${contradiction} is asked for and excluded` }];
    const by = earlier.candidates(route).find((at) => covers(routes[at]!, route, matchesWhole));
    earlier.add(route, index);
    return by === undefined
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

type MatchesWhole = (pattern: string, text: string) => boolean;

function regexTries(): MatchesWhole {
  const compiled = new Map<string, RE2JS>();
  let left = REGEX_TRIES;
  return (pattern, text) => {
    if (left-- <= 0) return false;
    const regex = compiled.get(pattern) ?? RE2JS.compile(pattern);
    compiled.set(pattern, regex);
    return regex.matches(text);
  };
}

/** Finds without looking at all of them the routes that may cover another: in large tables most ask for one value each. */
class EarlierRoutes {
  /** By the exact value that their first condition asks for, which only routes that ask for the same can fulfil. */
  readonly #byValue = new Map<string, number[]>();
  readonly #others: number[] = [];

  add({ match: [first] }: Route, index: number): void {
    const value = first === undefined ? null : exactValue(first);
    if (value === null) this.#others.push(index);
    else this.#byValue.set(value, [...(this.#byValue.get(value) ?? []), index]);
  }

  /** In the order in which they are tried. */
  candidates({ match }: Route): number[] {
    const values = match.map(exactValue).filter((value) => value !== null);
    return [...this.#others, ...values.flatMap((value) => this.#byValue.get(value) ?? [])].sort((a, b) => a - b);
  }
}

function exactValue({ key, test, negated }: AttributeMatch): string | null {
  return test.kind === 'exact' && !test.ignoreCase && !negated ? `${key}\0${test.value}` : null;
}

/** Does every request that matches `route` match `earlier` too? false also means: not certain. */
function covers(earlier: Route, route: Route, matchesWhole: MatchesWhole): boolean {
  return (
    earlier.callers === undefined &&
    earlier.match.every((wanted) => route.match.some((given) => implies(given, wanted, matchesWhole)))
  );
}

function findContradiction(matches: readonly AttributeMatch[], matchesWhole: MatchesWhole): string | null {
  for (const excluded of matches.filter((match) => match.negated)) {
    const asked = { ...excluded, negated: false };
    if (matches.some((match) => !match.negated && implies(match, asked, matchesWhole))) return excluded.key;
  }
  return null;
}

function implies(given: AttributeMatch, wanted: AttributeMatch, matchesWhole: MatchesWhole): boolean {
  if (given.key !== wanted.key || given.negated !== wanted.negated) return false;
  const [a, b] = [given.test, wanted.test];
  if (isDeepStrictEqual(a, b)) return true;
  if (given.negated) return false;
  if (b.kind === 'present') return true;
  if (a.kind === 'present' || a.kind === 'regex') return false;
  // What is asked for in any case may come in one that the other does not take.
  if (b.kind === 'regex') return a.kind === 'exact' && !a.ignoreCase && matchesWhole(b.value, a.value);
  if (a.ignoreCase && !b.ignoreCase) return false;
  const [value, start] = b.ignoreCase ? [a.value.toLowerCase(), b.value.toLowerCase()] : [a.value, b.value];
  return b.kind === 'prefix' ? value.startsWith(start) : a.kind === 'exact' && value === start;
}
