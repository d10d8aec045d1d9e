/** ControlPlane: sources -> model -> translation -> xDS, for every connected proxy, with an admin API. */
import type { ProtocolManifest } from '../metaprotocol/manifest.ts';
import type { NodeInfo } from '../xds/node.ts';
import type { XdsResource } from '../xds/resource.ts';
import { Xds } from '../xds/xds.ts';
import { AdminServer } from './admin-server.ts';
import { type ControlClock, SystemControlClock } from './clock.ts';
import { ControlMetrics } from './control-metrics.ts';
import { bindNames } from './generate/bind.ts';
import { BindAllocator } from './generate/bind-allocator.ts';
import type { Generated, Generator } from './generate/generated.ts';
import { generateMeltemi } from './generate/meltemi.ts';
import { type Inventory, ResourceStore } from './model/resource-store.ts';
import { StoredResources } from './model/stored-resources.ts';
import { AdsServer, type ServerLog } from './server/ads-server.ts';
import { DirectorySource } from './sources/directory-source.ts';
import { DiskFolderReader } from './sources/folder-reader.ts';
import { buildStatus, type StatusReport } from './status/status-report.ts';
import { KnownManifests } from './translate/known-manifests.ts';
import { DEFAULT_ROOT_NAMESPACE, type Translation, Translator } from './translate/translator.ts';

export interface ControlPlaneOptions {
  /** Folders or single files of YAML, watched. */
  readonly directories: readonly string[];
  /** Protocols that are known without a proxy: the built-in ones and the operator's own. */
  readonly manifests: readonly ProtocolManifest[];
  /** A proxy is about to tell of more of them: what is not used before that is no fault yet. */
  readonly awaitsManifests?: boolean;
  /** Where ADS listens; port 0: any free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** null: no admin API. */
  readonly adminListen: { readonly host: string; readonly port: number } | null;
  /** Lets ADS listen where other machines reach it, though it has no TLS. */
  readonly insecure: boolean;
  readonly log: ServerLog;
  readonly clock?: ControlClock;
  /** Where mesh-wide resources live. */
  readonly rootNamespace?: string;
  /** Where proxies write their access log; '' (the default) = nowhere. */
  readonly accessLogFile?: string;
  /** Where last good versions are kept for the next start, for this control plane alone; none: in memory only. */
  readonly stateDirectory?: string | undefined;
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

const NOTHING: Generated = Object.freeze({ resources: [], products: new Map(), notes: [], addresses: [] });

/** By what a client calls itself; stock Envoy and proxyless gRPC get generators of their own later. */
const GENERATORS: ReadonlyMap<string, Generator> = new Map([['meltemi', generateMeltemi]]);

/** Resolves when the folders are read and ADS listens. Rejects when a folder cannot be read or an address is taken. */
export async function createControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const controlPlane = new ControlPlane(options);
  try {
    await controlPlane.start();
  } catch (error) {
    await controlPlane.close();
    throw error;
  }
  return controlPlane;
}

export class ControlPlane {
  readonly #options: ControlPlaneOptions;
  readonly #store = new ResourceStore();
  readonly #stored: StoredResources | null;
  readonly #translator: Translator;
  readonly #manifests: KnownManifests;
  #awaitsManifests: boolean;
  readonly #binds = new BindAllocator();
  readonly #metrics = new ControlMetrics();
  readonly #source: DirectorySource;
  readonly #ads: AdsServer;
  readonly #admin: AdminServer | null;
  /** By node id; only of connected clients. */
  #generated = new Map<string, Generated>();
  #inventory: Inventory = { entries: new Map(), faults: [] };
  #translation: Translation;
  #sourceFault: string | null = null;
  #xdsAddress: Endpoint | null = null;
  #adminAddress: Endpoint | null = null;

