/**
 * The proxy's end of ADS: keeps a connection, keeps what was sent, asks `onUpdate` what is usable of it, and answers per resource.
 * Without a control plane everything stays as it is. Knows nothing of what resources mean beyond which names which.
 */
import type { Clock, TimerHandle } from '../metaprotocol/clock.ts';
import { formatIssues } from '../xds/descriptor.ts';
import type { RpcStatus } from '../xds/discovery.ts';
import { type NodeInfo, nodeToJson } from '../xds/node.ts';
import { resourceTypeUrls, shortTypeName, TypeUrl } from '../xds/type-urls.ts';
import type { Xds } from '../xds/xds.ts';
import { AdsLiveReport } from './ads-live-report.ts';
import { type AdsProtocol, type AdsUpdate, DeltaProtocol, SotwProtocol } from './ads-protocol.ts';
import { AdsResources, namedTypeUrls, type Resources, resourceKey, sameResources } from './ads-resources.ts';
import type { AdsConnection, AdsTransport } from './ads-transport.ts';
import type { ResourceRemark } from './resource-remark.ts';

export interface AdsClientOptions {
  readonly xds: Xds;
  readonly node: NodeInfo;
  readonly transport: AdsTransport;
  readonly protocol: 'delta' | 'sotw';
  readonly clock: Clock;
  /** 0 to below 1: jitter of the back-off. */
  readonly random: () => number;
  readonly log: { info(fields: object, text: string): void; warn(fields: object, text: string): void };
  /** State of an earlier run, told to `onUpdate` first; the control plane then sends only what differs. */
  readonly initial: Resources | null;
  /**
   * The newest complete state: each resource in its newest version whose references came, else in its last such version. Prepare
   * it and answer with the resources whose version here cannot be used, each of which keeps its last good version; the others
   * are acknowledged. Never called again before it answered, and not for a state equal to the last one.
   */
  readonly onUpdate: (resources: Resources) => Promise<readonly ResourceRemark[]>;
  /** The stream is up and answering, or lost and why. */
  readonly onConnection?: (connected: boolean, reason: string) => void;
  readonly limits?: Partial<AdsLimits>;
}

export interface AdsLimits {
  /** First and longest pause between attempts to connect. */
  readonly backoffMs: number;
  readonly backoffMsMax: number;
  /** A connection that brought no response in this time is given up. */
  readonly firstResponseMs: number;
  /** How long a resource waits for the ones it names (XDS rule 7). */
  readonly warmingMs: number;
  /** How long an answer waits for warming resources, so that it can say what became of them. */
  readonly answerMs: number;
}

const defaultLimits: AdsLimits = {
  backoffMs: 100,
  backoffMsMax: 2_000,
  firstResponseMs: 10_000,
  warmingMs: 15_000,
  answerMs: 1_000,
};

/** google.rpc.Code */
const invalidArgument = 3;

/** A response that was not answered yet. */
interface Unanswered {
  readonly names: readonly string[];
  late: boolean;
  readonly timer: TimerHandle;
}

/** A remark on one version. */
interface VersionRemark extends ResourceRemark {
  readonly version: string;
}

export class AdsClient {
  readonly #options: AdsClientOptions;
  readonly #limits: AdsLimits;
  readonly #resources: AdsResources;
  #connection: AdsConnection | null = null;
  #protocol: AdsProtocol | null = null;
  #retry: TimerHandle | null = null;
  #attempts = 0;
  #connected = false;
  #closed = false;

  /** Per connection. */
  readonly #unanswered = new Map<string, Unanswered>();
  readonly #answeredTypes = new Set<string>();
  readonly #subscribed = new Map<string, ReadonlySet<string>>();
  readonly #warmingTimers = new Map<string, TimerHandle>();
  #firstResponse: TimerHandle | null = null;
  /** Versions whose refusal this control plane heard. */
  readonly #told = new Map<string, string>();

  /** Bytes that could not be decoded, by resource; the version before stays. */
  readonly #undecodable = new Map<string, VersionRemark>();
  /** What `onUpdate` said of the state it was asked about last. */
  #refused: ReadonlyMap<string, VersionRemark> = new Map();
  #warming: ReadonlySet<string> = new Set();
  /** Parts of resources that this build does not know. */
  readonly #unknownFields = new Map<string, VersionRemark>();
  #asked: Resources | null = null;
  /** There are listeners and clusters to speak of. */
  #started: boolean;
  /** What was received is judged. */
  #judged = false;
  #updating = false;
  #dirty = false;
  #scheduled: TimerHandle | null = null;

  readonly #liveReport: AdsLiveReport;

