/**
 * Translator: the resources of an inventory -> Mesh. Each resource is judged alone, after those it refers to; an invalid one
 * keeps its last good version while the others move on.
 */
import type { ProtocolManifest } from '../../metaprotocol/manifest.ts';
import type { ApplicationProtocolSpec } from '../model/application-protocol.ts';
import type { DestinationRuleSpec } from '../model/destination-rule.ts';
import type { GatewaySpec } from '../model/gateway.ts';
import type { MetaRouterSpec } from '../model/meta-router.ts';
import type { RedisDestinationSpec } from '../model/redis-destination.ts';
import type { RedisServiceSpec } from '../model/redis-service.ts';
import type { Finding, Resource } from '../model/resource.ts';
import type { Inventory, ResourceEntry } from '../model/resource-store.ts';
import type { SecretSpec } from '../model/secret.ts';
import type { ServiceEntrySpec } from '../model/service-entry.ts';
import type { SidecarSpec } from '../model/sidecar.ts';
import type { VirtualServiceSpec } from '../model/virtual-service.ts';
import type { WorkloadSpec } from '../model/workload-entry.ts';
import { Credentials, checkSecret } from './credentials.ts';
import { reportGatewayConflicts } from './gateway-conflicts.ts';
import { compileGateway } from './gateways.ts';
import {
  type ConnectionTable,
  type Mesh,
  type RouteTable,
  type Service,
  sharedBy,
  type UpstreamSettings,
  type Visibility,
} from './mesh.ts';
import { MeshIndex } from './mesh-index.ts';
import { checkDestinationRule, toPolicies } from './policies.ts';
import { ProtocolTable } from './protocols.ts';
import { compileRedisDestination } from './redis-destinations.ts';
import { compileRedisService } from './redis-services.ts';
import { compileRouter } from './routes.ts';
import { Secrets, secretFault } from './secrets.ts';
import { checkServiceEntry, toServices } from './services.ts';
import { checkSidecar, toSidecarPolicy } from './sidecars.ts';
import { type GoodVersion, hasError, type Outcome, TranslationRound } from './translation-round.ts';
import { compileVirtualService, EXACT, type Ranked } from './virtual-services.ts';
import { overlaps } from './visibility.ts';

export interface ResourceVerdict {
  readonly entry: ResourceEntry;
  readonly outcome: Outcome;
  readonly findings: readonly Finding[];
}

export interface Translation {
  readonly mesh: Mesh;
  /** Of every resource that was read, by key. */
  readonly verdicts: ReadonlyMap<string, ResourceVerdict>;
  /** The version of each resource that is used. */
  readonly used: readonly Resource[];
  /** Faults that belong to no resource. */
  readonly faults: readonly Finding[];
}

/** Istio's name for the namespace of mesh-wide resources. */
export const DEFAULT_ROOT_NAMESPACE = 'istio-system';

export class Translator {
  readonly #rootNamespace: string;
  /** Reading keys is slow, and most saves change none. */
  readonly #checkedSecrets = new WeakMap<Resource, readonly Finding[]>();
  #good: ReadonlyMap<string, GoodVersion> = new Map();

  constructor(rootNamespace: string) {
    this.#rootNamespace = rootNamespace;
  }

  /** Last good versions of an earlier process. */
  restore(resources: readonly Resource[]): void {
    this.#good = new Map(resources.map((resource) => [resource.key, { resource }]));
  }

