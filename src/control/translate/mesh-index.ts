/** MeshIndex: finds services, policies and route tables by host, so that a large mesh costs no more per host than a small one. */
import { hostMatches } from './hosts.ts';
import type { ConnectionTable, DestinationPolicy, RouteTable, Service } from './mesh.ts';

export interface Indexed {
  readonly services: readonly Service[];
  readonly policies: readonly DestinationPolicy[];
  readonly tables: readonly RouteTable[];
  readonly connections: readonly ConnectionTable[];
}

export class MeshIndex {
  readonly #services: ReadonlyMap<string, readonly Service[]>;
  readonly #policies: ReadonlyMap<string, readonly DestinationPolicy[]>;
  readonly #wildcards: readonly DestinationPolicy[];
  readonly #tables: ReadonlyMap<string, readonly RouteTable[]>;
  readonly #connections: ReadonlyMap<string, readonly ConnectionTable[]>;
  #hosts: readonly string[] | null = null;

  constructor({ services, policies, tables, connections }: Indexed) {
    this.#services = Map.groupBy(services, (service) => service.host);
    this.#policies = Map.groupBy(policies, (policy) => policy.host);
    this.#wildcards = policies.filter((policy) => policy.host.startsWith('*'));
    this.#tables = Map.groupBy(tables, (table) => table.host);
    this.#connections = Map.groupBy(connections, (table) => table.host);
  }

  /** Sorted. */
  hosts(): readonly string[] {
    this.#hosts ??= [...this.#services.keys()].sort();
    return this.#hosts;
  }

  /** A name without a dot is a service of the given namespace, unless a service is called just that. */
  fullHost(host: string, namespace: string): string {
    if (host.includes('.') || host === '*' || this.services(host).length > 0) return host;
    return `${host}.${namespace}.svc.cluster.local`;
  }

  /** In order of precedence, like the others. */
  services(host: string): readonly Service[] {
    return this.#services.get(host) ?? [];
  }

  /** Exact ones first, then wildcards from the longest on. */
  policies(host: string): readonly DestinationPolicy[] {
    const wildcards = this.#wildcards.filter((policy) => hostMatches(policy.host, host));
    return [...(this.#policies.get(host) ?? []), ...wildcards.sort((a, b) => b.host.length - a.host.length)];
  }

  tables(host: string): readonly RouteTable[] {
    return this.#tables.get(host) ?? [];
  }

  connections(host: string): readonly ConnectionTable[] {
    return this.#connections.get(host) ?? [];
  }
}
