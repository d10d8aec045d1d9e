/** TranslationRound: one pass over an inventory. Picks the version of each resource that is used, and collects what is said of it. */
import { byPrecedence, type FieldPath, type Finding, findingAt, type Resource } from '../model/resource.ts';
import type { Inventory, ResourceEntry } from '../model/resource-store.ts';

/** `lastGood`: the version before is in use. `refused`: no version is. */
export type Outcome = 'accepted' | 'lastGood' | 'refused' | 'unsupported';

/** The version of a resource that was used last, and what was made of it then. */
export interface GoodVersion {
  readonly resource: Resource;
  /** Absent: an earlier process used it, and it was not compiled since. */
  readonly made?: unknown;
}

export interface Compiled<T> {
  readonly findings: readonly Finding[];
  /** Called once, and only where the findings hold no error. */
  make(): T;
}

export class TranslationRound {
  readonly used = new Map<string, GoodVersion>();
  readonly #inventory: Inventory;
  readonly #good: ReadonlyMap<string, GoodVersion>;
  readonly #findings = new Map<string, Finding[]>();

  constructor(inventory: Inventory, good: ReadonlyMap<string, GoodVersion>) {
    this.#inventory = inventory;
    this.#good = good;
  }

  /** What was made of each resource of a kind, in order of precedence. `onUse` is called for each before the next one is compiled. */
  admit<S, T>(kind: string, compile: (resource: Resource<S>) => Compiled<T>, onUse?: (made: T) => void): T[] {
    const admitted: T[] = [];
    for (const entry of this.#candidates(kind)) {
      const version = this.#choose(entry, compile as (resource: Resource) => Compiled<T>);
      if (version === null) continue;
      this.used.set(entry.key, version);
      admitted.push(version.made);
      onUse?.(version.made);
    }
    return admitted;
  }

  report(key: string, findings: readonly Finding[]): void {
    if (findings.length > 0) this.#findings.set(key, [...this.findingsOf(key), ...findings]);
  }

  findingsOf(key: string): readonly Finding[] {
    return this.#findings.get(key) ?? [];
  }

  warn(key: string, path: FieldPath, message: string): void {
    const entry = this.#inventory.entries.get(key);
    if (entry !== undefined) this.report(key, [findingAt(entry.document, 'warning', path, message)]);
  }

  /** Both resources say who won. */
  conflict(winner: string, loser: string, subject: string): void {
    const [first, second] = [this.#inventory.entries.get(winner), this.#inventory.entries.get(loser)];
    if (winner === loser || first === undefined || second === undefined) return;
    this.report(winner, [
      findingAt(
        first.document,
        'warning',
        [],
        `${loser} wants ${subject} too; this one is older or sorts first and is used`,
      ),
    ]);
    this.report(loser, [
      findingAt(second.document, 'shadowed', [], `${winner} is older or sorts first and is used for ${subject}`),
    ]);
  }

  /** An invalid version has no precedence of its own: the last good one stands in for it. */
  #candidates(kind: string): ResourceEntry[] {
    const ranked = [...this.#inventory.entries.values()]
      .filter((entry) => entry.document.kind === kind && entry.supported)
      .flatMap((entry) => {
        const resource = entry.resource ?? this.#good.get(entry.key)?.resource;
        return resource === undefined ? [] : [{ entry, resource }];
      });
    return ranked.sort((a, b) => byPrecedence(a.resource, b.resource)).map((each) => each.entry);
  }

  /** The newest version, else the last good one, else what was made of it when what it refers to still existed. */
  #choose<T>(
    entry: ResourceEntry,
    compile: (resource: Resource) => Compiled<T>,
  ): { resource: Resource; made: T } | null {
    if (entry.resource !== null) {
      const compiled = compile(entry.resource);
      this.report(entry.key, compiled.findings);
      if (!hasError(compiled.findings)) return { resource: entry.resource, made: compiled.make() };
    }
    const good = this.#good.get(entry.key);
    if (good === undefined) return null;
    const again = compile(good.resource);
    if (!hasError(again.findings)) return { resource: good.resource, made: again.make() };
    return 'made' in good ? { resource: good.resource, made: good.made as T } : null;
  }
}

export function hasError(findings: readonly Finding[]): boolean {
  return findings.some((finding) => finding.level === 'error');
}
