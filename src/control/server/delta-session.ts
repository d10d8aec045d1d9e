/** The incremental ADS protocol for one stream: subscriptions by name, versions per resource, removals said. */
import type { DeltaDiscoveryRequest, DeltaDiscoveryResponse } from '../../xds/discovery.ts';
import { endpointsOf } from '../../xds/references.ts';
import { type VersionedResource, versionOfSet } from '../../xds/resource.ts';
import { resourceTypeUrls, TypeUrl } from '../../xds/type-urls.ts';
import type { Xds } from '../../xds/xds.ts';
import { ClientResources } from './client-resources.ts';
import { isWildcardType, rejectedResources, type Session, waitsFor } from './session.ts';
import type { Snapshot } from './snapshot.ts';

interface Subscription {
  wildcard: boolean;
  readonly names: Set<string>;
  /** Names to answer even if nothing changed: newly subscribed, or children of a cluster that changed. */
  readonly owed: Set<string>;
  /** The first request of a type is answered even with nothing, so that the client knows that it has all. */
  first: boolean;
  nonce: string;
}

export interface SessionOptions<Response> {
  readonly xds: Xds;
  readonly snapshot: Snapshot;
  readonly nowMs: () => number;
  readonly send: (response: Response) => void;
}

export class DeltaSession implements Session<DeltaDiscoveryRequest> {
  readonly resources: ClientResources;
  readonly #xds: Xds;
  readonly #send: (response: DeltaDiscoveryResponse) => void;
  readonly #subscriptions = new Map<string, Subscription>();
  #nonces = 0;

  constructor(options: SessionOptions<DeltaDiscoveryResponse>) {
    this.#xds = options.xds;
    this.#send = options.send;
    this.resources = new ClientResources(options.nowMs);
    this.resources.setGenerated(options.snapshot);
  }

  setGenerated(snapshot: Snapshot): void {
    this.resources.setGenerated(snapshot);
    this.#flush();
  }

  onRequest(request: DeltaDiscoveryRequest): void {
    const { typeUrl } = request;
    if (!(resourceTypeUrls as readonly string[]).includes(typeUrl)) {
      this.#answerUnknownType(request);
      return;
    }
    const subscription = this.#subscriptions.get(typeUrl) ?? this.#subscribe(request);
    for (const name of request.resourceNamesSubscribe) {
      if (name === '*') {
        subscription.first ||= !subscription.wildcard;
        subscription.wildcard = true;
      } else {
        subscription.names.add(name);
        // What a client brings along from an earlier connection it need not get again.
        if (!Object.hasOwn(request.initialResourceVersions, name)) subscription.owed.add(name);
      }
    }
    this.#unsubscribe(typeUrl, subscription, request.resourceNamesUnsubscribe);
    // Subscriptions count in any request; an answer counts only for the newest response.
    if (request.responseNonce !== '' && request.responseNonce === subscription.nonce) {
      if (request.errorDetail) {
        const sent = Array.from(this.resources.sentNames(typeUrl), (name) => ({ name }));
        const rejected = rejectedResources(this.#xds, request.errorDetail, sent);
        this.resources.reject(typeUrl, rejected, request.errorDetail.message);
      } else {
        this.resources.acknowledge(typeUrl);
      }
    }
    this.#flush();
  }

  #subscribe(request: DeltaDiscoveryRequest): Subscription {
    const { typeUrl } = request;
    const subscription: Subscription = {
      wildcard: isWildcardType(typeUrl) && request.resourceNamesSubscribe.length === 0,
      names: new Set(),
      owed: new Set(),
      first: true,
      nonce: '',
    };
    this.#subscriptions.set(typeUrl, subscription);
    for (const [name, version] of Object.entries(request.initialResourceVersions)) {
      this.resources.inherit(typeUrl, name, version);
    }
    return subscription;
  }

