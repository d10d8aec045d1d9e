/** ServiceClusters: the clusters of one proxy for the services it sees, and what the destinations of routes are there. */
import { TypeUrl } from '../../xds/type-urls.ts';
import type {
  ClusterPolicy,
  CodecProtocol,
  Destination,
  DestinationPolicy,
  Subset,
  WeightedDestination,
} from '../translate/mesh.ts';
import { clusterPolicy } from '../translate/policies.ts';
import { clusterResources } from './clusters.ts';
import { outboundCluster, routeConfigName } from './names.ts';
import type { ProxySite, ServedPort } from './proxy-site.ts';
import { blackHole, type Upstreams } from './routes.ts';

export class ServiceClusters {
  readonly #site: ProxySite;
  /** Clusters to which the proxy begins TLS: the DestinationRules that say so. */
  readonly #encrypted = new Map<string, readonly string[]>();

  constructor(site: ProxySite) {
    this.#site = site;
  }

  generate(served: ServedPort): void {
    const { service, port } = served;
    const policy = this.#site.policyFor(service);
    const upstream = this.#site.mesh.upstreams.get(service.host);
    const sources = [
      service.source,
      ...(policy?.sources ?? []),
      ...service.endpoints.flatMap((endpoint) => endpoint.sources),
      ...(upstream === undefined ? [] : [upstream.source]),
    ];
    for (const subset of [null, ...(policy?.subsets.values() ?? [])]) {
      const name = outboundCluster(port.number, subset?.name ?? '', service.host);
      const settings = this.#clusterPolicy(policy, subset, served);
      if (settings.tls !== null) this.#encrypted.set(name, policy?.sources ?? []);
      const { ca, from } = this.#credentialOf(settings, policy);
      for (const resource of clusterResources(name, service, port, subset, settings, ca))
        this.#site.add(resource, [...sources, ...from]);
    }
  }

  /** What destinations of `source` are here. `protocol`: of the requests that are led there; null: bytes as they are. */
  upstreamsOf(protocol: CodecProtocol | null, source: string): Upstreams {
    return {
      clusterOf: (destination) => this.#clusterOf(destination, source),
      hashKeyOf: (destination) => {
        const policy = this.#destinationPolicy(destination, source);
        const subset = policy?.subsets.get(destination.subset) ?? null;
        const placement = protocol === null ? null : placementKeyOf(protocol);
        return clusterPolicy(policy, subset, destination.port, null, placement).hashKey;
      },
    };
  }

  /** Notes destinations of TLS that passes through to which a DestinationRule begins TLS again: servers get TLS in TLS. */
  checkPassedTls(destinations: readonly WeightedDestination[], source: string): void {
    for (const { host, port, subset } of destinations) {
      const rules = this.#encrypted.get(outboundCluster(port, subset, host));
      if (rules === undefined) continue;
      this.#site.note(
        source,
        `a tls route passes TLS on as it is, and ${rules.join(', ')} begins TLS to ${host} once more: it gets TLS in TLS`,
      );
    }
  }

  #clusterPolicy(policy: DestinationPolicy | null, subset: Subset | null, served: ServedPort): ClusterPolicy {
    const { service, port, protocol } = served;
    const settings = clusterPolicy(policy, subset, port.number, service, placementKeyOf(protocol));
    const upstream = this.#site.mesh.upstreams.get(service.host);
    if (upstream === undefined || protocol.kind !== 'codec' || protocol.manifest.name !== upstream.codec)
      return settings;
    const { maxConnections, connectTimeoutMs, codecOptions } = upstream;
    const changed = {
      ...settings,
      maxConnections: maxConnections ?? settings.maxConnections,
      connectTimeoutMs: connectTimeoutMs ?? settings.connectTimeoutMs,
    };
    if (Object.keys(codecOptions).length === 0) return changed;
    const options = { ...protocol.options, ...codecOptions };
    return { ...changed, codecOptions: { codec: protocol.manifest.name, options } };
  }

  /** PEM of the CA that a Secret holds; null: none is asked for, or there is none, and the proxy refuses the cluster. `from`: that Secret. */
  #credentialOf({ tls }: ClusterPolicy, policy: DestinationPolicy | null): { ca: string | null; from: string[] } {
    const ca = tls?.ca;
    if (!ca || ca === 'system' || 'file' in ca) return { ca: null, from: [] };
    const { namespace } = this.#site.node;
    const { credentials } = this.#site.mesh;
    const found = credentials.find(namespace, ca.credential);
    if (!found?.ca)
      for (const source of policy?.sources ?? [])
        this.#site.note(source, `${credentials.lackOf(namespace, ca.credential, 'ca.crt')}: no connections`);
    return { ca: found?.ca ?? null, from: found === null ? [] : [found.source] };
  }

  /** null, and noted: it is there, but not for this proxy. What is nowhere any more keeps its name: who has its cluster goes on. */
  #clusterOf(destination: Destination, source: string): string | null {
    const { host, port, subset } = destination;
    const name = outboundCluster(port, subset, host);
    if (this.#site.has(TypeUrl.Cluster, name)) return name;
    const isSomewhere =
      this.#site.index.services(host).some((service) => service.ports.some(({ number }) => number === port)) &&
      (subset === '' || this.#site.index.policies(host).some((policy) => policy.subsets.has(subset)));
    this.#destinationPolicy(destination, source);
    if (!isSomewhere) return name;
    const isServed = this.#site.has(TypeUrl.Cluster, outboundCluster(port, '', host));
    if (this.#site.visible.has(routeConfigName(host, port)) && !isServed)
      this.#site.note(source, `${host} port ${port} is not served at this proxy: what is sent there fails`);
    this.#site.add(blackHole(), [source]);
    return null;
  }

  /** Also notes a destination that this proxy cannot have, though the route's resource is valid by itself. */
  #destinationPolicy(destination: Destination, source: string): DestinationPolicy | null {
    const { host, port, subset } = destination;
    const namespace = this.#site.node.namespace;
    const service = this.#site.visible.get(routeConfigName(host, port));
    if (service === undefined) {
      this.#site.note(source, `${host} port ${port} does not exist or is not exported to the namespace ${namespace}`);
      return null;
    }
    const policy = this.#site.policyFor(service);
    if (subset !== '' && !policy?.subsets.has(subset))
      this.#site.note(
        source,
        `the DestinationRule that applies in the namespace ${namespace} has no subset ${subset} of ${host}`,
      );
    return policy;
  }
}

/** A store whose endpoints hold different keys. */
function placementKeyOf(protocol: ServedPort['protocol']): string | null {
  return protocol.kind === 'codec' ? (protocol.manifest.attributes.placementKey ?? null) : null;
}
