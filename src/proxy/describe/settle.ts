/**
 * Which version of each resource runs: the newest, or alone its last good one. One team's mistake never stops another's change
 * (docs/xds.md, validity per resource). Pure: what became of the answer is told by the next call's `accepted`.
 */
import type { RouteTableDescription, VirtualHostDescription } from '../../metaprotocol/description.ts';
import { formatIssues } from '../../xds/descriptor.ts';
import type { VersionedResource } from '../../xds/resource.ts';
import { TypeUrl } from '../../xds/type-urls.ts';
import type { Resources } from '../ads-resources.ts';
import type { ResourceRemark } from '../resource-remark.ts';
import { type ClusterPlan, readCluster } from './cluster.ts';
import { type EndpointPlan, readEndpoints } from './endpoints.ts';
import { HTTP_CODEC } from './http-connection-manager.ts';
import { readListener } from './listener.ts';
import type { ListenerPlan } from './listener-plan.ts';
import { Reader, Report } from './reader.ts';
import { clustersOf, clustersOfHost, needsHttp, readRouteTable } from './route-table.ts';
import { mapSources, type PemSource, pemUnitsOf, readSecret, type SecretPlan, type TlsPlan } from './tls.ts';
import { type EncodeResource, lastVersionOf, VirtualHostKeeper } from './virtual-hosts.ts';

export interface Settled {
  /** Runs when all goes well: the `accepted` of the next call. */
  readonly used: Resources;
  /** Newest versions that do not run. */
  readonly refused: readonly ResourceRemark[];
  readonly notes: readonly ResourceRemark[];
  /** Their TLS names files and PEM texts only. */
  readonly listeners: readonly ListenerPlan[];
  readonly clusters: readonly ClusterPlan[];
  readonly tables: ReadonlyMap<string, RouteTableDescription>;
  readonly assignments: ReadonlyMap<string, readonly EndpointPlan[]>;
}

const READERS = {
  [TypeUrl.Listener]: readListener,
  [TypeUrl.RouteConfiguration]: readRouteTable,
  [TypeUrl.Cluster]: readCluster,
  [TypeUrl.ClusterLoadAssignment]: (assignment: Reader) => readEndpoints(assignment, 'address'),
  [TypeUrl.Secret]: readSecret,
} as const;
type Kind = keyof typeof READERS;
type PlanOf<K extends Kind> = ReturnType<(typeof READERS)[K]>;
const KINDS = Object.keys(READERS) as Kind[];

interface Reading {
  readonly plan: unknown;
  readonly report: Report;
}

/** Why single virtual hosts of a table do not run as its newest version has them. */
interface HostFault {
  readonly message: string;
  /** There is a last good version. Else what it sends to those clusters fails. */
  readonly isKept: boolean;
}
type HostFaults = Map<string, Map<string, HostFault>>;

export class Settler {
  /** A table of thousands of routes is read once, not again with each change of another resource. */
  readonly #readings = new WeakMap<VersionedResource, Reading>();
  readonly #hosts: VirtualHostKeeper;

  constructor(encode: EncodeResource) {
    this.#hosts = new VirtualHostKeeper(encode);
  }

