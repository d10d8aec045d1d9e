/** The state-of-the-world ADS protocol for one stream: LDS and CDS whole, the others as far as they changed. */
import type { DiscoveryRequest, DiscoveryResponse } from '../../xds/discovery.ts';
import { type VersionedResource, versionOfSet } from '../../xds/resource.ts';
import { resourceTypeUrls } from '../../xds/type-urls.ts';
import type { Xds } from '../../xds/xds.ts';
import { ClientResources } from './client-resources.ts';
import type { SessionOptions } from './delta-session.ts';
import { isWildcardType, rejectedResources, type Session, waitsFor } from './session.ts';
import type { Snapshot } from './snapshot.ts';

interface Subscription {
  wildcard: boolean;
  names: ReadonlySet<string>;
  /** Answer with these even if nothing changed; `all`: with everything subscribed. */
  owed: Set<string> | 'all' | null;
  nonce: string;
  sentVersion: string;
  /** The newest response was refused: asking again does not bring it back. */
  refused: boolean;
}

export class SotwSession implements Session<DiscoveryRequest> {
  readonly resources: ClientResources;
  readonly #xds: Xds;
  readonly #send: (response: DiscoveryResponse) => void;
  readonly #subscriptions = new Map<string, Subscription>();
  #nonces = 0;

  constructor(options: SessionOptions<DiscoveryResponse>) {
    this.#xds = options.xds;
    this.#send = options.send;
    this.resources = new ClientResources(options.nowMs);
    this.resources.setGenerated(options.snapshot);
  }

  setGenerated(snapshot: Snapshot): void {
    this.resources.setGenerated(snapshot);
    this.#flush();
  }

  onRequest(request: DiscoveryRequest): void {
    const { typeUrl } = request;
    if (!(resourceTypeUrls as readonly string[]).includes(typeUrl)) {
      this.#answerUnknownType(request);
      return;
    }
    const subscription = this.#subscriptions.get(typeUrl);
    if (subscription === undefined) {
      this.#subscriptions.set(typeUrl, {
        ...readNames(request, true),
        owed: 'all',
        nonce: '',
        sentVersion: '',
        refused: false,
      });
    } else {
      // The newest response is still on its way to the client, who will answer it with its newest names.
      if (request.responseNonce !== '' && request.responseNonce !== subscription.nonce) return;
      this.#answer(request, subscription);
    }
    this.#flush();
  }

  #answer(request: DiscoveryRequest, subscription: Subscription): void {
    const { typeUrl } = request;
    const inFlight = this.resources.isInFlight(typeUrl);
    if (request.errorDetail) {
      const sent = Array.from(this.resources.sentNames(typeUrl), (name) => ({ name }));
      const rejected = rejectedResources(this.#xds, request.errorDetail, sent);
      this.resources.reject(typeUrl, rejected, request.errorDetail.message);
      subscription.refused = true;
    } else if (inFlight) {
      this.resources.acknowledge(typeUrl);
    }
    const { names, wildcard } = readNames(request, subscription.wildcard);
    const added = [...names].filter((name) => !subscription.names.has(name));
    const dropped = [...subscription.names].filter((name) => !names.has(name));
    const widened = wildcard && !subscription.wildcard;
    subscription.names = names;
    subscription.wildcard = wildcard;
    if (!wildcard) this.resources.forget(typeUrl, dropped);
    const askedAgain =
      !inFlight && added.length === 0 && dropped.length === 0 && !request.errorDetail && !subscription.refused;
    if (widened || askedAgain) subscription.owed = 'all';
    else if (added.length > 0 && subscription.owed !== 'all')
      subscription.owed = new Set([...(subscription.owed ?? []), ...added]);
  }

  #flush(): void {
    for (const typeUrl of resourceTypeUrls) {
      const subscription = this.#subscriptions.get(typeUrl);
      if (subscription === undefined || this.resources.isInFlight(typeUrl)) continue;
      if (waitsFor.get(typeUrl)?.some((parent) => this.#hasUnsent(parent))) continue;
      this.#push(typeUrl, subscription);
    }
  }

  #push(typeUrl: string, subscription: Subscription): void {
    const subscribed = this.#subscribed(typeUrl, subscription);
    const version = versionOfSet(subscribed);
    const { owed } = subscription;
    const changed = subscribed.filter(
      ({ name, version }) =>
        owed === 'all' || owed?.has(name) === true || this.resources.sentVersion(typeUrl, name) !== version,
    );
    const whole = isWildcardType(typeUrl);
    // Nothing can say that one of these is gone; its client drops it with what named it.
    if (!whole) this.resources.forget(typeUrl, this.#gone(typeUrl, subscribed));
    const shrunk = whole && version !== subscription.sentVersion;
    if (changed.length === 0 && owed === null && !shrunk) return;
    const removed = whole ? this.#gone(typeUrl, subscribed) : [];
    subscription.owed = null;
    subscription.refused = false;
    subscription.sentVersion = version;
    subscription.nonce = `${++this.#nonces}`;
    const resources = whole ? subscribed : changed;
    this.resources.recordSent(typeUrl, resources, removed);
    this.#send({
      typeUrl,
      nonce: subscription.nonce,
      versionInfo: version,
      resources: resources.map(({ any }) => any),
    });
  }

  #subscribed(typeUrl: string, subscription: Subscription): VersionedResource[] {
    const wanted = [...this.resources.wanted(typeUrl).values()];
    return subscription.wildcard ? wanted : wanted.filter(({ name }) => subscription.names.has(name));
  }

  #gone(typeUrl: string, subscribed: readonly VersionedResource[]): string[] {
    const kept = new Set(subscribed.map(({ name }) => name));
    return [...this.resources.sentNames(typeUrl)].filter((name) => !kept.has(name));
  }

  #hasUnsent(typeUrl: string): boolean {
    const subscription = this.#subscriptions.get(typeUrl);
    if (subscription === undefined) return false;
    return this.#subscribed(typeUrl, subscription).some(
      ({ name, version }) => this.resources.sentVersion(typeUrl, name) !== version,
    );
  }

  #answerUnknownType(request: DiscoveryRequest): void {
    if (request.responseNonce !== '') return;
    this.#send({ typeUrl: request.typeUrl, nonce: `${++this.#nonces}`, versionInfo: '', resources: [] });
  }
}

/** An empty list means all only until the client named something. */
function readNames(request: DiscoveryRequest, maybeAll: boolean): { names: ReadonlySet<string>; wildcard: boolean } {
  const names = new Set(request.resourceNames);
  const star = names.delete('*');
  return { names, wildcard: star || (maybeAll && names.size === 0 && isWildcardType(request.typeUrl)) };
}
