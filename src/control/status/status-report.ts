/** StatusReport: for every resource whether it runs, where, and if not, why. Plain JSON, served by the admin API. */
import type { NodeInfo } from '../../xds/node.ts';
import { shortTypeName } from '../../xds/type-urls.ts';
import { findUnselected } from '../analyze/gateway-findings.ts';
import type { Generated, NodeNote, ServiceAddress } from '../generate/generated.ts';
import { resourceId } from '../generate/generated.ts';
import { compare, type Finding, findingAt } from '../model/resource.ts';
import type { ClientResourceStatus, ClientStatus } from '../server/client-status.ts';
import type { Outcome } from '../translate/translation-round.ts';
import type { ResourceVerdict, Translation } from '../translate/translator.ts';

export interface StatusReport {
  /** Sorted by file and line. */
  readonly resources: readonly ResourceStatus[];
  /** Faults of files, which belong to no resource. */
  readonly faults: readonly FindingStatus[];
  /** Sorted by id. */
  readonly proxies: readonly ProxyStatus[];
}

export interface FindingStatus {
  readonly level: Finding['level'];
  readonly file: string;
  readonly line: number;
  readonly path: string;
  readonly message: string;
}

export interface ResourceStatus {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly outcome: Outcome;
  readonly findings: readonly FindingStatus[];
  /** Listeners, routes, clusters and endpoints it shapes, as `Listener 10.0.0.1_9090`. */
  readonly products: readonly string[];
  /** Proxies that get something of it, and those where the newest of all that runs. */
  readonly proxies: number;
  readonly appliedOn: number;
  /**
   * From the save to the moment it ran on the last of the proxies that were connected at the save; null: not yet everywhere, or
   * the save changed nothing on the wire.
   */
  readonly liveAfterMs: number | null;
  /** What single proxies refuse, do not get or have to say. */
  readonly remarks: readonly ProxyRemark[];
}

export interface ProxyRemark {
  readonly proxy: string;
  readonly level: 'rejected' | 'note';
  /** `Listener 10.0.0.1_9090`; '' where it concerns no single one. */
  readonly product: string;
  readonly message: string;
}

export interface ProxyStatus {
  readonly id: string;
  readonly type: NodeInfo['type'];
  readonly namespace: string;
  readonly agent: string;
  readonly peer: string;
  readonly protocol: ClientStatus['protocol'];
  readonly connectedAtMs: number;
  /** Resources by state; `live`: of those acknowledged, the ones that run on all workers. */
  readonly resources: {
    readonly total: number;
    readonly acknowledged: number;
    readonly live: number;
    readonly rejected: number;
  };
  /** Where to connect for each service. */
  readonly addresses: readonly ServiceAddress[];
  /** Encoding faults: ours, not the operator's. */
  readonly unsendable: readonly string[];
}

/** One connected client and what was generated for it last. */
export interface ClientView {
  readonly client: ClientStatus;
  readonly generated: Generated;
}

export function buildStatus(translation: Translation, views: readonly ClientView[]): StatusReport {
  const verdicts = [...translation.verdicts.values()].sort(byPlace);
  const indexed = views.map(indexView);
  const unselected = findUnselected(
    translation.mesh.gateways,
    views.map(({ client }) => client.node),
  );
  return {
    resources: verdicts.map((verdict) => resourceStatus(verdict, indexed, unselected.get(verdict.entry.key) ?? null)),
    faults: translation.faults.map(findingStatus),
    proxies: views.map(proxyStatus).sort((a, b) => compare(a.id, b.id)),
  };
}

function byPlace(a: ResourceVerdict, b: ResourceVerdict): number {
  const [placeA, placeB] = [a.entry.document.place, b.entry.document.place];
  return compare(placeA.file, placeB.file) || placeA.line - placeB.line;
}

interface IndexedView extends ClientView {
  readonly states: ReadonlyMap<string, ClientResourceStatus>;
  readonly notes: ReadonlyMap<string, readonly NodeNote[]>;
  /** The client says what runs, and not only what it accepted. */
  readonly tellsLive: boolean;
}