  /**
   * `wanted`: the newest version of everything. `accepted`: what ran until now. `refusedBefore`: resources of `wanted` that the
   * data plane turned down after an earlier call with the same `wanted`.
   */
  settle(wanted: Resources, accepted: Resources, refusedBefore: readonly ResourceRemark[] = []): Settled {
    const refused = new Map(refusedBefore.map((remark) => [keyOf(remark.typeUrl, remark.name), remark]));
    const faultyHosts: HostFaults = new Map();
    for (;;) {
      const used = this.#choose(wanted, accepted, refused, faultyHosts);
      let isNew = this.#findFaultyHosts(used, accepted, refused, faultyHosts);
      for (const remark of this.#faults(used, wanted, accepted, refused)) {
        const key = keyOf(remark.typeUrl, remark.name);
        if (refused.has(key)) continue;
        refused.set(key, remark);
        isNew = true;
      }
      if (isNew) continue;
      for (const [name, hosts] of faultyHosts) {
        const key = keyOf(TypeUrl.RouteConfiguration, name);
        if (refused.has(key)) continue;
        const table = this.#plan(TypeUrl.RouteConfiguration, used.get(TypeUrl.RouteConfiguration)!.get(name)!);
        const rest = table.virtualHosts.length > hosts.size ? ['all other virtual hosts are live'] : [];
        const message = [...Array.from(hosts.values(), (fault) => fault.message), ...rest].join('; ');
        refused.set(key, { typeUrl: TypeUrl.RouteConfiguration, name, message });
      }
      return this.#settled(used, [...refused.values()]);
    }
  }

