/**
 * One client's resources: generated, sent, acknowledged, rejected. Knows make-before-break and what a NACK means; knows neither
 * gRPC nor which of the two ADS protocols carries the responses.
 */
import { KnownReferences, type References } from '../../xds/references.ts';
import type { VersionedResource } from '../../xds/resource.ts';
import { resourceTypeUrls, TypeUrl } from '../../xds/type-urls.ts';
import type { ClientResourceStatus, Rejection } from './client-status.ts';
import { emptySnapshot, type ResourceMap, type Snapshot } from './snapshot.ts';

/** `resource` is null for a version the client brought along and this control plane never made. */
interface Sent {
  readonly version: string;
  readonly resource: VersionedResource | null;
  readonly atMs: number;
}

interface Acknowledged {
  readonly resource: VersionedResource;
  readonly atMs: number;
  /** What a NACK that comes after the ACK falls back to. */
  readonly previous: VersionedResource | null;
}

interface InFlight {
  readonly resources: readonly VersionedResource[];
  readonly removed: readonly string[];
}

/** A resource a NACK names. */
export interface RejectedResource {
  readonly name: string;
  readonly message: string;
}

/** Types whose resources may name resources of the key's type, directly or through each other. */
const parentsOf: ReadonlyMap<string, readonly string[]> = new Map([
  [TypeUrl.Listener, []],
  [TypeUrl.RouteConfiguration, [TypeUrl.Listener]],
  [TypeUrl.Cluster, [TypeUrl.Listener, TypeUrl.RouteConfiguration]],
  [TypeUrl.ClusterLoadAssignment, [TypeUrl.Listener, TypeUrl.RouteConfiguration, TypeUrl.Cluster]],
  [TypeUrl.Secret, [TypeUrl.Listener, TypeUrl.RouteConfiguration, TypeUrl.Cluster]],
]);

class TypeState {
  readonly sent = new Map<string, Sent>();
  readonly acknowledged = new Map<string, Acknowledged>();
  readonly rejected = new Map<string, Rejection>();
  /** Names the client holds in versions whose content, and so references, we cannot know. */
  readonly inherited = new Set<string>();
  inFlight: InFlight | null = null;
  /** The last response, in flight or answered. */
  last: InFlight | null = null;
}

