/** What the control plane knows of the versions that run here: the first report of a connection is whole, later ones tell changes. */
import type { LiveReport, LiveResource, ResourceRef } from '../xds/discovery.ts';
import { type Resources, resourceKey } from './ads-resources.ts';
import type { ResourceRemark } from './resource-remark.ts';

export class AdsLiveReport {
  readonly #nodeId: string;
  #live: ReadonlyMap<string, LiveResource> | null = null;
  /** Null: this connection was told nothing yet. */
  #told: ReadonlyMap<string, LiveResource> | null = null;

  constructor(nodeId: string) {
    this.#nodeId = nodeId;
  }

  setLive(resources: Resources, remarks: readonly ResourceRemark[]): void {
    const notes = new Map<string, string[]>();
    for (const { typeUrl, name, message } of remarks) {
      const key = resourceKey(typeUrl, name);
      notes.set(key, [...(notes.get(key) ?? []), message]);
    }
    const live = new Map<string, LiveResource>();
    for (const [typeUrl, resourcesOfType] of resources) {
      for (const { name, version } of resourcesOfType.values()) {
        const key = resourceKey(typeUrl, name);
        live.set(key, { typeUrl, name, version, notes: notes.get(key) ?? [] });
      }
    }
    this.#live = live;
  }

  disconnected(): void {
    this.#told = null;
  }

  /** What the connection has not been told; null: it knows all. The caller sends it. */
  next(): LiveReport | null {
    if (this.#live === null) return null;
    const isFirst = this.#told === null;
    const before = this.#told ?? new Map<string, LiveResource>();
    const after = this.#live;
    const live = [...after].flatMap(([key, resource]) => (isSame(before.get(key), resource) ? [] : [resource]));
    const removed: ResourceRef[] = [...before].flatMap(([key, { typeUrl, name }]) =>
      after.has(key) ? [] : [{ typeUrl, name }],
    );
    this.#told = after;
    return isFirst || live.length > 0 || removed.length > 0 ? { nodeId: this.#nodeId, live, removed } : null;
  }
}

function isSame(one: LiveResource | undefined, other: LiveResource): boolean {
  return one !== undefined && one.version === other.version && one.notes.join('\n') === other.notes.join('\n');
}
