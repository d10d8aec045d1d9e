/** The control plane's gRPC server: ADS in both protocols and the proxies' live reports, for any number of clients. */
import { isIP } from 'node:net';
import {
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleUnaryCall,
  status as rpcCode,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import type { Message } from '../../xds/descriptor.ts';
import {
  aggregatedDiscoveryMethods,
  clientStatusMethods,
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  type DiscoveryRequest,
  type DiscoveryResponse,
  type LiveReport,
  proxyStatusMethods,
} from '../../xds/discovery.ts';
import type { JsonObject } from '../../xds/json.ts';
import { type NodeInfo, nodeFromJson } from '../../xds/node.ts';
import type { XdsResource } from '../../xds/resource.ts';
import type { Xds } from '../../xds/xds.ts';
import type { ClientStatus } from './client-status.ts';
import { clientStatusResponse } from './client-status-discovery.ts';
import { DeltaSession, type SessionOptions } from './delta-session.ts';
import { LiveReports } from './live-reports.ts';
import { ResourceEncoder } from './resource-encoder.ts';
import type { Session } from './session.ts';
import { buildSnapshot, emptySnapshot, type Snapshot, type UnsendableResource } from './snapshot.ts';
import { SotwSession } from './sotw-session.ts';

/** Where a client's resources come from. Asked when a client connects and after each `changed()`. */
export interface ResourceSource {
  /** All resources of this node. What did not change should be the same bytes; it need not be the same objects. */
  generate(node: NodeInfo): readonly XdsResource[];
}

export interface ServerLog {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

export interface AdsServerOptions {
  readonly xds: Xds;
  readonly source: ResourceSource;
  readonly log: ServerLog;
  /** Wall clock, for the times in `clients()`. */
  readonly nowMs?: () => number;
  /** A client came, went, answered or reported; called often, from inside stream events. */
  readonly onStatusChange?: () => void;
}

export interface ListenAddress {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Plaintext on an address that other machines reach must be asked for (XDS rule 11). */
  readonly insecure: boolean;
}

interface Client {
  readonly node: NodeInfo;
  readonly protocol: 'delta' | 'sotw';
  readonly peer: string;
  readonly connectedAtMs: number;
  readonly session: Session<never>;
  snapshot: Snapshot;
  unsendable: readonly UnsendableResource[];
}

const requestLimitBytes = 16 * 1024 * 1024;

export class AdsServer {
  readonly #options: AdsServerOptions;
  readonly #nowMs: () => number;
  readonly #server: Server;
  readonly #clients = new Set<Client>();
  readonly #reports: LiveReports;
  readonly #encoder: ResourceEncoder;
  #regenerating: NodeJS.Immediate | null = null;

  constructor(options: AdsServerOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? Date.now;
    this.#reports = new LiveReports(this.#nowMs);
    this.#encoder = new ResourceEncoder(options.xds);
    this.#server = new Server({
      'grpc.max_receive_message_length': requestLimitBytes,
      // A proxy whose machine vanished is noticed within 40 s.
      'grpc.keepalive_time_ms': 30_000,
      'grpc.keepalive_timeout_ms': 10_000,
    });
    this.#addServices();
  }

  /** Resolves with the port that was bound. Rejects when the address is taken, or not allowed without `insecure`. */
  listen({ host, port, insecure }: ListenAddress): Promise<{ host: string; port: number }> {
    if (!insecure && !isLoopback(host)) {
      const place = `${host}:${port}`;
      return Promise.reject(
        new Error(
          `ADS has no TLS yet and ${place} can be reached from other machines: listen on 127.0.0.1, or say --insecure`,
        ),
      );
    }
    return new Promise((resolve, reject) => {
      const authority = isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
      this.#server.bindAsync(authority, ServerCredentials.createInsecure(), (error, boundPort) => {
        if (error !== null) reject(new Error(`ADS cannot listen on ${host}:${port}: ${error.message}`));
        else resolve({ host, port: boundPort });
      });
    });
  }

  /** The source has news. Every client's resources are generated again, once per turn of the event loop. */
  changed(): void {
    this.#regenerating ??= setImmediate(() => {
      this.#regenerating = null;
      this.#encoder.startRound();
      for (const client of this.#clients) this.#regenerate(client);
    });
  }

  clients(): ClientStatus[] {
    return Array.from(this.#clients, ({ node, protocol, peer, connectedAtMs, session, unsendable }) => ({
      node,
      protocol,
      peer,
      connectedAtMs,
      unsendable,
      resources: session.resources.status((typeUrl, name) => this.#reports.find(node.id, typeUrl, name)),
    }));
  }

  /** Ends every stream at once; clients keep what they have. */
  close(): void {
    if (this.#regenerating !== null) clearImmediate(this.#regenerating);
    this.#regenerating = null;
    this.#clients.clear();
    this.#server.forceShutdown();
  }

  #addServices(): void {
    const { descriptor } = this.#options.xds;
    const sotw: handleBidiStreamingCall<DiscoveryRequest, DiscoveryResponse> = (call) =>
      this.#serve(call, 'sotw', (options: SessionOptions<DiscoveryResponse>) => new SotwSession(options));
    const delta: handleBidiStreamingCall<DeltaDiscoveryRequest, DeltaDiscoveryResponse> = (call) =>
      this.#serve(call, 'delta', (options: SessionOptions<DeltaDiscoveryResponse>) => new DeltaSession(options));
    this.#server.addService({ ...aggregatedDiscoveryMethods(descriptor) } as ServiceDefinition, {
      streamAggregatedResources: sotw,
      deltaAggregatedResources: delta,
    });
    const report: handleClientStreamingCall<LiveReport, object> = (call, answer) => {
      const source = {};
      call.on('data', (message: LiveReport) => {
        this.#reports.take(source, message);
        this.#options.onStatusChange?.();
      });
      call.on('end', () => answer(null, {}));
      // The other end of a broken connection is no news here: 'close' follows.
      call.on('error', () => undefined);
      call.on('close', () => this.#reports.drop(source));
    };
    this.#server.addService({ ...proxyStatusMethods(descriptor) } as ServiceDefinition, { report });
    const fetch: handleUnaryCall<Message, Message> = (call, answer) => this.#tellClientStatus(call.request, answer);
    const stream: handleBidiStreamingCall<Message, Message> = (call) => {
      call.on('data', (request: Message) =>
        this.#tellClientStatus(request, (error, response) => {
          if (error === null) call.write(response!);
          else call.emit('error', error);
        }),
      );
      call.on('end', () => call.end());
      call.on('error', () => undefined);
    };
    this.#server.addService({ ...clientStatusMethods(descriptor) } as ServiceDefinition, {
      fetchClientStatus: fetch,
      streamClientStatus: stream,
    });
  }

  #tellClientStatus(
    request: Message,
    answer: (error: { code: number; details: string } | null, response?: Message) => void,
  ): void {
    if ((request.nodeMatchers as unknown[]).length > 0) {
      answer({
        code: rpcCode.UNIMPLEMENTED,
        details: 'node_matchers are not served; without them all clients are told',
      });
      return;
    }
    const json = clientStatusResponse(this.clients());
    answer(null, this.#options.xds.jsonToMessage('envoy.service.status.v3.ClientStatusResponse', json));
  }

  #serve<Request extends DiscoveryRequest | DeltaDiscoveryRequest, Response>(
    call: ServerDuplexStream<Request, Response>,
    protocol: 'delta' | 'sotw',
    createSession: (options: SessionOptions<Response>) => Session<Request>,
  ): void {
    let client: Client | null = null;
    const { log, onStatusChange } = this.#options;
    call.on('data', (request: Request) => {
      try {
        if (client === null) {
          const node = this.#nodeOf(request);
          const first = this.#generate(node, emptySnapshot());
          const session = createSession({
            xds: this.#options.xds,
            snapshot: first.snapshot,
            nowMs: this.#nowMs,
            send: (response) => call.write(response),
          });
          client = { node, protocol, peer: call.getPeer(), connectedAtMs: this.#nowMs(), session, ...first };
          this.#clients.add(client);
          log.info({ node: node.id, peer: client.peer, protocol }, 'xds client connected');
        }
        const { session } = client as { session: Session<Request> };
        session.onRequest(request);
        if (request.errorDetail) {
          log.warn(
            { node: client.node.id, typeUrl: request.typeUrl, error: request.errorDetail.message },
            'xds client refused resources',
          );
        }
      } catch (error) {
        log.warn(
          { node: client?.node.id ?? '', peer: call.getPeer(), error: (error as Error).message },
          'xds stream failed',
        );
        call.emit('error', { code: rpcCode.INVALID_ARGUMENT, details: (error as Error).message });
      }
      onStatusChange?.();
    });
    call.on('end', () => call.end());
    // A broken connection is no fault of ours: 'close' follows.
    call.on('error', () => undefined);
    call.on('close', () => {
      if (client === null || !this.#clients.delete(client)) return;
      log.info({ node: client.node.id, peer: client.peer }, 'xds client disconnected');
      onStatusChange?.();
    });
  }

  #nodeOf(request: DiscoveryRequest | DeltaDiscoveryRequest): NodeInfo {
    if (!request.node) throw new Error('the first request of a stream must carry a node');
    const node = nodeFromJson(this.#options.xds.messageToJson('envoy.config.core.v3.Node', request.node) as JsonObject);
    if (node.id === '') throw new Error('node.id is empty, expected an id that is unique in the mesh');
    return node;
  }

  #regenerate(client: Client): void {
    const next = this.#generate(client.node, client.snapshot);
    client.snapshot = next.snapshot;
    client.unsendable = next.unsendable;
    client.session.setGenerated(next.snapshot);
  }

  #generate(node: NodeInfo, previous: Snapshot): { snapshot: Snapshot; unsendable: readonly UnsendableResource[] } {
    let resources: readonly XdsResource[];
    try {
      resources = this.#options.source.generate(node);
    } catch (error) {
      // A bug of the generator must not take running configuration away from a proxy.
      this.#options.log.error({ node: node.id, error }, 'generating resources failed; the client keeps what it has');
      return { snapshot: previous, unsendable: [] };
    }
    const result = buildSnapshot(this.#encoder, resources, previous);
    for (const bad of result.unsendable) this.#options.log.error({ node: node.id, ...bad }, 'resource cannot be sent');
    return result;
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
