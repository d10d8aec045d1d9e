/** Real servers, callers, control plane and proxies on loopback, for the tests of the whole mesh. Everything ends with the test. */
import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import thrift from 'thrift';
import { type Forecast, Processor } from '../../examples/thrift/generated/Wind.js';
import { serverOptions } from '../../examples/thrift/transports.ts';
import { connectWind, type WindClient } from '../../examples/thrift/wind-client.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { builtInManifests } from '../../src/cli/proxy-options.ts';
import { type ControlPlane, createControlPlane } from '../../src/control/control-plane.ts';
import type { StatusReport } from '../../src/control/status/status-report.ts';
import { createProxyProcess, type ProxyProcess, type ProxyProcessOptions } from '../../src/proxy/proxy-process.ts';
import { recordingLog } from '../../src/proxy/testing/recording-log.ts';

export const HOST = 'wind.test';

export interface Backend {
  readonly port: number;
  readonly name: string;
  calls: number;
  /** Cuts every connection, in the middle of whatever runs. */
  cut(): void;
}

export class MeshBench {
  readonly log = recordingLog();
  readonly #closers: (() => unknown)[] = [];

  /** Newest first. */
  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }

  onClose(close: () => unknown): void {
    this.#closers.push(close);
  }

  /** Answers after `delayMs`; `servedBy` tells its name. */
  async backend(name: string, delayMs = 0, host = '127.0.0.1'): Promise<Backend> {
    const sockets = new Set<Socket>();
    const answer = (island: string, reply: (error: Error | null, forecast?: Forecast) => void) => {
      backend.calls++;
      const forecast = { island, beaufort: 5, servedBy: name, headersSeen: {} };
      if (delayMs === 0) reply(null, forecast);
      else setTimeout(() => reply(null, forecast), delayMs);
    };
    const observe = () => {
      backend.calls++;
    };
    const server = thrift.createMultiplexServer(
      new Processor({ forecast: answer, warning: answer, observe }),
      serverOptions.framed,
    );
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    });
    // A call that was cut answers into a closed socket.
    server.on('error', () => {});
    server.listen(0, host);
    await once(server, 'listening');
    const cut = () => {
      for (const socket of sockets) socket.destroy();
    };
    const backend: Backend = { port: (server.address() as AddressInfo).port, name, calls: 0, cut };
    this.onClose(() => {
      cut();
      server.close();
    });
    return backend;
  }

  async folder(files: Readonly<Record<string, string>> = {}): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'meltemi-mesh-'));
    this.onClose(() => rm(folder, { recursive: true, force: true }));
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    return folder;
  }

  /** A service with two versions and a router that sends everything to `v1`, which answers after `delayMs`. */
  async twoVersions(delayMs = 0): Promise<{ v1: Backend; v2: Backend; port: number; folder: string }> {
    const [v1, v2, port] = await Promise.all([this.backend('v1', delayMs), this.backend('v2'), freePort()]);
    const folder = await this.folder({
      'service.yaml': serviceYaml(port, [v1, v2]),
      'router.yaml': routerYaml({ v1: 100 }),
    });
    return { v1, v2, port, folder };
  }

  async controlPlane(folder: string, port = 0, accessLogFile = ''): Promise<ControlPlane> {
    const controlPlane = await createControlPlane({
      directories: [folder],
      manifests: builtInManifests(),
      listen: { host: '127.0.0.1', port },
      adminListen: null,
      insecure: false,
      log: this.log,
      accessLogFile,
    });
    this.onClose(() => controlPlane.close());
    return controlPlane;
  }

  /** Resolves when it serves a first configuration. */
  async proxy(xdsPort: number, change: Partial<ProxyProcessOptions> = {}): Promise<ProxyProcess> {
    const proxy = await createProxyProcess({
      xds: `127.0.0.1:${xdsPort}`,
      node: proxyNode('p1'),
      version: '0.0.0',
      manifests: builtInManifests(),
      workers: 1,
      adminListen: { host: '127.0.0.1', port: 0 },
      stateDirectory: null,
      drainDeadlineMs: 5_000,
      log: this.log,
      ...change,
    });
    this.onClose(() => proxy.close());
    await proxy.ready;
    return proxy;
  }

  async caller(port: number, host = '127.0.0.1'): Promise<WindClient> {
    const client = await connectWind(host, port, 'framed');
    client.connection.on('error', () => {});
    this.onClose(() => client.connection.destroy());
    return client;
  }

  /** Callers that call without pause, one call in flight each, until `stop`. */
  async load(port: number, callers: number): Promise<Load> {
    const load = new Load();
    await Promise.all(Array.from({ length: callers }, async () => load.add(await this.caller(port))));
    this.onClose(() => load.stop());
    return load;
  }
}