  constructor(options: AdsClientOptions) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#resources = new AdsResources(options.initial);
    this.#started = options.initial !== null;
    this.#liveReport = new AdsLiveReport(options.node.id);
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Newest versions that were refused, for the admin's error states. */
  get refused(): readonly ResourceRemark[] {
    return [...this.#refused.values(), ...this.#undecodable.values()];
  }

  start(): void {
    if (this.#started) this.#schedule();
    this.#connect();
  }

  /** These resources run on every worker now (XDS rule 9). */
  reportLive(resources: Resources, notes: readonly ResourceRemark[]): void {
    this.#liveReport.setLive(resources, [...notes, ...this.#unknownFieldsOf(resources)]);
    this.#report();
  }

  /**
   * A later verdict on the state that `onUpdate` was asked about last: an address became free, say. The control plane hears of
   * it by the live report.
   */
  revise(remarks: readonly ResourceRemark[]): void {
    const refused = new Map<string, VersionRemark>();
    for (const remark of remarks) {
      const version = this.#asked?.get(remark.typeUrl)?.get(remark.name)?.version;
      if (version !== undefined) refused.set(resourceKey(remark.typeUrl, remark.name), { ...remark, version });
    }
    this.#refused = refused;
  }

  /** No call back comes after this one. */
  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#scheduled?.cancel();
    this.#disconnect();
  }

  #connect(): void {
    this.#retry = null;
    const { transport, xds, node, protocol, clock } = this.#options;
    const connection = transport((reason) => this.#lose(reason));
    this.#connection = connection;
    const nodeMessage = xds.jsonToMessage('envoy.config.core.v3.Node', nodeToJson(node));
    if (protocol === 'delta') {
      const delta: DeltaProtocol = new DeltaProtocol(
        nodeMessage,
        connection.openDelta((response) => delta.onResponse(response)),
        (update) => this.#take(update),
      );
      this.#protocol = delta;
    } else {
      const sotw: SotwProtocol = new SotwProtocol(
        nodeMessage,
        connection.openSotw((response) => sotw.onResponse(response)),
        (update) => this.#take(update),
      );
      this.#protocol = sotw;
    }
    this.#firstResponse = clock.setTimer(this.#limits.firstResponseMs, () =>
      this.#lose(`no response within ${this.#limits.firstResponseMs} ms`),
    );
    for (const typeUrl of [TypeUrl.Cluster, TypeUrl.Listener]) {
      this.#protocol.open(typeUrl, new Set(), this.#heldVersions(typeUrl));
    }
    this.#subscribe();
  }

