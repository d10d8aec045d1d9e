/**
 * Translator: the resources of an inventory -> Mesh. Each resource is judged alone, after those it refers to; an invalid one
 * keeps its last good version while the others move on.
 */
import type { ProtocolManifest } from '../../metaprotocol/manifest.ts';
import type { ApplicationProtocolSpec } from '../model/application-protocol.ts';
import type { DestinationRuleSpec } from '../model/destination-rule.ts';
import type { MetaRouterSpec } from '../model/meta-router.ts';
import { byPrecedence, type Finding, findingAt, type Resource } from '../model/resource.ts';
import type { Inventory, ResourceEntry } from '../model/resource-store.ts';
import type { ServiceEntrySpec } from '../model/service-entry.ts';
import type { SidecarSpec } from '../model/sidecar.ts';
import type { WorkloadSpec } from '../model/workload-entry.ts';
import type { Mesh, RouteTable, Service } from './mesh.ts';
import { checkDestinationRule, toPolicies } from './policies.ts';
import { ProtocolTable } from './protocols.ts';
import { compileRouter, type RouteContext } from './routes.ts';
import { checkServiceEntry, toServices } from './services.ts';
import { checkSidecar, toSidecarPolicy } from './sidecars.ts';
import { overlaps } from './visibility.ts';

/** `lastGood`: an earlier version is in use, or the last one as it was compiled. `refused`: no version is in use. */
export type Outcome = 'accepted' | 'lastGood' | 'refused' | 'unsupported';

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

type Check<S> = (resource: Resource<S>) => readonly Finding[];

export class Translator {
  readonly #rootNamespace: string;
  /** The version of each resource that was last used. */
  #good: ReadonlyMap<string, Resource> = new Map();
  /** Compiled, because the services and subsets they name may have changed since. */
  #goodTables: ReadonlyMap<string, readonly RouteTable[]> = new Map();

  constructor(rootNamespace: string) {
    this.#rootNamespace = rootNamespace;
  }

  translate(inventory: Inventory, manifests: readonly ProtocolManifest[]): Translation {
    const round = new Round(inventory, this.#good);
    const protocols = new ProtocolTable(manifests);
    round.admit<ApplicationProtocolSpec>(
      'ApplicationProtocol',
      (resource) => protocols.check(resource),
      (resource) => protocols.add(resource),
    );

    const workloads = round.admit<WorkloadSpec>('WorkloadEntry', () => []);
    const entries = round.admit<ServiceEntrySpec>('ServiceEntry', (resource) =>
      checkServiceEntry(resource, protocols, workloads),
    );
    const services = claimPorts(
      entries.flatMap((resource) => toServices(resource, protocols, workloads)),
      round,
    );

    const rules = round.admit<DestinationRuleSpec>('DestinationRule', (resource) =>
      checkDestinationRule(resource, services),
    );
    const { policies, findings } = toPolicies(rules);
    for (const [key, list] of findings) round.report(key, list);

    const tables = this.#compileRouters(round, { services, policies });
    const sidecars = round
      .admit<SidecarSpec>('Sidecar', (resource) => checkSidecar(resource, protocols))
      .map((resource) => toSidecarPolicy(resource, protocols));

    this.#good = round.used;
    const mesh: Mesh = { rootNamespace: this.#rootNamespace, services, policies, tables, sidecars };
    return { mesh, verdicts: round.verdicts(), faults: inventory.faults };
  }

  #compileRouters(round: Round, context: RouteContext): RouteTable[] {
    const compiled = new Map<string, readonly RouteTable[]>();
    const check: Check<MetaRouterSpec> = (resource) => {
      const result = compileRouter(resource, context);
      if (!hasError(result.findings)) compiled.set(resource.key, result.tables);
      return result.findings;
    };
    const tables: RouteTable[] = [];
    const claim = (resource: Resource<MetaRouterSpec>): void => {
      for (const table of compiled.get(resource.key)!) {
        const first = tables.find(
          (each) => each.host === table.host && each.port === table.port && overlaps(each, table),
        );
        if (first !== undefined) round.conflict(first.source!, resource.key, `${table.host} port ${table.port}`);
        tables.push(table);
      }
    };
    const frozen = (resource: Resource<MetaRouterSpec>): boolean => {
      const last = this.#goodTables.get(resource.key);
      if (last !== undefined) compiled.set(resource.key, last);
      return last !== undefined;
    };
    round.admit<MetaRouterSpec>('MetaRouter', check, claim, frozen);
    this.#goodTables = compiled;
    return tables;
  }
}

/** One pass over an inventory: picks the version of each resource that is used, and collects what is said of it. */
class Round {
  readonly used = new Map<string, Resource>();
  readonly #inventory: Inventory;
  readonly #good: ReadonlyMap<string, Resource>;
  readonly #findings = new Map<string, Finding[]>();

