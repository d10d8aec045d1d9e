/**
 * What the control plane sent, and how much of it is complete: a cluster waits for its endpoints, a route for its clusters, a
 * listener for its routes. Pure: knows no stream and no time.
 */
import { KnownReferences } from '../xds/references.ts';
import type { VersionedResource } from '../xds/resource.ts';
import { resourceTypeUrls, TypeUrl } from '../xds/type-urls.ts';

/** Resources by type URL, then name. */
export type Resources = ReadonlyMap<string, ReadonlyMap<string, VersionedResource>>;
type MutableResources = Map<string, Map<string, VersionedResource>>;

/** Types that are subscribed by the names that other resources mention. */
export const namedTypeUrls = [TypeUrl.ClusterLoadAssignment, TypeUrl.Secret, TypeUrl.RouteConfiguration] as const;

interface Completed {
  /** The newest version of each resource whose references are there, else the version that was complete before. */
  readonly resources: Resources;
  /** `resourceKey`s of newest versions that wait. */
  readonly warming: ReadonlySet<string>;
}

export function resourceKey(typeUrl: string, name: string): string {
  return `${typeUrl}\0${name}`;
}

export function sameResources(one: Resources, other: Resources): boolean {
  return resourceTypeUrls.every((typeUrl) => {
    const a = one.get(typeUrl);
    const b = other.get(typeUrl);
    if ((a?.size ?? 0) !== (b?.size ?? 0)) return false;
    for (const [name, { version }] of a ?? []) if (b?.get(name)?.version !== version) return false;
    return true;
  });
}

export class AdsResources {
  readonly #references = new KnownReferences();
  readonly #received: MutableResources = emptyResources();
  /** Names that will not come: the control plane said so, or the time to wait is over. */
  readonly #absent = new Map<string, Set<string>>(resourceTypeUrls.map((typeUrl) => [typeUrl, new Set()]));
  #complete: Resources = emptyResources();

  /** `initial`: a complete state from an earlier run. */
  constructor(initial: Resources | null) {
    if (initial === null) return;
    for (const typeUrl of resourceTypeUrls) {
      for (const [name, resource] of initial.get(typeUrl) ?? []) this.#received.get(typeUrl)!.set(name, resource);
    }
    this.#complete = initial;
  }

  get received(): Resources {
    return this.#received;
  }

  take(resource: VersionedResource): void {
    const resources = this.#received.get(resource.typeUrl)!;
    // Equal bytes keep their object, so that nobody reads them again.
    if (resources.get(resource.name)?.version !== resource.version) resources.set(resource.name, resource);
    this.#absent.get(resource.typeUrl)!.delete(resource.name);
  }

  remove(typeUrl: string, name: string): void {
    this.#received.get(typeUrl)!.delete(name);
    this.#absent.get(typeUrl)!.add(name);
  }

  /** Waits no longer for this name. */
  giveUp(typeUrl: string, name: string): void {
    this.#absent.get(typeUrl)!.add(name);
  }

  /** No longer subscribed. */
  forget(typeUrl: string, name: string): void {
    this.#received.get(typeUrl)!.delete(name);
    this.#absent.get(typeUrl)!.delete(name);
  }

  isMissing(typeUrl: string, name: string): boolean {
    return !this.#received.get(typeUrl)!.has(name) && !this.#absent.get(typeUrl)!.has(name);
  }

  /** Names to subscribe to: mentioned by a newest version, or by one that is still in use while that one waits. */
  namesFor(typeUrl: string): Set<string> {
    const names = new Set<string>();
    for (const resources of [this.#received, this.#complete]) {
      for (const parentType of [TypeUrl.Listener, TypeUrl.Cluster]) {
        for (const parent of resources.get(parentType)?.values() ?? []) {
          for (const name of this.#named(parent, typeUrl)) names.add(name);
        }
      }
    }
    return names;
  }

  /** Listeners that name a route configuration nobody sent. */
  listenersWithoutRoutes(): { name: string; routes: string[] }[] {
    const result: { name: string; routes: string[] }[] = [];
    const routes = this.#received.get(TypeUrl.RouteConfiguration)!;
    const absent = this.#absent.get(TypeUrl.RouteConfiguration)!;
    for (const listener of this.#received.get(TypeUrl.Listener)!.values()) {
      const missing = [...this.#references.of(listener).routes].filter((name) => !routes.has(name) && absent.has(name));
      if (missing.length > 0) result.push({ name: listener.name, routes: missing });
    }
    return result;
  }

  /** Moves on to the newest complete state. */
  complete(): Completed {
    const next = emptyResources();
    const warming = new Set<string>();
    for (const typeUrl of [TypeUrl.ClusterLoadAssignment, TypeUrl.Secret])
      next.set(typeUrl, new Map(this.#received.get(typeUrl)));
    const settle = (typeUrl: string, isComplete: (resource: VersionedResource) => boolean): void => {
      for (const [name, newest] of this.#received.get(typeUrl)!) {
        if (isComplete(newest)) {
          next.get(typeUrl)!.set(name, newest);
          continue;
        }
        warming.add(resourceKey(typeUrl, name));
        const before = this.#complete.get(typeUrl)?.get(name);
        if (before !== undefined) next.get(typeUrl)!.set(name, before);
      }
    };
    const waitsForNone = (typeUrl: string, names: Iterable<string>): boolean => {
      for (const name of names) if (this.isMissing(typeUrl, name)) return false;
      return true;
    };
    // A cluster that was never sent is no reason to wait: whoever names it will hear that it is unknown.
    const isHidden = (typeUrl: string, name: string): boolean =>
      this.#received.get(typeUrl)!.has(name) && !next.get(typeUrl)!.has(name);
    settle(TypeUrl.Cluster, (cluster) => {
      const { endpoints, secrets } = this.#references.of(cluster);
      return waitsForNone(TypeUrl.ClusterLoadAssignment, endpoints) && waitsForNone(TypeUrl.Secret, secrets);
    });
    const namesHiddenCluster = (resource: VersionedResource): boolean =>
      [...this.#references.of(resource).clusters].some((name) => isHidden(TypeUrl.Cluster, name));
    settle(TypeUrl.RouteConfiguration, (route) => !namesHiddenCluster(route));
    settle(TypeUrl.Listener, (listener) => {
      const { routes, secrets } = this.#references.of(listener);
      const knownRoutes = next.get(TypeUrl.RouteConfiguration)!;
      // A cluster can do without endpoints; a listener cannot do without routes, however long they take.
      return (
        [...routes].every((name) => knownRoutes.has(name)) &&
        waitsForNone(TypeUrl.Secret, secrets) &&
        !namesHiddenCluster(listener)
      );
    });
    this.#complete = next;
    return { resources: next, warming };
  }

  #named(parent: VersionedResource, typeUrl: string): Iterable<string> {
    const references = this.#references.of(parent);
    switch (typeUrl) {
      case TypeUrl.RouteConfiguration:
        return references.routes;
      case TypeUrl.ClusterLoadAssignment:
        return references.endpoints;
      default:
        return references.secrets;
    }
  }
}

function emptyResources(): MutableResources {
  return new Map(resourceTypeUrls.map((typeUrl) => [typeUrl, new Map()]));
}