export class Load {
  failed = 0;
  closed = 0;
  answered = 0;
  lastFailure: string | null = null;
  readonly #answers = new Map<string, number>();
  readonly #loops: Promise<void>[] = [];
  readonly #waiting = new Map<string, () => void>();
  #stopped = false;

  add({ wind, connection }: WindClient): void {
    let isOpen = true;
    const cut = Promise.withResolvers<never>();
    cut.promise.catch(() => {});
    connection.connection.on('close', () => {
      isOpen = false;
      if (!this.#stopped) this.closed++;
      cut.reject(new Error('connection closed'));
    });
    const loop = async () => {
      while (!this.#stopped && isOpen) {
        try {
          const { servedBy } = await Promise.race([wind.forecast('Naxos'), cut.promise]);
          this.answered++;
          this.#answers.set(servedBy, (this.#answers.get(servedBy) ?? 0) + 1);
          this.#waiting.get(servedBy)?.();
        } catch (error) {
          this.failed++;
          this.lastFailure = (error as Error).message;
        }
      }
    };
    this.#loops.push(loop());
  }

  answeredBy(name: string): number {
    return this.#answers.get(name) ?? 0;
  }

  /** The next answer of that server. */
  nextBy(name: string): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.set(name, () => {
        this.#waiting.delete(name);
        resolve();
      });
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
  }
}

export function proxyNode(id: string): ProxyProcessOptions['node'] {
  return {
    id,
    type: 'sidecar',
    namespace: 'default',
    ips: [],
    labels: {},
    serviceAccount: 'default',
    locality: { region: '', zone: '', subZone: '' },
    bind: 'direct',
    localAddresses: ['127.0.0.0/8'],
  };
}

/** A service at 127.0.0.1, whose endpoints are labelled with their names as versions. */
export function serviceYaml(port: number, endpoints: readonly Backend[], host = HOST): string {
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${host}, namespace: default }
spec:
  hosts: [${host}]
  addresses: [127.0.0.1]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ name: tcp-metaprotocol-thrift, number: ${port}, protocol: TCP }]
  endpoints:
${endpoints
  .map(
    (one) =>
      `    - { address: 127.0.0.1, labels: { version: ${one.name} }, ports: { tcp-metaprotocol-thrift: ${one.port} } }`,
  )
  .join('\n')}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${host}, namespace: default }
spec:
  host: ${host}
  subsets:
${[...new Set(endpoints.map(({ name }) => name))].map((name) => `    - { name: ${name}, labels: { version: ${name} } }`).join('\n')}
`;
}

/** Weights by subset. */
export function routerYaml(weights: Readonly<Record<string, number>>, host = HOST): string {
  const destinations = Object.entries(weights).map(
    ([subset, weight]) => `        - { destination: { host: ${host}, subset: ${subset} }, weight: ${weight} }`,
  );
  return `apiVersion: metaprotocol.aeraki.io/v1alpha1
kind: MetaRouter
metadata: { name: ${host}, namespace: default }
spec:
  hosts: [${host}]
  routes:
    - name: all
      route:
${destinations.join('\n')}
`;
}

/** As editors save: a new file takes the old one's name. */
export async function save(folder: string, name: string, text: string): Promise<void> {
  const draft = join(folder, `.${name}.draft`);
  await writeFile(draft, text);
  await rename(draft, join(folder, name));
}

/** Polls until `check` gives something; fails the test by its own timeout. */
export async function until<T>(
  check: () => T | null | undefined | false | Promise<T | null | undefined | false>,
): Promise<T> {
  for (;;) {
    const result = await check();
    if (result) return result;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export function resourceStatus(report: StatusReport, kind: string): StatusReport['resources'][number] {
  const found = report.resources.find((resource) => resource.kind === kind);
  if (found === undefined) throw new Error(`no ${kind} in the status`);
  return found;
}

export { freePort };