  #choose(
    wanted: Resources,
    accepted: Resources,
    refused: ReadonlyMap<string, ResourceRemark>,
    faultyHosts: HostFaults,
  ): Resources {
    const used = new Map<string, Map<string, VersionedResource>>();
    for (const kind of KINDS) {
      const chosen = new Map<string, VersionedResource>();
      for (const [name, newest] of wanted.get(kind) ?? []) {
        const resource = refused.has(keyOf(kind, name)) ? accepted.get(kind)?.get(name) : newest;
        if (resource !== undefined) chosen.set(name, resource);
      }
      used.set(kind, chosen);
    }
    for (const [name, hosts] of faultyHosts) {
      const kept = new Set([...hosts].flatMap(([host, { isKept }]) => (isKept ? [host] : [])));
      const before = accepted.get(TypeUrl.RouteConfiguration)?.get(name);
      if (kept.size === 0 || before === undefined || refused.has(keyOf(TypeUrl.RouteConfiguration, name))) continue;
      const newest = used.get(TypeUrl.RouteConfiguration)!.get(name)!;
      used.get(TypeUrl.RouteConfiguration)!.set(name, this.#hosts.merge(newest, before, kept));
    }
    // A listener goes on as it was until its routes are there; one that never had any waits.
    const hasRoutes = (listener: VersionedResource) =>
      routeNamesOf(this.#plan(TypeUrl.Listener, listener)).every(
        (route) => find(TypeUrl.RouteConfiguration, route, used, accepted) !== undefined,
      );
    for (const [name, newest] of used.get(TypeUrl.Listener)!) {
      if (hasRoutes(newest)) continue;
      const before = accepted.get(TypeUrl.Listener)?.get(name);
      if (before !== undefined && hasRoutes(before)) used.get(TypeUrl.Listener)!.set(name, before);
      else used.get(TypeUrl.Listener)!.delete(name);
    }
    // What was removed and is still named stays until it no longer is.
    for (const listener of used.get(TypeUrl.Listener)!.values()) {
      for (const route of routeNamesOf(this.#plan(TypeUrl.Listener, listener))) {
        keep(TypeUrl.RouteConfiguration, route, used, accepted);
      }
    }
    for (const [, cluster] of this.#namedClusters(used)) keep(TypeUrl.Cluster, cluster, used, accepted);
    for (const cluster of used.get(TypeUrl.Cluster)!.values()) {
      const discovery = this.#plan(TypeUrl.Cluster, cluster)?.discovery;
      if (discovery?.kind === 'eds') keep(TypeUrl.ClusterLoadAssignment, discovery.assignment, used, accepted);
    }
    for (const [, { secret }] of this.#namedSecrets(used)) keep(TypeUrl.Secret, secret, used, accepted);
    return used;
  }

  /**
   * Virtual hosts that name clusters which are not there, into `found`: the others of their table go on. Where no version of the
   * table ran and no host of it could, the table waits as a whole, into `refused`: its clusters may be on their way.
   */
  #findFaultyHosts(
    used: Resources,
    accepted: Resources,
    refused: Map<string, ResourceRemark>,
    found: HostFaults,
  ): boolean {
    const typeUrl = TypeUrl.RouteConfiguration;
    const isRefused = (cluster: string) => refused.has(keyOf(TypeUrl.Cluster, cluster));
    let isNew = false;
    for (const [name, resource] of used.get(typeUrl)!) {
      if (refused.has(keyOf(typeUrl, name))) continue;
      const table = this.#plan(typeUrl, resource);
      const missing = missingByHost(table, used.get(TypeUrl.Cluster)!);
      const before = accepted.get(typeUrl)?.get(name);
      if (before === undefined && missing.size === table.virtualHosts.length) {
        const unknown = new Set([...missing.values()].flat().filter((cluster) => !isRefused(cluster)));
        if (unknown.size === 0) continue;
        refused.set(keyOf(typeUrl, name), { typeUrl, name, message: `names unknown cluster ${quoted(unknown)}` });
        isNew = true;
        continue;
      }
      for (const [host, clusters] of missing) {
        const last = before === undefined ? null : lastVersionOf(host, table, this.#plan(typeUrl, before));
        const isKept =
          last !== null && [...clustersOfHost(last)].every((one) => accepted.get(TypeUrl.Cluster)?.has(one));
        // With nothing better to go back to, what is sent there fails: the cluster is the one that is refused.
        if (!isKept && clusters.every(isRefused)) continue;
        const hosts = found.get(name) ?? new Map<string, HostFault>();
        found.set(name, hosts);
        if (hosts.has(host.name)) continue;
        const rest = isKept ? 'its last good version goes on' : 'what is sent there fails';
        const message = `virtual host "${host.name}" names unknown cluster ${quoted(clusters)}, ${rest}`;
        hosts.set(host.name, { isKept, message });
        isNew = true;
      }
    }
    return isNew;
  }

  #faults(
    used: Resources,
    wanted: Resources,
    accepted: Resources,
    refused: ReadonlyMap<string, ResourceRemark>,
  ): ResourceRemark[] {
    const faults: ResourceRemark[] = [];
    for (const kind of KINDS) {
      // Not only what is used: a listener that waits for its routes may be wrong in itself.
      for (const resource of wanted.get(kind)?.values() ?? []) {
        const { errors } = this.#read(kind, resource).report;
        if (errors.length > 0) faults.push({ typeUrl: kind, name: resource.name, message: formatIssues(errors) });
      }
    }
    for (const [name, listener] of used.get(TypeUrl.Listener)!) {
      const isThere = (resources: Resources, cluster: string) => resources.get(TypeUrl.Cluster)?.has(cluster) === true;
      const before = accepted.get(TypeUrl.Listener)?.get(name);
      const isBetter = before !== undefined && this.#clustersOf(before).every((cluster) => isThere(accepted, cluster));
      const missing = this.#clustersOf(listener).filter(
        // With nothing better to go back to, one refused cluster would take the routes to all others with it.
        (cluster) => !isThere(used, cluster) && (isBetter || !refused.has(keyOf(TypeUrl.Cluster, cluster))),
      );
      if (missing.length === 0) continue;
      faults.push({ typeUrl: TypeUrl.Listener, name, message: `names unknown cluster ${quoted(new Set(missing))}` });
    }
    for (const [{ typeUrl, name }, { secret, part }] of this.#namedSecrets(used)) {
      if (this.#secretPart(used, secret, part) !== null) continue;
      const what = used.get(TypeUrl.Secret)!.has(secret) ? `without ${PART_NAMES[part]}` : 'unknown';
      faults.push({ typeUrl, name, message: `names secret "${secret}", which is ${what}` });
    }
    faults.push(...this.#misplacedTables(used), ...this.#bindConflicts(used, accepted));
    return faults;
  }

  /** A condition that a protocol cannot have would hold for none of its requests. */
  #misplacedTables(used: Resources): ResourceRemark[] {
    const faults = new Map<string, ResourceRemark>();
    for (const listener of used.get(TypeUrl.Listener)!.values()) {
      for (const { protocol, routes } of this.#plan(TypeUrl.Listener, listener).chains) {
        if (protocol === HTTP_CODEC || typeof routes !== 'string') continue;
        const resource = used.get(TypeUrl.RouteConfiguration)!.get(routes);
        if (resource === undefined || !needsHttp(this.#plan(TypeUrl.RouteConfiguration, resource))) continue;
        const message = `match.path, match.prefix and match.queryParameters are HTTP's; listener "${listener.name}" speaks ${protocol}`;
        faults.set(routes, { typeUrl: TypeUrl.RouteConfiguration, name: routes, message });
      }
    }
    return [...faults.values()];
  }

  /** Of two listeners at one address the one that ran before stays, else the first by name. */
  #bindConflicts(used: Resources, accepted: Resources): ResourceRemark[] {
    const ran = accepted.get(TypeUrl.Listener);
    const listeners = [...used.get(TypeUrl.Listener)!.values()].sort((a, b) => {
      const older = Number(ran?.get(b.name) === b) - Number(ran?.get(a.name) === a);
      return older !== 0 ? older : a.name < b.name ? -1 : 1;
    });
    const owners = new Map<string, string>();
    const faults: ResourceRemark[] = [];
    for (const listener of listeners) {
      const bind = this.#plan(TypeUrl.Listener, listener)?.bind;
      if (bind === undefined || bind.port === 0) continue;
      const place = `${bind.host}:${bind.port}`;
      const owner = owners.get(place);
      if (owner === undefined) owners.set(place, listener.name);
      else {
        const message = `address ${place} already belongs to listener "${owner}"`;
        faults.push({ typeUrl: TypeUrl.Listener, name: listener.name, message });
      }
    }
    return faults;
  }

  #settled(used: Resources, refused: ResourceRemark[]): Settled {
    const notes = KINDS.flatMap((typeUrl) =>
      [...used.get(typeUrl)!.values()].flatMap((resource) =>
        this.#read(typeUrl, resource).report.notes.map((note) => ({
          typeUrl,
          name: resource.name,
          message: formatIssues([note]),
        })),
      ),
    );
    return {
      used,
      refused,
      notes,
      listeners: [...this.#plans(TypeUrl.Listener, used).values()].map((listener) => ({
        ...listener,
        chains: listener.chains.map((chain) => {
          return chain.tls === null
            ? chain
            : { ...chain, tls: mapSources(chain.tls, (source) => this.#found(used, source)) };
        }),
      })),
      clusters: [...this.#plans(TypeUrl.Cluster, used).values(), ...this.#standIns(used)].map((cluster) => {
        const { tls } = cluster;
        return tls === null ? cluster : { ...cluster, tls: mapSources(tls, (source) => this.#found(used, source)) };
      }),
      tables: this.#plans(TypeUrl.RouteConfiguration, used),
      assignments: this.#plans(TypeUrl.ClusterLoadAssignment, used),
    };
  }

  /** Of clusters that are named and were refused in every version: what is sent there fails, and nothing else does. */
  #standIns(used: Resources): ClusterPlan[] {
    const names = new Set([...this.#namedClusters(used)].map(([, name]) => name));
    return [...names]
      .filter((name) => !used.get(TypeUrl.Cluster)!.has(name))
      .map((name) => readCluster(new Reader({ name, loadAssignment: {} }, '', new Report())));
  }

  /** Each cluster that a used table names, with the resource that holds the table. */
  *#namedClusters(used: Resources): Iterable<[VersionedResource, string]> {
    for (const kind of [TypeUrl.RouteConfiguration, TypeUrl.Listener]) {
      for (const resource of used.get(kind)!.values()) {
        for (const cluster of this.#clustersOf(resource)) yield [resource, cluster];
      }
    }
  }

  /** Of a RouteConfiguration, or a listener that holds tables of its own. */
  #clustersOf(resource: VersionedResource): string[] {
    if (resource.typeUrl === TypeUrl.RouteConfiguration)
      return [...clustersOf(this.#plan(TypeUrl.RouteConfiguration, resource))];
    return this.#plan(TypeUrl.Listener, resource).chains.flatMap(({ routes }) =>
      typeof routes === 'string' ? [] : [...clustersOf(routes)],
    );
  }

  /** Each secret that used TLS names. */
  *#namedSecrets(used: Resources): Iterable<[VersionedResource, Extract<PemSource, { secret: string }>]> {
    for (const kind of [TypeUrl.Listener, TypeUrl.Cluster] as const) {
      for (const resource of used.get(kind)!.values()) {
        for (const tls of tlsOf(this.#plan(kind, resource))) {
          for (const source of pemUnitsOf(tls).flat()) if ('secret' in source) yield [resource, source];
        }
      }
    }
  }

  #secretPart(used: Resources, secret: string, part: keyof SecretPlan): PemSource | null {
    const resource = used.get(TypeUrl.Secret)!.get(secret);
    return resource === undefined ? null : this.#plan(TypeUrl.Secret, resource)[part];
  }

  /** Secrets that are not there were faults before. */
  #found(used: Resources, source: PemSource): PemSource {
    return 'secret' in source ? this.#secretPart(used, source.secret, source.part)! : source;
  }

  #plans<K extends Kind>(kind: K, used: Resources): Map<string, PlanOf<K>> {
    return new Map([...used.get(kind)!].map(([name, resource]) => [name, this.#plan(kind, resource)]));
  }

  #plan<K extends Kind>(kind: K, resource: VersionedResource): PlanOf<K> {
    return this.#read(kind, resource).plan as PlanOf<K>;
  }

  #read(kind: Kind, resource: VersionedResource): Reading {
    const known = this.#readings.get(resource);
    if (known !== undefined) return known;
    const report = new Report();
    const reading = { plan: READERS[kind](new Reader(resource.value, '', report)), report };
    this.#readings.set(resource, reading);
    return reading;
  }
}