export class ClientResources {
  readonly #nowMs: () => number;
  readonly #references = new KnownReferences();
  readonly #types = new Map<string, TypeState>(resourceTypeUrls.map((typeUrl) => [typeUrl, new TypeState()]));
  #generated: Snapshot = emptySnapshot();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  setGenerated(snapshot: Snapshot): void {
    this.#generated = snapshot;
  }

  /** The generated resources of a type and the ones that must outlive their removal for a while (XDS rule 6). */
  wanted(typeUrl: string): ResourceMap {
    const generated = this.#generated.get(typeUrl)!;
    if (typeUrl === TypeUrl.Listener) return generated;
    const held = [...this.#state(typeUrl).sent].filter(([name]) => !generated.has(name));
    if (held.length === 0) return generated;
    const named = this.#namedByClient(typeUrl);
    const result = new Map(generated);
    for (const [name, { resource }] of held) if (resource !== null && named.has(name)) result.set(name, resource);
    return result;
  }

  /**
   * False: what the client still refers to is unknown, because it holds parents of versions that we did not make or has not
   * answered for them yet; so nothing it brought along may be taken away.
   */
  mayRemoveInherited(typeUrl: string, isSubscribed: (typeUrl: string) => boolean): boolean {
    return parentsOf.get(typeUrl)!.every((parent) => {
      // Who has no listeners either never asks for them, or did not yet.
      if (parent !== TypeUrl.Listener && !isSubscribed(parent)) return true;
      const { last, inFlight, inherited } = this.#state(parent);
      return last !== null && inFlight === null && inherited.size === 0;
    });
  }

  sentVersion(typeUrl: string, name: string): string | null {
    return this.#state(typeUrl).sent.get(name)?.version ?? null;
  }

  sentNames(typeUrl: string): Iterable<string> {
    return this.#state(typeUrl).sent.keys();
  }

  isInherited(typeUrl: string, name: string): boolean {
    return this.#state(typeUrl).sent.get(name)?.resource === null;
  }

  /** A delta client said which versions it has from an earlier connection. */
  inherit(typeUrl: string, name: string, version: string): void {
    const state = this.#state(typeUrl);
    const generated = this.#generated.get(typeUrl)!.get(name);
    const known = generated?.version === version ? generated : null;
    state.sent.set(name, { version, resource: known, atMs: this.#nowMs() });
    if (known === null) state.inherited.add(name);
    else state.acknowledged.set(name, { resource: known, atMs: this.#nowMs(), previous: null });
  }

  isInFlight(typeUrl: string): boolean {
    return this.#state(typeUrl).inFlight !== null;
  }

  recordSent(typeUrl: string, resources: readonly VersionedResource[], removed: readonly string[]): void {
    const state = this.#state(typeUrl);
    for (const resource of resources) {
      state.sent.set(resource.name, { version: resource.version, resource, atMs: this.#nowMs() });
    }
    for (const name of removed) state.sent.delete(name);
    state.inFlight = state.last = { resources, removed };
  }

  /** The client forgot these: it is no longer subscribed. */
  forget(typeUrl: string, names: Iterable<string>): void {
    const state = this.#state(typeUrl);
    for (const name of names) {
      state.sent.delete(name);
      this.#drop(state, name);
    }
  }

  acknowledge(typeUrl: string): void {
    this.#settle(typeUrl, new Set());
  }

  /**
   * What is not named counts as acknowledged (XDS rule 8). No entries: the client named nothing we sent, so all that the response
   * changed is in doubt. A NACK may also come behind the ACK of the same response, from a proxy that found out while warming.
   */
  reject(typeUrl: string, rejected: readonly RejectedResource[], message: string): void {
    const state = this.#state(typeUrl);
    const { last } = state;
    if (last === null) return;
    const changed = last.resources.filter(
      ({ name, version }) => state.acknowledged.get(name)?.resource.version !== version,
    );
    const doubted = changed.length > 1 ? `one of ${changed.length} that changed: ${message}` : message;
    const entries = rejected.length > 0 ? rejected : changed.map(({ name }) => ({ name, message: doubted }));
    this.#settle(typeUrl, new Set(entries.map(({ name }) => name)));
    for (const entry of entries) this.#refuse(state, entry);
  }

  status(
    live: (typeUrl: string, name: string) => { version: string; notes: readonly string[]; atMs: number } | null,
  ): ClientResourceStatus[] {
    const result: ClientResourceStatus[] = [];
    for (const [typeUrl, state] of this.#types) {
      const generated = this.#generated.get(typeUrl)!;
      for (const name of new Set([...generated.keys(), ...state.sent.keys()])) {
        const version = generated.get(name)?.version ?? null;
        const sent = state.sent.get(name);
        const acknowledged = state.acknowledged.get(name);
        const running = live(typeUrl, name);
        const current = version ?? sent?.version ?? null;
        // What was refused may have become good by what came after it: what runs is not refused.
        const refused = state.rejected.get(name);
        const rejection = refused !== undefined && refused.version !== running?.version ? refused : null;
        result.push({
          typeUrl,
          name,
          state:
            sent === undefined || sent.version !== current
              ? 'pending'
              : rejection?.version === current
                ? 'rejected'
                : acknowledged?.resource.version === current || running?.version === current
                  ? 'acknowledged'
                  : 'sent',
          version,
          sentVersion: sent?.version ?? null,
          acknowledgedVersion: acknowledged?.resource.version ?? null,
          liveVersion: running?.version ?? null,
          rejection,
          notes: running?.notes ?? [],
          sentAtMs: sent?.atMs ?? null,
          acknowledgedAtMs: acknowledged?.atMs ?? null,
          liveAtMs: running?.atMs ?? null,
        });
      }
    }
    return result;
  }

  #settle(typeUrl: string, rejected: ReadonlySet<string>): void {
    const state = this.#state(typeUrl);
    const answered = state.inFlight;
    if (answered === null) return;
    state.inFlight = null;
    for (const resource of answered.resources) {
      if (rejected.has(resource.name)) continue;
      state.rejected.delete(resource.name);
      state.inherited.delete(resource.name);
      const previous = state.acknowledged.get(resource.name)?.resource ?? null;
      if (previous?.version === resource.version) continue;
      state.acknowledged.set(resource.name, { resource, atMs: this.#nowMs(), previous });
    }
    for (const name of answered.removed) this.#drop(state, name);
  }

  #refuse(state: TypeState, { name, message }: RejectedResource): void {
    const sent = state.sent.get(name);
    if (sent === undefined) return;
    state.rejected.set(name, { version: sent.version, message, atMs: this.#nowMs() });
    const acknowledged = state.acknowledged.get(name);
    if (acknowledged?.resource.version !== sent.version) return;
    if (acknowledged.previous === null) state.acknowledged.delete(name);
    else state.acknowledged.set(name, { resource: acknowledged.previous, atMs: acknowledged.atMs, previous: null });
  }

  #drop(state: TypeState, name: string): void {
    state.acknowledged.delete(name);
    state.rejected.delete(name);
    state.inherited.delete(name);
  }

  /** Names of `typeUrl` that the client may be using now: named by what it acknowledged or is about to. */
  #namedByClient(typeUrl: string): Set<string> {
    const names = new Set<string>();
    for (const parent of this.#parentsInUse(typeUrl)) {
      for (const name of pick(this.#references.of(parent), typeUrl)) names.add(name);
    }
    return names;
  }

  *#parentsInUse(typeUrl: string): Iterable<VersionedResource> {
    yield* this.#inUse(TypeUrl.Listener);
    if (typeUrl === TypeUrl.RouteConfiguration) return;
    if (typeUrl === TypeUrl.Cluster) {
      // A state-of-the-world client is never told that a route is gone: its routes count while a listener names them.
      const routes = this.wanted(TypeUrl.RouteConfiguration);
      for (const route of this.#inUse(TypeUrl.RouteConfiguration)) if (routes.has(route.name)) yield route;
      return;
    }
    yield* this.#inUse(TypeUrl.Cluster);
  }

  *#inUse(typeUrl: string): Iterable<VersionedResource> {
    const state = this.#state(typeUrl);
    for (const { resource } of state.acknowledged.values()) yield resource;
    if (state.inFlight !== null) yield* state.inFlight.resources;
  }

  #state(typeUrl: string): TypeState {
    return this.#types.get(typeUrl)!;
  }
}

function pick(references: References, typeUrl: string): ReadonlySet<string> {
  switch (typeUrl) {
    case TypeUrl.Cluster:
      return references.clusters;
    case TypeUrl.RouteConfiguration:
      return references.routes;
    case TypeUrl.ClusterLoadAssignment:
      return references.endpoints;
    default:
      return references.secrets;
  }
}