  translate(inventory: Inventory, manifests: readonly ProtocolManifest[]): Translation {
    const round = new TranslationRound(inventory, this.#good);
    const protocols = new ProtocolTable(manifests);
    round.admit(
      'ApplicationProtocol',
      (resource: Resource<ApplicationProtocolSpec>) => protocols.compile(resource),
      (registered) => protocols.add(registered),
    );

    const workloads = round.admit('WorkloadEntry', (resource: Resource<WorkloadSpec>) => ({
      findings: [],
      make: () => resource,
    }));
    const entries = round.admit('ServiceEntry', (resource: Resource<ServiceEntrySpec>) => ({
      findings: checkServiceEntry(resource, protocols, workloads),
      make: () => toServices(resource, protocols, workloads),
    }));
    const services = claimPorts(entries.flat(), round);

    const used = round.admit('Secret', (resource: Resource<SecretSpec>) => ({
      findings: this.#secretFindings(resource),
      make: () => resource,
    }));
    const secrets = new Secrets(
      new Map(used.map(({ metadata, spec }) => [`${metadata.namespace}/${metadata.name}`, spec])),
      faultsOfSecrets(inventory, round),
    );
    const credentials = new Credentials(secrets);

    const known = new MeshIndex({ services, policies: [], tables: [], connections: [] });
    const rules = round.admit('DestinationRule', (resource: Resource<DestinationRuleSpec>) => ({
      findings: checkDestinationRule(resource, known, credentials),
      make: () => resource,
    }));
    const { policies, findings } = toPolicies(rules, known);
    for (const [key, list] of findings) round.report(key, list);

    const gateways = round.admit('Gateway', (resource: Resource<GatewaySpec>) =>
      compileGateway(resource, protocols, credentials),
    );
    const index = new MeshIndex({ services, policies, tables: [], connections: [] });
    const routers = round.admit('MetaRouter', (resource: Resource<MetaRouterSpec>) =>
      compileRouter(resource, index, gateways),
    );
    const ranked = routers.flatMap((router) => router.tables.map(exactly));
    const virtual = round.admit('VirtualService', (resource: Resource<VirtualServiceSpec>) =>
      compileVirtualService(resource, index, gateways),
    );
    ranked.push(...exactFirst(virtual.flatMap(({ http }) => http)));
    const connections = exactFirst(virtual.flatMap((each) => each.connections));
    const gatewayRoutes = [...routers, ...virtual].flatMap((each) => each.gatewayRoutes);
    reportGatewayConflicts(gateways, gatewayRoutes, round);
    const redis = round.admit('RedisService', (resource: Resource<RedisServiceSpec>) =>
      compileRedisService(resource, index, secrets),
    );
    ranked.push(...redis.flat().map(exactly));
    const upstreams = new Map<string, UpstreamSettings>();
    const destinations = round.admit('RedisDestination', (resource: Resource<RedisDestinationSpec>) =>
      compileRedisDestination(resource, index, secrets),
    );
    for (const { host, settings } of destinations) {
      const first = upstreams.get(host);
      if (first === undefined) upstreams.set(host, settings);
      else round.conflict(first.source, settings.source, host);
    }
    reportSharedHosts(ranked, round);
    reportSharedHosts(connections, round);
    const sidecars = round.admit('Sidecar', (resource: Resource<SidecarSpec>) => ({
      findings: checkSidecar(resource, protocols),
      make: () => toSidecarPolicy(resource, protocols),
    }));

    // One that cannot be compiled yet may be later: when a proxy tells its protocol.
    const waiting = [...this.#good].filter(([key, good]) => !('made' in good) && inventory.entries.has(key));
    this.#good = new Map([...waiting, ...round.used]);
    const mesh: Mesh = {
      rootNamespace: this.#rootNamespace,
      services,
      policies,
      tables: ranked.map(({ table }) => table),
      connections: connections.map(({ table }) => table),
      gateways,
      gatewayRoutes,
      credentials,
      sidecars,
      upstreams,
    };
    return {
      mesh,
      verdicts: this.#verdicts(inventory, round),
      used: [...round.used.values()].map(({ resource }) => resource),
      faults: inventory.faults,
    };
  }

  #secretFindings(resource: Resource<SecretSpec>): readonly Finding[] {
    const known = this.#checkedSecrets.get(resource);
    if (known !== undefined) return known;
    const findings = checkSecret(resource);
    this.#checkedSecrets.set(resource, findings);
    return findings;
  }

  #verdicts(inventory: Inventory, round: TranslationRound): Map<string, ResourceVerdict> {
    const verdicts = new Map<string, ResourceVerdict>();
    for (const entry of inventory.entries.values()) {
      const findings = [...entry.findings, ...round.findingsOf(entry.key)];
      const fallback: Outcome = hasError(findings) ? 'lastGood' : 'accepted';
      const outcome = !entry.supported ? 'unsupported' : round.used.has(entry.key) ? fallback : 'refused';
      verdicts.set(entry.key, { entry, outcome, findings });
    }
    return verdicts;
  }
}

function faultsOfSecrets({ entries }: Inventory, round: TranslationRound): Map<string, string> {
  const refused = [...entries.values()].filter(({ key, document, supported }) => {
    return document.kind === 'Secret' && supported && !round.used.has(key);
  });
  return new Map(
    refused.map((entry) => {
      const { namespace, name } = entry.document;
      return [`${namespace}/${name}`, secretFault(entry, [...entry.findings, ...round.findingsOf(entry.key)])];
    }),
  );
}

/** Of several services with one host and port that somebody sees together, the first keeps the port. */
function claimPorts(services: readonly Service[], round: TranslationRound): Service[] {
  const kept: Service[] = [];
  const byPort = new Map<string, Service[]>();
  const byAddress = new Map<string, Service[]>();
  const sharingByAddress = new Map<string, Service[]>();
  for (const service of services) {
    const ports = service.ports.filter((port) => claim(byPort, service, `${service.host} port ${port.number}`, round));
    for (const address of service.addresses) {
      // The listener of the first one has the address; the cluster is there for routes all the same.
      for (const port of ports) {
        const subject = `${address} port ${port.number}`;
        const by = sharedBy(port.protocol);
        const sharing = sharingByAddress.get(`${subject} by ${by}`) ?? [];
        if (by !== null && sharing.some((other) => overlaps(other, service))) continue;
        if (claim(byAddress, service, subject, round) && by !== null)
          sharingByAddress.set(`${subject} by ${by}`, [...sharing, service]);
      }
    }
    if (ports.length > 0) kept.push({ ...service, ports });
  }
  return kept;
}

type HostTable = RouteTable | ConnectionTable;

function exactFirst<T>(tables: readonly Ranked<T>[]): Ranked<T>[] {
  return [...tables].sort((a, b) => b.exactness - a.exactness);
}

function exactly<T>(table: T): Ranked<T> {
  return { table, exactness: EXACT };
}

/** All tables stay: for a namespace that sees only the later one, it is the first. A wildcard beside a name is no conflict. */
function reportSharedHosts(tables: readonly Ranked<HostTable>[], round: TranslationRound): void {
  const rivals = Map.groupBy(tables, ({ table, exactness }) => `${'codec' in table ? table.codec : ''} ${exactness}`);
  for (const sharing of rivals.values()) {
    const byHost = new Map<string, HostTable[]>();
    for (const { table } of sharing) claim(byHost, table, `${table.host} port ${table.port}`, round);
  }
}

/** False, and told on both: something that comes first has the subject, and somebody sees both. */
function claim<T extends Visibility & { readonly source: string }>(
  claims: Map<string, T[]>,
  thing: T,
  subject: string,
  round: TranslationRound,
): boolean {
  const rivals = claims.get(subject) ?? [];
  const first = rivals.find((rival) => overlaps(rival, thing));
  if (first === undefined) {
    claims.set(subject, [...rivals, thing]);
    return true;
  }
  round.conflict(first.source, thing.source, subject);
  return false;
}