function missingByHost(
  table: RouteTableDescription,
  clusters: ReadonlyMap<string, VersionedResource>,
): Map<VirtualHostDescription, string[]> {
  const missing = new Map<VirtualHostDescription, string[]>();
  for (const host of table.virtualHosts) {
    const names = [...clustersOfHost(host)].filter((name) => !clusters.has(name));
    if (names.length > 0) missing.set(host, names);
  }
  return missing;
}

function quoted(names: Iterable<string>): string {
  return Array.from(names, (name) => `"${name}"`).join(', ');
}

const PART_NAMES = { chain: 'a certificate', key: 'a key', trustedCa: 'a CA' } as const;

function tlsOf(plan: ListenerPlan | ClusterPlan): TlsPlan[] {
  const all: (TlsPlan | null)[] = 'chains' in plan ? plan.chains.map(({ tls }) => tls) : [plan.tls];
  return all.filter((tls) => tls !== null);
}

function routeNamesOf(listener: ListenerPlan): string[] {
  return listener.chains.flatMap(({ routes }) => (typeof routes === 'string' ? [routes] : []));
}

function find(kind: Kind, name: string, used: Resources, accepted: Resources): VersionedResource | undefined {
  return used.get(kind)?.get(name) ?? accepted.get(kind)?.get(name);
}

function keep(kind: Kind, name: string, used: Map<string, Map<string, VersionedResource>>, accepted: Resources): void {
  const resource = find(kind, name, used, accepted);
  if (resource !== undefined) used.get(kind)!.set(name, resource);
}

function keyOf(typeUrl: string, name: string): string {
  return `${typeUrl}\0${name}`;
}