function indexView(view: ClientView): IndexedView {
  const { resources } = view.client;
  return {
    ...view,
    states: new Map(resources.map((state) => [resourceId(state.typeUrl, state.name), state])),
    notes: Map.groupBy(view.generated.notes, (note) => note.source),
    tellsLive: resources.some((state) => state.liveVersion !== null),
  };
}

/** `unselected`: why no proxy serves this Gateway. */
function resourceStatus(
  { entry, outcome, findings: found }: ResourceVerdict,
  views: readonly IndexedView[],
  unselected: string | null,
): ResourceStatus {
  const { document, key } = entry;
  const findings =
    unselected === null ? found : [...found, findingAt(document, 'warning', ['spec', 'selector'], unselected)];
  const products = new Set<string>();
  const remarks: ProxyRemark[] = [];
  let proxies = 0;
  let appliedOn = 0;
  let lastLiveAtMs = 0;
  for (const view of views) {
    const proxy = view.client.node.id;
    for (const { message } of view.notes.get(key) ?? []) remarks.push({ proxy, level: 'note', product: '', message });
    const ids = view.generated.products.get(key);
    if (ids === undefined) continue;
    proxies++;
    const states = [...ids].flatMap((id) => view.states.get(id) ?? []);
    for (const state of states) products.add(productName(state));
    remarks.push(...states.flatMap((state) => saidByProxy(proxy, state)));
    if (states.length === ids.size && states.every((state) => runs(state, view.tellsLive))) appliedOn++;
    if (view.client.connectedAtMs < document.savedAtMs)
      lastLiveAtMs = Math.max(lastLiveAtMs, ...states.map((state) => state.liveAtMs ?? 0));
  }
  return {
    kind: document.kind,
    namespace: document.namespace,
    name: document.name,
    ...document.place,
    outcome,
    findings: findings.map(findingStatus),
    products: [...products].sort(),
    proxies,
    appliedOn,
    liveAfterMs:
      appliedOn === proxies && lastLiveAtMs >= document.savedAtMs
        ? Math.round(lastLiveAtMs - document.savedAtMs)
        : null,
    remarks,
  };
}

function saidByProxy(proxy: string, state: ClientResourceStatus): ProxyRemark[] {
  const product = productName(state);
  const remarks: ProxyRemark[] = state.notes.map((message) => ({ proxy, level: 'note', product, message }));
  if (state.state === 'rejected' && state.rejection !== null)
    remarks.unshift({ proxy, level: 'rejected', product, message: state.rejection.message });
  return remarks;
}

function runs(state: ClientResourceStatus, tellsLive: boolean): boolean {
  return state.state === 'acknowledged' && (!tellsLive || state.liveVersion === state.version);
}

function productName({ typeUrl, name }: { readonly typeUrl: string; readonly name: string }): string {
  return `${shortTypeName(typeUrl)} ${name}`;
}

function findingStatus({ level, place, path, message }: Finding): FindingStatus {
  return { level, ...place, path, message };
}

function proxyStatus({ client, generated }: ClientView): ProxyStatus {
  const { node, resources, protocol, peer, connectedAtMs } = client;
  const count = (test: (resource: ClientResourceStatus) => boolean): number => resources.filter(test).length;
  return {
    id: node.id,
    type: node.type,
    namespace: node.namespace,
    agent: node.agent,
    peer,
    protocol,
    connectedAtMs,
    resources: {
      total: resources.length,
      acknowledged: count((resource) => resource.state === 'acknowledged'),
      live: count(
        (resource) =>
          resource.liveVersion !== null && resource.liveVersion === (resource.version ?? resource.sentVersion),
      ),
      rejected: count((resource) => resource.state === 'rejected'),
    },
    addresses: generated.addresses,
    unsendable: client.unsendable.map(
      (bad) => `${productName(bad)}: ${bad.issues.map((issue) => `${issue.path} ${issue.message}`).join('; ')}`,
    ),
  };
}
