/**
 * Translator: the resources of an inventory -> Mesh. Each resource is judged alone, after those it refers to; an invalid one
 * keeps its last good version while the others move on.
 */
import type { ProtocolManifest } from '../../metaprotocol/manifest.ts';
import type { ApplicationProtocolSpec } from '../model/application-protocol.ts';
import type { DestinationRuleSpec } from '../model/destination-rule.ts';
import type { MetaRouterSpec } from '../model/meta-router.ts';
import type { Finding, Resource } from '../model/resource.ts';
import type { Inventory, ResourceEntry } from '../model/resource-store.ts';
import type { ServiceEntrySpec } from '../model/service-entry.ts';
import type { SidecarSpec } from '../model/sidecar.ts';
import type { WorkloadSpec } from '../model/workload-entry.ts';
import type { Mesh, RouteTable, Service } from './mesh.ts';
import { checkDestinationRule, toPolicies } from './policies.ts';
import { ProtocolTable } from './protocols.ts';
import { compileRouter } from './routes.ts';
import { checkServiceEntry, toServices } from './services.ts';
import { checkSidecar, toSidecarPolicy } from './sidecars.ts';
import { type GoodVersion, hasError, type Outcome, TranslationRound } from './translation-round.ts';
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
  /** Faults that belong to no resource. */
  readonly faults: readonly Finding[];
}

/** Istio's name for the namespace of mesh-wide resources. */
export const DEFAULT_ROOT_NAMESPACE = 'istio-system';

export class Translator {
  readonly #rootNamespace: string;
  #good: ReadonlyMap<string, GoodVersion> = new Map();

  constructor(rootNamespace: string) {
    this.#rootNamespace = rootNamespace;
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

    const rules = round.admit('DestinationRule', (resource: Resource<DestinationRuleSpec>) => ({
      findings: checkDestinationRule(resource, services),
      make: () => resource,
    }));
    const { policies, findings } = toPolicies(rules);
    for (const [key, list] of findings) round.report(key, list);

    const tables: RouteTable[] = [];
    round.admit(
      'MetaRouter',
      (resource: Resource<MetaRouterSpec>) => compileRouter(resource, { services, policies }),
      (compiled) => tables.push(...claimHosts(compiled, tables, round)),
    );
    const sidecars = round.admit('Sidecar', (resource: Resource<SidecarSpec>) => ({
      findings: checkSidecar(resource, protocols),
      make: () => toSidecarPolicy(resource, protocols),
    }));

    this.#good = round.used;
    const mesh: Mesh = { rootNamespace: this.#rootNamespace, services, policies, tables, sidecars };
    return { mesh, verdicts: this.#verdicts(inventory, round), faults: inventory.faults };
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

/** Of several services with one host and port that somebody sees together, the first keeps the port. */
function claimPorts(services: readonly Service[], round: TranslationRound): Service[] {
  const kept: Service[] = [];
  for (const service of services) {
    const rivals = kept.filter((each) => each.host === service.host && overlaps(each, service));
    const ports = service.ports.filter((port) => {
      const first = rivals.find((each) => each.ports.some((other) => other.number === port.number));
      if (first !== undefined) round.conflict(first.source, service.source, `${service.host} port ${port.number}`);
      return first === undefined;
    });
    reportSharedAddresses(service, kept, round);
    if (ports.length > 0) kept.push({ ...service, ports });
  }
  return kept;
}

function reportSharedAddresses(service: Service, kept: readonly Service[], round: TranslationRound): void {
  for (const first of kept) {
    if (first.host === service.host || !overlaps(first, service)) continue;
    const addresses = service.addresses.filter((address) => first.addresses.includes(address));
    const ports = service.ports.filter((port) => first.ports.some((other) => other.number === port.number));
    for (const address of addresses) {
      for (const port of ports) round.conflict(first.source, service.source, `${address} port ${port.number}`);
    }
  }
}

/** All tables stay: for a namespace that sees only the later one, it is the first. */
function claimHosts(
  compiled: readonly RouteTable[],
  tables: readonly RouteTable[],
  round: TranslationRound,
): readonly RouteTable[] {
  for (const table of compiled) {
    const first = tables.find((each) => each.host === table.host && each.port === table.port && overlaps(each, table));
    if (first !== undefined) round.conflict(first.source!, table.source!, `${table.host} port ${table.port}`);
  }
  return compiled;
}
