import { RE2JS } from 're2js';
import { describe, expect, it, vi } from 'vitest';
import { findingsOf, RULE, router, SERVICE, TestMesh, to } from '../../../test/harness/control-mesh.ts';
import type { AttributeMatch, Route } from '../translate/mesh.ts';
import { findUnreachableRoutes } from './route-findings.ts';

function unreachable(...matches: string[]): string[] {
  const routes = matches.map((match) => `{ ${match === '' ? '' : `match: { ${match} }, `}${to('v1')} }`).join(', ');
  const translation = new TestMesh().apply({ 's.yaml': SERVICE, 'd.yaml': RULE, 'r.yaml': router(`[${routes}]`) });
  return findingsOf(translation).map((finding) => finding.replace(/^warning r.yaml:\d+ spec\.routes/, ''));
}

const a = (test: string): string => `attributes: { a: ${test} }`;

describe('findUnreachableRoutes', () => {
  it('names a route behind one without a match', () => {
    expect(unreachable(a('{ exact: x }'), '', a('{ exact: y }'))).toEqual([
      '[2]: never used: route 1 (route-1) takes every request that would match',
    ]);
  });

  it.each([
    ['{ prefix: ge }', '{ exact: get }'],
    ['{ prefix: ge }', '{ prefix: get }'],
    ['{ regex: "get|put" }', '{ exact: put }'],
    ['{}', '{ regex: "x.*" }'],
    ['{ exact: x }', '{ exact: x }'],
    ['{ regex: "x.*" }', '{ regex: "x.*" }'],
  ])('%s takes all of %s', (earlier, later) => {
    expect(unreachable(a(earlier), a(later))).toHaveLength(1);
    expect(unreachable(a(earlier), `attributes: { a: ${later}, b: { exact: z } }`)).toHaveLength(1);
  });

  it.each([
    ['{ prefix: get }', '{ exact: ge }'],
    ['{ regex: "get|put" }', '{ exact: putt }'],
    ['{ exact: x }', '{ exact: y }'],
    ['{ exact: x }', '{}'],
    ['{ regex: "x.*" }', '{ regex: "xy" }'],
  ])('%s does not surely take all of %s', (earlier, later) => {
    expect(unreachable(a(earlier), a(later))).toEqual([]);
  });

  it('does not read an exclusion as if it asked', () => {
    expect(unreachable('withoutAttributes: { a: { prefix: x } }', 'withoutAttributes: { a: { exact: xy } }')).toEqual(
      [],
    );
    expect(
      unreachable('withoutAttributes: { a: { prefix: x } }', 'withoutAttributes: { a: { prefix: x } }'),
    ).toHaveLength(1);
  });

  it('names a route that asks for what it excludes', () => {
    expect(unreachable('attributes: { a: { exact: xy } }, withoutAttributes: { a: { prefix: x } }')).toEqual([
      '[0]: can match nothing: a is asked for and excluded',
    ]);
    expect(unreachable('attributes: { a: {} }, withoutAttributes: { a: { prefix: x } }')).toEqual([]);
  });

  it('names a route whose name another has', () => {
    const named = (name: string, at: string) => `{ name: ${name}, match: { ${a(`{ exact: ${at} }`)} }, ${to('v1')} }`;
    const unnamed = `{ match: { ${a('{ exact: z }')} }, ${to('v1')} }`;
    const routes = `[${named('gold', 'x')}, ${named('gold', 'y')}, ${named('route-3', 'w')}, ${unnamed}]`;
    const translation = new TestMesh().apply({ 's.yaml': SERVICE, 'd.yaml': RULE, 'r.yaml': router(routes) });
    expect(findingsOf(translation)).toEqual([
      'warning r.yaml:7 spec.routes[1]: route 0 has the name gold too: logs and statistics cannot tell them apart',
      'warning r.yaml:7 spec.routes[3]: route 2 has the name route-3 too: logs and statistics cannot tell them apart',
    ]);
  });
});

describe('tables of many routes', () => {
  const asked = (test: AttributeMatch['test']): Route => ({
    name: 'r',
    match: [{ key: 'a', test, negated: false }],
    destinations: [],
    mirrors: [],
    timeoutMs: 0,
    requestMutation: { set: [], add: [], remove: [] },
    responseMutation: { set: [], add: [], remove: [] },
    filterOptions: {},
  });
  const exact = (value: string, ignoreCase = false) => asked({ kind: 'exact', value, ignoreCase });
  const prefix = (value: string, ignoreCase = false) => asked({ kind: 'prefix', value, ignoreCase });
  const found = (...routes: Route[]) => findUnreachableRoutes(routes).map(({ index }) => index);

  it('try regular expressions on a bounded number of values, each compiled once', () => {
    const compile = vi.spyOn(RE2JS, 'compile');
    const matches = vi.spyOn(RE2JS.prototype, 'matches');
    const regexes = Array.from({ length: 300 }, (_, at) => asked({ kind: 'regex', value: `x${at}` }));
    const values = Array.from({ length: 300 }, (_, at) => exact(`y${at}`));
    expect(found(...regexes, ...values, exact('y299'))).toEqual([600]);
    expect([compile.mock.calls.length, matches.mock.calls.length]).toEqual([300, 20_000]);
    vi.restoreAllMocks();
  });

  it('tell apart what asks for a value in any case', () => {
    expect(found(exact('get'), exact('get', true), exact('GET', true))).toEqual([2]);
    expect(found(exact('get', true), exact('Get'), prefix('get'))).toEqual([1]);
    expect(found(prefix('get', true), exact('GETTER'), prefix('Gets', true), prefix('ge', true))).toEqual([1, 2]);
    expect(found(prefix('get'), prefix('getter', true))).toEqual([]);
  });
});
