/** The two ways to speak ADS, delta and state of the world, behind one face for the client. */

import type { Message } from '../xds/descriptor.ts';
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
  RpcStatus,
} from '../xds/discovery.ts';
import type { AnyMessage } from '../xds/resource.ts';
import { TypeUrl } from '../xds/type-urls.ts';

/** One response, whichever protocol it came in. */
export interface AdsUpdate {
  readonly typeUrl: string;
  /** `name` is null in state of the world, where only the bytes say it. */
  readonly resources: readonly { readonly name: string | null; readonly any: AnyMessage }[];
  readonly removed: readonly string[];
  /** What is not in `resources` is gone. */
  readonly whole: boolean;
}

/** Per stream: made anew with each connection. */
export interface AdsProtocol {
  /** Starts a type. `versions`: what the client holds from before, '' for what it refused. */
  open(typeUrl: string, names: ReadonlySet<string>, versions: Readonly<Record<string, string>>): void;
  /** Subscribes to exactly `names` from now on. */
  rename(typeUrl: string, names: ReadonlySet<string>): void;
  /** Answers the newest response of the type; with an error a second time too, if the fault was found late. */
  answer(typeUrl: string, error: RpcStatus | null): void;
}

export class DeltaProtocol implements AdsProtocol {
  readonly #send: (request: DeltaDiscoveryRequest) => void;
  readonly #onUpdate: (update: AdsUpdate) => void;
  readonly #nonces = new Map<string, string>();
  readonly #names = new Map<string, ReadonlySet<string>>();
  #node: Message | null;

  constructor(node: Message, send: (request: DeltaDiscoveryRequest) => void, onUpdate: (update: AdsUpdate) => void) {
    this.#node = node;
    this.#send = send;
    this.#onUpdate = onUpdate;
  }

  open(typeUrl: string, names: ReadonlySet<string>, versions: Readonly<Record<string, string>>): void {
    this.#names.set(typeUrl, names);
    this.#request({ typeUrl, resourceNamesSubscribe: [...names], initialResourceVersions: versions });
  }

  rename(typeUrl: string, names: ReadonlySet<string>): void {
    const before = this.#names.get(typeUrl) ?? new Set();
    this.#names.set(typeUrl, names);
    this.#request({
      typeUrl,
      resourceNamesSubscribe: [...names].filter((name) => !before.has(name)),
      resourceNamesUnsubscribe: [...before].filter((name) => !names.has(name)),
    });
  }

  answer(typeUrl: string, error: RpcStatus | null): void {
    this.#request({ typeUrl, responseNonce: this.#nonces.get(typeUrl)!, errorDetail: error });
  }

  onResponse(response: DeltaDiscoveryResponse): void {
    this.#nonces.set(response.typeUrl, response.nonce);
    this.#onUpdate({
      typeUrl: response.typeUrl,
      resources: response.resources.map(({ name, resource }) => ({ name, any: resource })),
      removed: response.removedResources,
      whole: false,
    });
  }

  #request(request: Pick<DeltaDiscoveryRequest, 'typeUrl'> & Partial<DeltaDiscoveryRequest>): void {
    this.#send({
      resourceNamesSubscribe: [],
      resourceNamesUnsubscribe: [],
      initialResourceVersions: {},
      responseNonce: '',
      node: this.#node,
      ...request,
    });
    this.#node = null;
  }
}

interface SotwState {
  names: ReadonlySet<string>;
  nonce: string;
  /** Of the newest response, and of the newest that was accepted. */
  version: string;
  acceptedVersion: string;
  answered: boolean;
}

export class SotwProtocol implements AdsProtocol {
  readonly #send: (request: DiscoveryRequest) => void;
  readonly #onUpdate: (update: AdsUpdate) => void;
  readonly #types = new Map<string, SotwState>();
  #node: Message | null;

  constructor(node: Message, send: (request: DiscoveryRequest) => void, onUpdate: (update: AdsUpdate) => void) {
    this.#node = node;
    this.#send = send;
    this.#onUpdate = onUpdate;
  }

  open(typeUrl: string, names: ReadonlySet<string>): void {
    this.#types.set(typeUrl, { names, nonce: '', version: '', acceptedVersion: '', answered: true });
    this.#request(typeUrl, null);
  }

  rename(typeUrl: string, names: ReadonlySet<string>): void {
    const state = this.#types.get(typeUrl)!;
    state.names = names;
    // With an unanswered response any request would be its answer: the names go with that.
    if (state.answered) this.#request(typeUrl, null);
  }

  answer(typeUrl: string, error: RpcStatus | null): void {
    const state = this.#types.get(typeUrl)!;
    state.answered = true;
    if (error === null) state.acceptedVersion = state.version;
    this.#request(typeUrl, error);
  }

  onResponse({ typeUrl, versionInfo, nonce, resources }: DiscoveryResponse): void {
    const state = this.#types.get(typeUrl);
    if (state === undefined) return;
    state.version = versionInfo;
    state.nonce = nonce;
    state.answered = false;
    this.#onUpdate({
      typeUrl,
      resources: resources.map((any) => ({ name: null, any })),
      removed: [],
      whole: typeUrl === TypeUrl.Listener || typeUrl === TypeUrl.Cluster,
    });
  }

  #request(typeUrl: string, errorDetail: RpcStatus | null): void {
    const { names, nonce, acceptedVersion } = this.#types.get(typeUrl)!;
    this.#send({
      typeUrl,
      versionInfo: acceptedVersion,
      responseNonce: nonce,
      resourceNames: [...names],
      errorDetail,
      node: this.#node,
    });
    this.#node = null;
  }
}