  #unsubscribe(typeUrl: string, subscription: Subscription, names: readonly string[]): void {
    for (const name of names) {
      subscription.owed.delete(name);
      subscription.names.delete(name);
      if (name === '*') subscription.wildcard = false;
    }
    if (names.length === 0 || subscription.wildcard) return;
    this.resources.forget(
      typeUrl,
      names.includes('*')
        ? [...this.resources.sentNames(typeUrl)].filter((name) => !subscription.names.has(name))
        : names,
    );
  }

  #flush(): void {
    for (const typeUrl of resourceTypeUrls) {
      const subscription = this.#subscriptions.get(typeUrl);
      if (subscription === undefined || this.resources.isInFlight(typeUrl)) continue;
      if (waitsFor.get(typeUrl)?.some((parent) => this.#changed(parent).length > 0)) continue;
      this.#push(typeUrl, subscription);
    }
  }

  #push(typeUrl: string, subscription: Subscription): void {
    const wanted = this.resources.wanted(typeUrl);
    const changed = this.#changed(typeUrl);
    const removed = this.#removed(typeUrl, subscription);
    if (changed.length === 0 && removed.length === 0 && !subscription.first) return;
    subscription.first = false;
    subscription.owed.clear();
    subscription.nonce = `${++this.#nonces}`;
    this.resources.recordSent(typeUrl, changed, removed);
    if (typeUrl === TypeUrl.Cluster) this.#oweEndpoints(changed);
    this.#send({
      typeUrl,
      nonce: subscription.nonce,
      systemVersionInfo: versionOfSet(wanted.values()),
      resources: changed.map(({ name, version, any }) => ({ name, version, resource: any })),
      removedResources: removed,
    });
  }

  /** Resources that are subscribed and not, or not in this version, at the client. */
  #changed(typeUrl: string): VersionedResource[] {
    const subscription = this.#subscriptions.get(typeUrl);
    if (subscription === undefined) return [];
    const result: VersionedResource[] = [];
    for (const resource of this.resources.wanted(typeUrl).values()) {
      const { name, version } = resource;
      if (!subscription.wildcard && !subscription.names.has(name)) continue;
      if (subscription.owed.has(name) || this.resources.sentVersion(typeUrl, name) !== version) result.push(resource);
    }
    return result;
  }

  #removed(typeUrl: string, subscription: Subscription): string[] {
    const wanted = this.resources.wanted(typeUrl);
    const result = new Set<string>();
    const mayRemoveInherited = this.resources.mayRemoveInherited(typeUrl, (parent) => this.#subscriptions.has(parent));
    for (const name of this.resources.sentNames(typeUrl)) {
      if (wanted.has(name)) continue;
      if (mayRemoveInherited || !this.resources.isInherited(typeUrl, name)) result.add(name);
    }
    for (const name of subscription.owed) if (!wanted.has(name)) result.add(name);
    return [...result];
  }

  /** A client that rebuilds a cluster waits for its endpoints again, though they did not change. */
  #oweEndpoints(clusters: readonly VersionedResource[]): void {
    const subscription = this.#subscriptions.get(TypeUrl.ClusterLoadAssignment);
    if (subscription === undefined) return;
    for (const cluster of clusters) {
      const name = endpointsOf(cluster);
      if (name === null || this.resources.sentVersion(TypeUrl.ClusterLoadAssignment, name) === null) continue;
      if (this.resources.wanted(TypeUrl.ClusterLoadAssignment).has(name)) subscription.owed.add(name);
    }
  }

  /** We have no such resources, and say so once: a client that waits for them would wait for ever. */
  #answerUnknownType(request: DeltaDiscoveryRequest): void {
    const names = request.resourceNamesSubscribe.filter((name) => name !== '*');
    if (request.responseNonce !== '' && names.length === 0) return;
    this.#send({
      typeUrl: request.typeUrl,
      nonce: `${++this.#nonces}`,
      systemVersionInfo: '',
      resources: [],
      removedResources: names,
    });
  }
}