  constructor(inventory: Inventory, good: ReadonlyMap<string, Resource>) {
    this.#inventory = inventory;
    this.#good = good;
  }

  /**
   * In order of precedence; returns the versions in use. `onUse` is called for each before the next one is checked; `frozen`
   * says that the last good version may be used as it was compiled, though it would not pass its check today.
   */
  admit<S>(
    kind: string,
    check: Check<S>,
    onUse?: (resource: Resource<S>) => void,
    frozen?: (resource: Resource<S>) => boolean,
  ): Resource<S>[] {
    const admitted: Resource<S>[] = [];
    const entries = [...this.#inventory.entries.values()].filter(
      (entry) => entry.document.kind === kind && entry.supported,
    );
    // An invalid version has no precedence of its own: its last good one stands in for it.
    const candidates = entries.map((entry) => ({ entry, rank: entry.resource ?? this.#good.get(entry.key) ?? null }));
    for (const { entry } of candidates
      .filter((each) => each.rank !== null)
      .sort((a, b) => byPrecedence(a.rank!, b.rank!))) {
      const resource = this.#choose(entry, check, frozen);
      if (resource === null) continue;
      this.used.set(entry.key, resource);
      admitted.push(resource);
      onUse?.(resource);
    }
    return admitted;
  }

  #choose<S>(entry: ResourceEntry, check: Check<S>, frozen?: (resource: Resource<S>) => boolean): Resource<S> | null {
    const current = entry.resource as Resource<S> | null;
    if (current !== null) {
      const findings = check(current);
      this.report(entry.key, findings);
      if (!hasError(findings)) return current;
    }
    const good = this.#good.get(entry.key) as Resource<S> | undefined;
    if (good === undefined) return null;
    if (frozen !== undefined) return frozen(good) ? good : null;
    return hasError(check(good)) ? null : good;
  }

  report(key: string, findings: readonly Finding[]): void {
    if (findings.length > 0) this.#findings.set(key, [...(this.#findings.get(key) ?? []), ...findings]);
  }

  /** Both resources say who won. */
  conflict(winner: string, loser: string, subject: string): void {
    const [winnerEntry, loserEntry] = [this.#inventory.entries.get(winner), this.#inventory.entries.get(loser)];
    if (winner === loser || winnerEntry === undefined || loserEntry === undefined) return;
    this.report(winner, [
      findingAt(
        winnerEntry.document,
        'warning',
        [],
        `${loser} wants ${subject} too; this one is older or sorts first and is used`,
      ),
    ]);
    this.report(loser, [
      findingAt(loserEntry.document, 'shadowed', [], `${winner} is older or sorts first and is used for ${subject}`),
    ]);
  }

  verdicts(): Map<string, ResourceVerdict> {
    const verdicts = new Map<string, ResourceVerdict>();
    for (const entry of this.#inventory.entries.values()) {
      const findings = [...entry.findings, ...(this.#findings.get(entry.key) ?? [])];
      verdicts.set(entry.key, { entry, outcome: this.#outcome(entry, findings), findings });
    }
    return verdicts;
  }

  #outcome(entry: ResourceEntry, findings: readonly Finding[]): Outcome {
    if (!entry.supported) return 'unsupported';
    if (!this.used.has(entry.key)) return 'refused';
    return hasError(findings) ? 'lastGood' : 'accepted';
  }
}

export function hasError(findings: readonly Finding[]): boolean {
  return findings.some((finding) => finding.level === 'error');
}

/** Of several services with one host and port that somebody sees together, the first keeps the port. */
function claimPorts(services: readonly Service[], round: Round): Service[] {
  const kept: Service[] = [];
  for (const service of services) {
    const ports = service.ports.filter((port) => {
      const first = kept.find(
        (each) =>
          each.host === service.host &&
          each.ports.some((other) => other.number === port.number) &&
          overlaps(each, service),
      );
      if (first !== undefined) round.conflict(first.source, service.source, `${service.host} port ${port.number}`);
      return first === undefined;
    });
    reportSharedAddresses(service, kept, round);
    if (ports.length > 0) kept.push({ ...service, ports });
  }
  return kept;
}

function reportSharedAddresses(service: Service, kept: readonly Service[], round: Round): void {
  for (const first of kept) {
    if (first.host === service.host || !overlaps(first, service)) continue;
    const addresses = service.addresses.filter((address) => first.addresses.includes(address));
    const ports = service.ports.filter((port) => first.ports.some((other) => other.number === port.number));
    for (const address of addresses)
      for (const port of ports) round.conflict(first.source, service.source, `${address} port ${port.number}`);
  }
}
