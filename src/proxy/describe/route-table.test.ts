import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../xds/json.ts';
import { Fixtures } from '../testing/resources.ts';
import { Reader, Report } from './reader.ts';
import { clustersOf, readRouteTable } from './route-table.ts';

const fixtures = new Fixtures();

function read(...routes: JsonObject[]) {
  const report = new Report();
  const table = readRouteTable(new Reader(fixtures.routes('wind_9090', routes).value, '', report));
  return { table, routes: table.virtualHosts[0]!.routes, ...report };
}

const action = { cluster: 'c' };

describe('a route of RouteConfiguration', () => {
  it('reads every kind of match, in both spellings', () => {
    const headers = [
      { name: 'method', stringMatch: { exact: 'gust', ignoreCase: true } },
      { name: 'method', stringMatch: { safeRegex: { regex: 'g.*' } } },
      { name: 'a', prefixMatch: 'p' },
      { name: 'b', safeRegexMatch: { googleRe2: {}, regex: 'x|y' } },
      { name: 'c', presentMatch: true },
      { name: 'd', presentMatch: false },
      { name: 'e', stringMatch: { suffix: 's' }, invertMatch: true, treatMissingHeaderAsEmpty: true },
      { name: 'f', rangeMatch: { start: '-5', end: '10' } },
      { name: 'g' },
    ];
    const { routes, errors } = read({ match: { prefix: '/', headers }, route: action });
    expect(errors).toEqual([]);
    const plain = { invert: false, absentIsEmpty: false };
    expect(routes[0]!.match).toEqual([
      { key: 'method', test: { kind: 'exact', value: 'gust', ignoreCase: true }, ...plain },
      { key: 'method', test: { kind: 'regex', value: 'g.*' }, ...plain },
      { key: 'a', test: { kind: 'prefix', value: 'p', ignoreCase: false }, ...plain },
      { key: 'b', test: { kind: 'regex', value: 'x|y' }, ...plain },
      { key: 'c', test: { kind: 'present' }, ...plain },
      { key: 'd', test: { kind: 'present' }, invert: true, absentIsEmpty: false },
      { key: 'e', test: { kind: 'suffix', value: 's', ignoreCase: false }, invert: true, absentIsEmpty: true },
      { key: 'f', test: { kind: 'range', start: -5, end: 10 }, ...plain },
      { key: 'g', test: { kind: 'present' }, ...plain },
    ]);
  });

  it('gives an unset timeout 15 s and none for 0 s', () => {
    const match = { prefix: '/' };
    const { routes } = read(
      { match, route: action },
      { match, route: { ...action, timeout: '0s' } },
      { match, route: { ...action, timeout: '1.25s' } },
    );
    expect(routes.map((route) => route.timeoutMs)).toEqual([15_000, 0, 1_250]);
  });

  it('reads weights, mirrors, hash keys and mutations', () => {
    const { routes, table, errors } = read({
      match: { prefix: '/' },
      requestHeadersToAdd: [
        { header: { key: 'k', value: 'v' }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' },
        { header: { key: 'l', value: 'w' } },
        { header: { key: 'm', value: 'x' }, append: false },
      ],
      requestHeadersToRemove: ['n'],
      responseHeadersToRemove: ['o'],
      route: {
        weightedClusters: {
          clusters: [
            { name: 'a', weight: 20, hostRewriteLiteral: 'a.test' },
            { name: 'b', weight: 80, requestHeadersToRemove: ['z'] },
          ],
        },
        hashPolicy: [{ header: { headerName: 'user' } }],
        requestMirrorPolicies: [
          { cluster: 'm', runtimeFraction: { defaultValue: { numerator: 50, denominator: 'HUNDRED' } } },
          { cluster: 'never', runtimeFraction: { defaultValue: { denominator: 'MILLION' } } },
        ],
      },
    });
    expect(errors).toEqual([]);
    const none = { set: [], add: [], remove: [] };
    expect(routes[0]).toMatchObject({
      clusters: [
        {
          cluster: 'a',
          weight: 20,
          requestMutation: { ...none, set: [[':authority', 'a.test']] },
          responseMutation: none,
        },
        { cluster: 'b', weight: 80, requestMutation: { ...none, remove: ['z'] }, responseMutation: none },
      ],
      hashOn: ['user'],
      mirrors: [{ cluster: 'm', fraction: 500_000 }],
      requestMutation: {
        set: [
          ['k', 'v'],
          ['m', 'x'],
        ],
        add: [['l', 'w']],
        remove: ['n'],
      },
      responseMutation: { set: [], add: [], remove: ['o'] },
    });
    expect([...clustersOf(table)]).toEqual(['a', 'b', 'm']);
  });

  it('reads whether the port of a host counts', () => {
    const ignorePortOf = (more: JsonObject) =>
      readRouteTable(new Reader({ ...fixtures.routes('t', []).value, ...more }, '', new Report())).ignorePort;
    expect([ignorePortOf({ ignorePortInHostMatching: true }), ignorePortOf({})]).toEqual([true, undefined]);
  });

  it('reads the paths and queries of HTTP', () => {
    const { routes, errors } = read(
      { match: { path: '/x', caseSensitive: false }, route: action },
      { match: { prefix: '/y', queryParameters: [{ name: 'q', presentMatch: true }] }, route: action },
      {
        match: { safeRegex: { regex: '/z.*' }, queryParameters: [{ name: 'q', stringMatch: { exact: '' } }] },
        route: action,
      },
    );
    expect(errors).toEqual([]);
    const path = { key: ':pathname', invert: false, absentIsEmpty: false };
    const query = { key: '?q', invert: false, absentIsEmpty: false };
    expect(routes.map(({ match }) => match)).toEqual([
      [{ ...path, test: { kind: 'exact', value: '/x', ignoreCase: true } }],
      [
        { ...path, test: { kind: 'prefix', value: '/y', ignoreCase: false } },
        { ...query, test: { kind: 'present' } },
      ],
      [
        { ...path, test: { kind: 'regex', value: '/z.*' } },
        { ...query, test: { kind: 'exact', value: '', ignoreCase: false } },
      ],
    ]);
  });

  it('refuses conditions that it would not test, and says where', () => {
    const { errors } = read(
      { match: { pathSeparatedPrefix: '/x' }, route: action },
      { match: { prefix: '/x', grpc: {} }, route: action },
      { match: { prefix: '/' }, redirect: {} },
      { match: { prefix: '/' }, route: { weightedClusters: { clusters: [{ name: 'a', weight: 0 }] } } },
    );
    expect(errors.map(({ path }) => path)).toEqual([
      'virtualHosts[0].routes[0].match.pathSeparatedPrefix',
      'virtualHosts[0].routes[1].match.grpc',
      'virtualHosts[0].routes[2]',
      'virtualHosts[0].routes[3].route.weightedClusters.clusters',
    ]);
  });

  it('notes what has no effect', () => {
    const { errors, notes } = read({ match: { prefix: '/' }, route: { ...action, prefixRewrite: '/y' } });
    expect(errors).toEqual([]);
    expect(notes).toEqual([
      {
        path: 'virtualHosts[0].routes[0].route.prefixRewrite',
        message: 'not applied: this proxy does not support this field',
      },
    ]);
  });
});