  /** Versions we hold. What was refused is claimed as '': it comes again, and with it the chance to say so. */
  #heldVersions(typeUrl: string): Record<string, string> {
    const versions: Record<string, string> = Object.create(null);
    for (const [name, { version }] of this.#resources.received.get(typeUrl)!) {
      const key = resourceKey(typeUrl, name);
      versions[name] = this.#refused.has(key) || this.#undecodable.has(key) ? '' : version;
    }
    return versions;
  }

  #lose(reason: string): void {
    this.#disconnect();
    const { clock, random, log, onConnection } = this.#options;
    if (this.#connected) {
      this.#connected = false;
      log.warn({ reason }, 'control plane lost; everything stays as it is');
      onConnection?.(false, reason);
    }
    const longestMs = Math.min(this.#limits.backoffMsMax, this.#limits.backoffMs * 2 ** this.#attempts);
    this.#attempts = Math.min(this.#attempts + 1, 16);
    // Half of it is jitter: a fleet does not come back as one wave.
    const delayMs = longestMs * (0.5 + random() / 2);
    if (this.#attempts === 1) log.info({ reason, delayMs }, 'connecting to the control plane again');
    this.#retry = clock.setTimer(delayMs, () => this.#connect());
  }

  #disconnect(): void {
    this.#connection?.close();
    this.#connection = null;
    this.#protocol = null;
    this.#firstResponse?.cancel();
    for (const { timer } of this.#unanswered.values()) timer.cancel();
    for (const timer of this.#warmingTimers.values()) timer.cancel();
    this.#unanswered.clear();
    this.#warmingTimers.clear();
    this.#answeredTypes.clear();
    this.#subscribed.clear();
    this.#told.clear();
    this.#liveReport.disconnected();
  }

  #take(update: AdsUpdate): void {
    const { clock, log, onConnection } = this.#options;
    if (!this.#connected) {
      this.#connected = true;
      this.#firstResponse?.cancel();
      log.info({}, 'control plane connected');
      onConnection?.(true, '');
      this.#report();
    }
    this.#attempts = 0;
    const { typeUrl } = update;
    if (!(resourceTypeUrls as readonly string[]).includes(typeUrl)) return;
    const names: string[] = [];
    for (const { name, any } of update.resources) {
      const decoded = this.#decode(typeUrl, name, any);
      if (decoded !== '') names.push(decoded);
    }
    // A resource without a name may be any of those that seem to be gone.
    const whole = update.whole && names.length === update.resources.length;
    const gone = whole
      ? [...this.#resources.received.get(typeUrl)!.keys()].filter((name) => !names.includes(name))
      : update.removed;
    for (const name of gone) {
      this.#resources.remove(typeUrl, name);
      this.#undecodable.delete(resourceKey(typeUrl, name));
    }
    this.#unanswered.get(typeUrl)?.timer.cancel();
    const timer = clock.setTimer(this.#limits.answerMs, () => {
      unanswered.late = true;
      this.#schedule();
    });
    const unanswered: Unanswered = { names, late: false, timer };
    this.#unanswered.set(typeUrl, unanswered);
    this.#answeredTypes.add(typeUrl);
    this.#started ||= this.#answeredTypes.has(TypeUrl.Listener) && this.#answeredTypes.has(TypeUrl.Cluster);
    this.#subscribe();
    this.#schedule();
  }

  /** The resource's name; '' when nobody knows it. */
  #decode(typeUrl: string, givenName: string | null, any: AdsUpdate['resources'][number]['any']): string {
    const result = this.#options.xds.decodeResource(any);
    const name = givenName ?? (result.ok ? result.resource.name : result.name);
    const key = resourceKey(typeUrl, name);
    const misnamed = result.ok && (result.resource.name !== name || any.typeUrl !== typeUrl);
    if (!result.ok || misnamed) {
      const message = result.ok
        ? `sent as ${shortTypeName(typeUrl)} "${name}", holds ${shortTypeName(any.typeUrl)} "${result.resource.name}"`
        : formatIssues(result.issues);
      this.#undecodable.set(key, { typeUrl, name, message, version: `undecodable ${any.value.length}` });
      this.#told.delete(key);
      return name;
    }
    this.#undecodable.delete(key);
    const { resource, unknown } = result;
    if (unknown.length > 0) {
      const message = `not known to this proxy: ${formatIssues(unknown)}`;
      this.#unknownFields.set(key, { typeUrl, name, version: resource.version, message });
      this.#options.log.warn({ typeUrl, name, message }, 'resource has parts that this proxy does not know');
    } else {
      this.#unknownFields.delete(key);
    }
    // A name may have been dropped while its resource was on the way.
    if (this.#subscribed.get(typeUrl)?.has(name) ?? true) this.#resources.take(resource);
    return name;
  }

  /** Subscribes to what listeners and clusters name, and starts the clocks of what did not come yet. */
  #subscribe(): void {
    const protocol = this.#protocol;
    if (protocol === null) return;
    for (const typeUrl of namedTypeUrls) {
      const names = this.#resources.namesFor(typeUrl);
      const before = this.#subscribed.get(typeUrl);
      if (before === undefined ? names.size === 0 : sameNames(before, names)) continue;
      for (const name of before ?? []) {
        if (names.has(name)) continue;
        const key = resourceKey(typeUrl, name);
        this.#resources.forget(typeUrl, name);
        this.#undecodable.delete(key);
        this.#warmingTimers.get(key)?.cancel();
        this.#warmingTimers.delete(key);
      }
      this.#subscribed.set(typeUrl, names);
      if (before === undefined) {
        const held = this.#heldVersions(typeUrl);
        protocol.open(typeUrl, names, Object.fromEntries(Object.entries(held).filter(([name]) => names.has(name))));
      } else {
        protocol.rename(typeUrl, names);
      }
    }
    for (const typeUrl of namedTypeUrls) {
      for (const name of this.#subscribed.get(typeUrl) ?? []) this.#watchWarming(typeUrl, name);
    }
  }

  #watchWarming(typeUrl: string, name: string): void {
    const key = resourceKey(typeUrl, name);
    if (!this.#resources.isMissing(typeUrl, name)) {
      this.#warmingTimers.get(key)?.cancel();
      this.#warmingTimers.delete(key);
      return;
    }
    if (this.#warmingTimers.has(key)) return;
    const { clock, log } = this.#options;
    const timer = clock.setTimer(this.#limits.warmingMs, () => {
      this.#warmingTimers.delete(key);
      if (!this.#resources.isMissing(typeUrl, name)) return;
      log.warn({ typeUrl, name, waitedMs: this.#limits.warmingMs }, 'resource did not come; going on without it');
      this.#resources.giveUp(typeUrl, name);
      this.#schedule();
    });
    this.#warmingTimers.set(key, timer);
  }

  /** Responses of one turn are judged together. */
  #schedule(): void {
    if (this.#closed) return;
    if (this.#updating) {
      this.#dirty = true;
      return;
    }
    this.#scheduled ??= this.#options.clock.setTimer(0, () => {
      this.#scheduled = null;
      void this.#update();
    });
  }

  async #update(): Promise<void> {
    this.#updating = true;
    this.#dirty = false;
    this.#judged = this.#started && (await this.#ask());
    this.#updating = false;
    if (this.#closed) return;
    // The state that was asked about no longer needs what only its predecessor named.
    this.#subscribe();
    // News came while we asked: the open answers are given with the next verdict.
    if (this.#dirty) this.#schedule();
    else this.#answerAll();
  }

  /** False: too early to ask. */
  async #ask(): Promise<boolean> {
    const { resources, warming } = this.#resources.complete();
    this.#warming = warming;
    // A proxy that starts opens its listeners at once and not one by one, unless something is missing for long.
    const isLate = [...this.#unanswered.values()].some(({ late }) => late);
    if (this.#asked === null && this.#options.initial === null && warming.size > 0 && !isLate) return false;
    if (this.#asked !== null && sameResources(this.#asked, resources)) return true;
    this.#asked = resources;
    let remarks: readonly ResourceRemark[];
    try {
      remarks = await this.#options.onUpdate(resources);
    } catch (error) {
      // A bug in the proxy: nothing of this state runs, so nothing of it may be acknowledged.
      const message = `the proxy failed on this state: ${(error as Error).message}`;
      this.#options.log.warn({ error }, 'applying resources failed');
      remarks = [...this.#unanswered].flatMap(([typeUrl, { names }]) =>
        names.map((name) => ({ typeUrl, name, message })),
      );
    }
    this.revise(remarks);
    return true;
  }

  #answerAll(): void {
    const refusals = this.#refusals();
    for (const [typeUrl, { names, late, timer }] of this.#unanswered) {
      const keys = names.map((name) => resourceKey(typeUrl, name));
      const waits = !this.#judged || keys.some((key) => this.#warming.has(key) && !refusals.has(key));
      if (waits && !late) continue;
      timer.cancel();
      this.#unanswered.delete(typeUrl);
      const refused = keys.flatMap((key) => refusals.get(key) ?? []);
      this.#answer(typeUrl, refused);
    }
    this.#answerLate(refusals);
  }

  /** A version that was acknowledged and turned out bad when what it names arrived. */
  #answerLate(refusals: ReadonlyMap<string, VersionRemark>): void {
    for (const typeUrl of this.#answeredTypes) {
      if (this.#unanswered.has(typeUrl)) continue;
      const untold = [...refusals].flatMap(([key, refusal]) =>
        refusal.typeUrl === typeUrl && this.#told.get(key) !== refusal.version ? [refusal] : [],
      );
      if (untold.length > 0) this.#answer(typeUrl, untold);
    }
  }

  #answer(typeUrl: string, refused: readonly VersionRemark[]): void {
    for (const { name, version } of refused) this.#told.set(resourceKey(typeUrl, name), version);
    this.#protocol?.answer(typeUrl, refused.length === 0 ? null : this.#statusOf(refused));
  }

  /** Newest versions that cannot be used, by resource. */
  #refusals(): Map<string, VersionRemark> {
    const refusals = new Map<string, VersionRemark>();
    for (const [key, refusal] of this.#refused) {
      // The verdict was on the version in use; a newer one that still waits has none yet.
      if (!this.#warming.has(key)) refusals.set(key, refusal);
    }
    for (const { name, routes } of this.#resources.listenersWithoutRoutes()) {
      const typeUrl = TypeUrl.Listener;
      const version = this.#resources.received.get(typeUrl)!.get(name)!.version;
      const message = `route configuration ${routes.map((route) => `"${route}"`).join(', ')} did not come`;
      refusals.set(resourceKey(typeUrl, name), { typeUrl, name, version, message });
    }
    for (const [key, refusal] of this.#undecodable) refusals.set(key, refusal);
    return refusals;
  }

  #statusOf(refused: readonly VersionRemark[]): RpcStatus {
    return {
      code: invalidArgument,
      message: refused.map(({ name, message }) => `${name}: ${message}`).join('\n'),
      details: refused.map(({ typeUrl, name, version, message }) => ({
        typeUrl: TypeUrl.ResourceError,
        value: this.#options.xds.encodeMessage(TypeUrl.ResourceError, { typeUrl, name, version, message }),
      })),
    };
  }

  #unknownFieldsOf(resources: Resources): ResourceRemark[] {
    return [...this.#unknownFields.values()].filter(
      ({ typeUrl, name, version }) => resources.get(typeUrl)?.get(name)?.version === version,
    );
  }

  #report(): void {
    const report = this.#connected ? this.#liveReport.next() : null;
    if (report !== null) this.#connection?.report(report);
  }
}

function sameNames(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  if (one.size !== other.size) return false;
  for (const name of one) if (!other.has(name)) return false;
  return true;
}
