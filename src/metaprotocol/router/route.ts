/** Route: one compiled entry of a route table. */

import type { RetryDescription } from '../description.ts';
import type { Mutation, RouteInfo } from '../filter.ts';
import type { Message, RequestMessage } from '../message.ts';
import type { Counter } from '../stats.ts';
import type { Cluster } from '../upstream/cluster.ts';
import type { ClusterState } from '../upstream/cluster-state.ts';
import type { Matcher } from './matcher.ts';

/** One destination of a route. `cluster` null: the name is unknown to this runtime. */
export interface Destination {
  readonly clusterName: string;
  readonly cluster: Cluster | null;
  readonly weight: number;
  readonly requestMutation: Mutation | null;
  readonly responseMutation: Mutation | null;
}

export interface Mirror {
  readonly clusterName: string;
  readonly cluster: Cluster | null;
  /** 0..1 of all requests. */
  readonly share: number;
}

/** What a route counts. */
export interface RouteStats {
  readonly requests: Counter;
  /** Changes that a message could not carry (a header on a transport without headers). */
  readonly mutationsRefused: Counter;
}

export class Route implements RouteInfo {
  readonly name: string;
  readonly timeoutMs: number;
  readonly requestMutation: Mutation | null;
  readonly responseMutation: Mutation | null;
  readonly hashOn: readonly string[];
  readonly mirrors: readonly Mirror[];
  readonly retry: RetryDescription;
  readonly stats: RouteStats;
  readonly #matchers: readonly Matcher[];
  readonly #destinations: readonly Destination[];
  readonly #totalWeight: number;
  readonly #filterOptions: readonly unknown[];
  readonly #isPlain: boolean;

  constructor(parts: {
    name: string;
    timeoutMs: number;
    matchers: readonly Matcher[];
    destinations: readonly Destination[];
    requestMutation: Mutation | null;
    responseMutation: Mutation | null;
    hashOn: readonly string[];
    mirrors: readonly Mirror[];
    retry: RetryDescription;
    stats: RouteStats;
    filterOptions: readonly unknown[];
  }) {
    this.name = parts.name;
    this.timeoutMs = parts.timeoutMs;
    this.requestMutation = parts.requestMutation;
    this.responseMutation = parts.responseMutation;
    this.hashOn = parts.hashOn;
    this.mirrors = parts.mirrors;
    this.retry = parts.retry;
    this.stats = parts.stats;
    this.#matchers = parts.matchers;
    this.#destinations = parts.destinations;
    this.#totalWeight = parts.destinations.reduce((sum, one) => sum + one.weight, 0);
    this.#filterOptions = parts.filterOptions;
    const mutations = [parts, ...parts.destinations].flatMap((one) => [one.requestMutation, one.responseMutation]);
    const goesOneWay = parts.destinations.length === 1 && parts.mirrors.length === 0;
    this.#isPlain = goesOneWay && mutations.every((one) => one === null);
  }

  matches(request: RequestMessage): boolean {
    for (const matcher of this.#matchers) if (!matcher.matches(request)) return false;
    return true;
  }

  /** The one at this cluster; null: there is none. */
  destinationAt(cluster: ClusterState): Destination | null {
    return this.#destinations.find((one) => one.cluster?.state === cluster) ?? null;
  }

  /** By weight. `random` is called only where there is a choice. */
  destination(random: () => number): Destination {
    const destinations = this.#destinations;
    if (destinations.length === 1) return destinations[0]!;
    let point = random() * this.#totalWeight;
    for (const one of destinations) {
      point -= one.weight;
      if (point < 0) return one;
    }
    return destinations[destinations.length - 1]!;
  }

  /** Values of the attributes that the route hashes on; null: it does not hash. An absent one counts as ''. */
  hashInput(message: Message): string | null {
    if (this.hashOn.length === 0) return null;
    if (this.hashOn.length === 1) return message.get(this.hashOn[0]!) ?? '';
    return this.hashOn.map((key) => message.get(key) ?? '').join('\0');
  }

  /** Is nothing done to a request that depends on it, so that several may go as one? */
  get takesRuns(): boolean {
    const cluster = this.#destinations[0]!.cluster;
    if (!this.#isPlain || cluster === null || cluster.state.pool.concurrency !== null) return false;
    return !cluster.balancer.hashes || cluster.usableCount <= 1;
  }

  optionsOf(filterIndex: number): unknown {
    return this.#filterOptions[filterIndex];
  }
}
