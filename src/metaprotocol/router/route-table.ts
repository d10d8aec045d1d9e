/** RouteTable: compiled once for each runtime; matching walks the routes of one virtual host in order. */

import type { ConfigIssue } from '../config-error.ts';
import { ConfigError } from '../config-error.ts';
import type { MutationDescription, RouteDescription, RouteTableDescription } from '../description.ts';
import type { FilterFactory, Mutation } from '../filter.ts';
import type { RequestMessage } from '../message.ts';
import type { StatsScope } from '../stats.ts';
import type { Cluster } from '../upstream/cluster.ts';
import { HostTable } from './host-table.ts';
import type { Matcher } from './matcher.ts';
import { compileMatcher } from './matcher.ts';
import type { MutableProtocol } from './mutation-check.ts';
import { checkMutations } from './mutation-check.ts';
import type { Destination } from './route.ts';
import { Route } from './route.ts';

/** What a table is compiled against. */
export interface RouteTableContext {
  /** null: this runtime has no cluster of that name. */
  clusterOf(name: string): Cluster | null;
  /** The filters of the chain, by position. */
  readonly filters: readonly FilterFactory[];
  readonly protocol: MutableProtocol;
  readonly stats: StatsScope;
}

export class RouteTable {
  readonly name: string;
  readonly #hosts: HostTable<readonly Route[]>;
  /** null: nothing is asked for. */
  readonly #hostKey: string | null;
  readonly #ignorePort: boolean;

  private constructor(name: string, hosts: HostTable<readonly Route[]>, hostKey: string | null, ignorePort: boolean) {
    this.name = name;
    this.#hosts = hosts;
    this.#hostKey = hosts.needsHost ? hostKey : null;
    this.#ignorePort = ignorePort;
  }

  /** Collects every issue of the table instead of stopping at the first. */
  static compile(
    description: RouteTableDescription,
    context: RouteTableContext,
  ): { table: RouteTable; issues: ConfigIssue[] } {
    const issues: ConfigIssue[] = [];
    const hosts = new HostTable<readonly Route[]>();
    const { hostKey } = context.protocol.manifest.attributes;
    for (const host of description.virtualHosts) {
      const at = `virtual_hosts[${host.name}]`;
      const routes = host.routes.map((route, index) =>
        compileRoute(
          route,
          `${at}.routes[${route.name === '' ? index : route.name}]`,
          description.name,
          context,
          issues,
        ),
      );
      for (const domain of host.domains) {
        if (domain !== '*' && hostKey === null) {
          issues.push({
            path: `${at}.domains`,
            message: `domain ${JSON.stringify(domain)}: this protocol has no hosts, expected *`,
          });
        }
        const issue = hosts.add(domain, routes);
        if (issue !== null) issues.push({ path: `${at}.domains`, message: issue.message });
      }
    }
    return { table: new RouteTable(description.name, hosts, hostKey, description.ignorePort === true), issues };
  }

  /** The first route that matches, or null. */
  match(request: RequestMessage): Route | null {
    const routes = this.#hosts.find(this.#hostKey === null ? undefined : this.#hostOf(request, this.#hostKey));
    if (routes === undefined) return null;
    for (const route of routes) if (route.matches(request)) return route;
    return null;
  }

  /** Are there parts of this request, whose route it is, that would take another? */
  divides(request: RequestMessage, route: Route): boolean {
    return request.routeVariants?.()?.some((variant) => this.match(variant) !== route) === true;
  }

  #hostOf(request: RequestMessage, key: string): string | undefined {
    const host = request.get(key);
    return this.#ignorePort && host !== undefined ? withoutPort(host) : host;
  }
}

/** The colons of an IPv6 address stand within brackets. */
function withoutPort(host: string): string {
  const colon = host.lastIndexOf(':');
  return colon < 0 || host.endsWith(']') ? host : host.slice(0, colon);
}

function compileRoute(
  route: RouteDescription,
  at: string,
  tableName: string,
  context: RouteTableContext,
  issues: ConfigIssue[],
): Route {
  const matchers: Matcher[] = [];
  for (const match of route.match) {
    collect(issues, `${at}.match[${match.key}]`, () => matchers.push(compileMatcher(match)));
  }
  checkMutations(route, at, context.protocol, issues);
  for (const one of route.clusters) checkMutations(one, `${at}.clusters[${one.cluster}]`, context.protocol, issues);
  const destinations: Destination[] = route.clusters.map((one) => ({
    clusterName: one.cluster,
    cluster: context.clusterOf(one.cluster),
    weight: one.weight,
    requestMutation: mutation(one.requestMutation),
    responseMutation: mutation(one.responseMutation),
  }));
  if (!(destinations.reduce((sum, one) => sum + one.weight, 0) > 0)) {
    issues.push({ path: `${at}.clusters`, message: `the weights sum to 0, expected more` });
  }
  const filterOptions: unknown[] = [];
  for (const [name, raw] of Object.entries(route.filterOptions)) {
    const index = context.filters.findIndex((filter) => filter.name === name);
    if (index < 0) {
      issues.push({ path: `${at}.filterOptions`, message: `filter ${name} is not in the chain` });
      continue;
    }
    collect(issues, `${at}.filterOptions[${name}]`, () => {
      filterOptions[index] = context.filters[index]!.parseOptions(raw);
    });
  }
  const labels = { routes: tableName, route: route.name };
  return new Route({
    name: route.name,
    timeoutMs: route.timeoutMs,
    matchers,
    destinations,
    requestMutation: mutation(route.requestMutation),
    responseMutation: mutation(route.responseMutation),
    hashOn: route.hashOn,
    mirrors: route.mirrors.map((one) => ({
      clusterName: one.cluster,
      cluster: context.clusterOf(one.cluster),
      share: one.fraction / 1_000_000,
    })),
    retry: route.retry,
    stats: {
      requests: context.stats.counter('route_requests_total', labels),
      mutationsRefused: context.stats.counter('route_mutations_refused_total', labels),
    },
    filterOptions,
  });
}

function mutation(description: MutationDescription): Mutation | null {
  const empty = description.set.length + description.add.length + description.remove.length === 0;
  return empty ? null : description;
}

/** Runs one step of compilation; its ConfigError becomes issues below `path`, anything else is a bug. */
export function collect(issues: ConfigIssue[], path: string, step: () => void): void {
  try {
    step();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const issue of error.issues) {
      issues.push({ path: issue.path === '' ? path : `${path}.${issue.path}`, message: issue.message });
    }
  }
}