  constructor(options: ControlPlaneOptions) {
    this.#options = options;
    const { stateDirectory, log } = options;
    this.#stored = stateDirectory === undefined ? null : new StoredResources(stateDirectory, log);
    this.#translator = new Translator(options.rootNamespace ?? DEFAULT_ROOT_NAMESPACE);
    this.#manifests = new KnownManifests(options.manifests);
    this.#awaitsManifests = options.awaitsManifests === true;
    this.#translation = this.#translate();
    this.#source = new DirectorySource({
      reader: new DiskFolderReader(options.directories),
      clock: options.clock ?? new SystemControlClock(),
      onChange: (files) => {
        this.#inventory = this.#store.update(files);
        this.#retranslate();
        this.#ads.changed();
      },
      onFault: (message) => {
        this.#sourceFault = message;
        if (message === null) options.log.info({}, 'the configuration can be read again');
        else options.log.warn({ error: message }, 'cannot read the configuration; what was read before stays');
      },
    });
    this.#ads = new AdsServer({
      xds: Xds.load(),
      source: { generate: (node) => this.#generate(node) },
      log: options.log,
    });
    this.#admin =
      options.adminListen === null
        ? null
        : new AdminServer({
            isReady: () => this.#xdsAddress !== null,
            status: () => this.status(),
            mesh: () => this.#translation.mesh,
            metrics: () => this.#metrics.text(this.status()),
          });
  }

  async start(): Promise<void> {
    const { listen, insecure, adminListen } = this.#options;
    if (this.#stored !== null) this.#translator.restore(this.#store.restore(await this.#stored.load()));
    await this.#source.start();
    this.#xdsAddress = await this.#ads.listen({ ...listen, insecure });
    if (this.#admin !== null && adminListen !== null)
      this.#adminAddress = await this.#admin.listen(adminListen.host, adminListen.port);
  }

  /** Where proxies connect. Throws before start() is done. */
  get xdsAddress(): Endpoint {
    if (this.#xdsAddress === null) throw new Error('the control plane has not started');
    return this.#xdsAddress;
  }

  /** null: no admin API. */
  get adminAddress(): Endpoint | null {
    return this.#adminAddress;
  }

  status(): StatusReport {
    const clients = this.#ads.clients();
    const connected = new Set(clients.map((client) => client.node.id));
    this.#generated = new Map([...this.#generated].filter(([id]) => connected.has(id)));
    return buildStatus(
      this.#sourceFault === null
        ? this.#translation
        : withFault(this.#translation, this.#options.directories, this.#sourceFault),
      clients.map((client) => ({ client, generated: this.#generated.get(client.node.id) ?? NOTHING })),
    );
  }

  /** Ends every stream; proxies keep what they have. */
  async close(): Promise<void> {
    this.#source.close();
    this.#ads.close();
    await this.#admin?.close();
    await this.#stored?.settled();
  }

  #generate(node: NodeInfo): readonly XdsResource[] {
    const generator = GENERATORS.get(node.agent);
    if (generator === undefined) {
      this.#options.log.warn(
        { node: node.id, agent: node.agent },
        `no configuration for this kind of client, expected one of ${[...GENERATORS.keys()].join(', ')}`,
      );
      return [];
    }
    const isNews = this.#manifests.learn(node, (message) => this.#options.log.warn({ node: node.id }, message));
    if (isNews) {
      this.#awaitsManifests = false;
      this.#retranslate();
      this.#ads.changed();
    }
    const generated = generator(
      { mesh: this.#translation.mesh, binds: this.#binds, accessLogFile: this.#options.accessLogFile ?? '' },
      node,
    );
    this.#generated.set(node.id, generated);
    return generated.resources;
  }

  #retranslate(): void {
    this.#translation = this.#metrics.timeTranslation(() => this.#translate());
    this.#stored?.save(this.#translation.used);
    const counts = { accepted: 0, lastGood: 0, refused: 0, unsupported: 0 };
    for (const { outcome } of this.#translation.verdicts.values()) counts[outcome]++;
    const { log } = this.#options;
    const fields = { ...counts, faults: this.#translation.faults.length };
    if (this.#awaitsManifests || counts.lastGood + counts.refused + fields.faults === 0)
      log.info(fields, 'configuration read');
    else log.warn(fields, 'configuration read, not all of it is used: see meltemi status');
  }

  #translate(): Translation {
    const translation = this.#translator.translate(this.#inventory, this.#manifests.all());
    this.#binds.assign(bindNames(translation.mesh));
    return translation;
  }
}

function withFault(translation: Translation, directories: readonly string[], message: string): Translation {
  const place = { file: directories.join(', '), line: 1 };
  return { ...translation, faults: [{ level: 'error', place, path: '', message }, ...translation.faults] };
}
