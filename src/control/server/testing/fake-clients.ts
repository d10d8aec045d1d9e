/** ADS clients for tests of the sessions: they answer only when told to. */
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
  RpcStatus,
} from '../../../xds/discovery.ts';
import type { XdsResource } from '../../../xds/resource.ts';
import { shortTypeName, TypeUrl } from '../../../xds/type-urls.ts';
import type { Xds } from '../../../xds/xds.ts';
import type { ClientResourceStatus } from '../client-status.ts';
import { DeltaSession } from '../delta-session.ts';
import { ResourceEncoder } from '../resource-encoder.ts';
import type { Session } from '../session.ts';
import { buildSnapshot, emptySnapshot, type Snapshot } from '../snapshot.ts';
import { SotwSession } from '../sotw-session.ts';

export const { Listener: LDS, RouteConfiguration: RDS, Cluster: CDS, ClusterLoadAssignment: EDS } = TypeUrl;

/** `resource name: reason` pairs, as our own proxy refuses. */
export type Refusals = Readonly<Record<string, string>>;

abstract class FakeClient<Request, Response extends { readonly typeUrl: string; readonly nonce: string }> {
  protected readonly xds: Xds;
  protected snapshot: Snapshot = emptySnapshot();
  /** Every response, oldest first. */
  readonly responses: Response[] = [];
  abstract readonly session: Session<Request>;

  constructor(xds: Xds) {
    this.xds = xds;
  }

  /** The generator's next result. */
  generate(...resources: XdsResource[]): void {
    this.snapshot = buildSnapshot(new ResourceEncoder(this.xds), resources, this.snapshot).snapshot;
    this.session.setGenerated(this.snapshot);
  }

  /** Responses since the last call, as short lines: `Cluster +v1 +v2 -v0`. */
  received(): string[] {
    return this.#unread().map((response) => this.describe(response));
  }

  readonly #seen = { count: 0 };

  #unread(): Response[] {
    const unread = this.responses.slice(this.#seen.count);
    this.#seen.count = this.responses.length;
    return unread;
  }

  last(typeUrl: string): Response {
    return this.responses.findLast((response) => response.typeUrl === typeUrl)!;
  }

  status(typeUrl: string, name: string): ClientResourceStatus {
    return this.session.resources.status(() => null).find((one) => one.typeUrl === typeUrl && one.name === name)!;
  }

  protected errorDetail(message: string, typeUrl: string, refusals: Refusals): RpcStatus {
    return {
      code: 3,
      message,
      details: Object.entries(refusals).map(([name, reason]) => ({
        typeUrl: TypeUrl.ResourceError,
        value: this.xds.encodeMessage(TypeUrl.ResourceError, { typeUrl, name, message: reason }),
      })),
    };
  }

  protected abstract describe(response: Response): string;
}

export class FakeDeltaClient extends FakeClient<DeltaDiscoveryRequest, DeltaDiscoveryResponse> {
  readonly session: DeltaSession;

  constructor(xds: Xds, ...resources: XdsResource[]) {
    super(xds);
    this.snapshot = buildSnapshot(new ResourceEncoder(xds), resources, this.snapshot).snapshot;
    const send = (response: DeltaDiscoveryResponse): unknown => this.responses.push(response);
    this.session = new DeltaSession({ xds, snapshot: this.snapshot, nowMs: () => 1, send });
  }

  /** A request without an answer in it. */
  subscribe(typeUrl: string, names: string[] = [], initialResourceVersions: Record<string, string> = {}): void {
    this.#request({ typeUrl, resourceNamesSubscribe: names, initialResourceVersions });
  }

  unsubscribe(typeUrl: string, ...names: string[]): void {
    this.#request({ typeUrl, resourceNamesUnsubscribe: names });
  }

  ack(typeUrl: string, nonce = this.last(typeUrl).nonce): void {
    this.#request({ typeUrl, responseNonce: nonce });
  }

  nack(typeUrl: string, refusals: Refusals, message = 'refused', nonce = this.last(typeUrl).nonce): void {
    this.#request({ typeUrl, responseNonce: nonce, errorDetail: this.errorDetail(message, typeUrl, refusals) });
  }

  /** Subscribes to all types and acknowledges all that comes. */
  connect(endpoints: string[], routes: string[]): void {
    for (const [typeUrl, names] of [
      [CDS, []],
      [LDS, []],
      [EDS, endpoints],
      [RDS, routes],
    ] as const) {
      this.subscribe(typeUrl, [...names]);
      this.ack(typeUrl);
    }
    this.received();
  }

  protected describe({ typeUrl, resources, removedResources }: DeltaDiscoveryResponse): string {
    const changes = [...resources.map(({ name }) => `+${name}`), ...removedResources.map((name) => `-${name}`)];
    return [shortTypeName(typeUrl), ...changes].join(' ');
  }

  #request(request: Pick<DeltaDiscoveryRequest, 'typeUrl'> & Partial<DeltaDiscoveryRequest>): void {
    this.session.onRequest({
      resourceNamesSubscribe: [],
      resourceNamesUnsubscribe: [],
      initialResourceVersions: {},
      responseNonce: '',
      ...request,
    });
  }
}

export class FakeSotwClient extends FakeClient<DiscoveryRequest, DiscoveryResponse> {
  readonly session: SotwSession;
  readonly #names = new Map<string, readonly string[]>();

  constructor(xds: Xds, ...resources: XdsResource[]) {
    super(xds);
    this.snapshot = buildSnapshot(new ResourceEncoder(xds), resources, this.snapshot).snapshot;
    const send = (response: DiscoveryResponse): unknown => this.responses.push(response);
    this.session = new SotwSession({ xds, snapshot: this.snapshot, nowMs: () => 1, send });
  }

  /** With the newest nonce, so it is an answer too while a response is in flight. */
  subscribe(typeUrl: string, ...names: string[]): void {
    this.#names.set(typeUrl, names);
    this.#request(typeUrl, this.responses.some((one) => one.typeUrl === typeUrl) ? this.last(typeUrl).nonce : '');
  }

  ack(typeUrl: string, nonce = this.last(typeUrl).nonce): void {
    this.#request(typeUrl, nonce);
  }

  nack(typeUrl: string, refusals: Refusals, message = 'refused'): void {
    this.#request(typeUrl, this.last(typeUrl).nonce, this.errorDetail(message, typeUrl, refusals));
  }

  connect(endpoints: string[], routes: string[]): void {
    for (const [typeUrl, names] of [
      [CDS, []],
      [LDS, []],
      [EDS, endpoints],
      [RDS, routes],
    ] as const) {
      this.subscribe(typeUrl, ...names);
      this.ack(typeUrl);
    }
    this.received();
  }

  protected describe({ typeUrl, resources }: DiscoveryResponse): string {
    const names = resources.map((any) => {
      const decoded = this.xds.decodeResource(any);
      return decoded.ok ? decoded.resource.name : '?';
    });
    return [shortTypeName(typeUrl), ...names].join(' ');
  }

  #request(typeUrl: string, responseNonce: string, errorDetail: RpcStatus | null = null): void {
    const resourceNames = this.#names.get(typeUrl) ?? [];
    this.session.onRequest({ typeUrl, responseNonce, errorDetail, resourceNames, versionInfo: '' });
  }
}
