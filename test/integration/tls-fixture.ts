/** A proxy of hand-written resources with certificates in files, for the tests of TLS. The control plane's part is tested elsewhere. */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import net, { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import tls from 'node:tls';
import { CertificateAuthority } from '../../scripts/certificates.ts';
import { AdsServer } from '../../src/control/server/ads-server.ts';
import type { ProxyProcess, ProxyProcessOptions } from '../../src/proxy/proxy-process.ts';
import type { JsonObject } from '../../src/xds/json.ts';
import type { XdsResource } from '../../src/xds/resource.ts';
import { TypeUrl } from '../../src/xds/type-urls.ts';
import { Xds } from '../../src/xds/xds.ts';
import { endpoints, routes } from '../harness/xds-resources.ts';
import { freePort, MeshBench, until } from './mesh-fixture.ts';

export const LOG = 'access.log';

export class TlsBench extends MeshBench {
  readonly authority = new CertificateAuthority();
  folderPath = '';
  #resources: readonly XdsResource[] = [];
  #server: AdsServer | null = null;

  async open(): Promise<this> {
    this.folderPath = await this.folder();
    await writeFile(join(this.folderPath, 'ca.pem'), this.authority.certificate);
    return this;
  }

  file(name: string): string {
    return join(this.folderPath, name);
  }

  /** Writes `<name>.pem` and `<name>.key`, and answers with the part of a context that names them. */
  async certificate(name: string, names: readonly string[], authority = this.authority): Promise<JsonObject> {
    const { certificate, key } = authority.issue({ names });
    await writeFile(this.file(`${name}.key`), key);
    await writeFile(this.file(`${name}.pem`), certificate);
    return {
      certificateChain: { filename: this.file(`${name}.pem`) },
      privateKey: { filename: this.file(`${name}.key`) },
    };
  }

  /** Serves these resources; the first time with a proxy. */
  async serve(...resources: readonly XdsResource[]): Promise<void> {
    this.#resources = resources;
    this.#server?.changed();
  }

  async start(resources: readonly XdsResource[], change: Partial<ProxyProcessOptions> = {}): Promise<ProxyProcess> {
    this.#resources = resources;
    const server = new AdsServer({ xds: Xds.load(), source: { generate: () => this.#resources }, log: this.log });
    this.#server = server;
    const { port } = await server.listen({ host: '127.0.0.1', port: 0, insecure: false });
    this.onClose(() => server.close());
    return this.proxy(port, change);
  }

  /** Answers every connection with `name` and what was said, half-closed. */
  async tcpServer(name: string, options: tls.TlsOptions | null = null): Promise<number> {
    const onSocket = async (socket: net.Socket) => {
      socket.on('error', () => {});
      const said = await readAll(socket);
      socket.end(`${name}: ${said.length < 100 ? said : `${said.length} bytes`}`);
    };
    const server =
      options === null
        ? net.createServer({ allowHalfOpen: true }, onSocket)
        : tls.createServer({ ...options, allowHalfOpen: true }, onSocket);
    return this.#listening(server);
  }

  /** Answers every HTTP request with `name`. */
  async httpServer(name: string, options: tls.TlsOptions | null = null): Promise<number> {
    const { createServer } = await import('node:http');
    const https = await import('node:https');
    const answer: Parameters<typeof createServer>[1] = (request, response) => {
      request.resume();
      response.end(`${name} ${request.headers['x-forwarded-proto']}`);
    };
    return this.#listening(options === null ? createServer(answer) : https.createServer(options, answer));
  }

  /** Log lines of the proxy so far, as texts. */
  warnings(): string[] {
    return this.log.entries
      .filter(([level]) => level === 'warn')
      .map(([, fields, line]) => `${line} ${JSON.stringify(fields)}`);
  }

  async stat(proxy: ProxyProcess, name: string): Promise<number> {
    const { host, port } = proxy.adminAddress!;
    const lines = (await (await fetch(`http://${host}:${port}/stats/prometheus`)).text()).split('\n');
    return lines
      .filter((line) => line.startsWith(`meltemi_${name}{`) || line.startsWith(`meltemi_${name} `))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  async #listening(server: net.Server): Promise<number> {
    const sockets = new Set<net.Socket>();
    server.on('connection', (socket: net.Socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    });
    server.on('tlsClientError', () => {});
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.onClose(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    return (server.address() as AddressInfo).port;
  }
}

export function listener(
  name: string,
  port: number,
  chains: readonly JsonObject[],
  change: JsonObject = {},
): XdsResource {
  return {
    typeUrl: TypeUrl.Listener,
    name,
    value: {
      name,
      address: { socketAddress: { address: '127.0.0.1', portValue: port } },
      filterChains: [...chains],
      ...change,
    },
  };
}

export function terminated(
  certificates: readonly JsonObject[],
  context: JsonObject = {},
  common: JsonObject = {},
): JsonObject {
  return {
    transportSocket: {
      name: 'envoy.transport_sockets.tls',
      typedConfig: {
        '@type': TypeUrl.DownstreamTlsContext,
        commonTlsContext: { tlsCertificates: [...certificates], ...common },
        ...context,
      },
    },
  };
}

/** Its routes are called `routes-<cluster>`, as those of all protocols. */
export function http(cluster: string, accessLog = ''): JsonObject {
  const log = {
    name: 'log',
    typedConfig: {
      '@type': 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog',
      path: accessLog,
      logFormat: {
        textFormatSource: {
          inlineString: '%STATUS% %REQUESTED_SERVER_NAME% %DOWNSTREAM_TLS_VERSION% %RESPONSE_DETAILS%',
        },
      },
    },
  };
  const typedConfig = {
    '@type': TypeUrl.HttpConnectionManager,
    statPrefix: cluster,
    rds: { configSource: { ads: {} }, routeConfigName: `routes-${cluster}` },
    httpFilters: [
      {
        name: 'http',
        typedConfig: {
          '@type': TypeUrl.TypedStruct,
          typeUrl: 'type.googleapis.com/meltemi.filter.http',
          value: {},
        },
      },
      { name: 'envoy.filters.http.router', typedConfig: { '@type': TypeUrl.HttpRouter } },
    ],
    ...(accessLog === '' ? {} : { accessLog: [log] }),
  };
  return { filters: [{ name: 'http', typedConfig }] };
}

export function tcp(cluster: string): JsonObject {
  const typedConfig = { '@type': TypeUrl.TcpProxy, statPrefix: cluster, cluster };
  return { filters: [{ name: 'tcp', typedConfig }] };
}

export function thrift(cluster: string): JsonObject {
  const typedConfig = {
    '@type': TypeUrl.MetaProtocolProxy,
    statPrefix: cluster,
    rds: { configSource: { ads: {} }, routeConfigName: `routes-${cluster}` },
    protocol: { name: 'thrift', codec: { name: 'thrift' } },
  };
  return { filters: [{ name: 'thrift', typedConfig }] };
}

/** A cluster with its endpoints, and routes for protocols that take them from there. */
export function upstream(name: string, port: number, context: JsonObject | null = null): XdsResource[] {
  const typedConfig = { '@type': TypeUrl.UpstreamTlsContext, ...context };
  const transportSocket = { name: 'envoy.transport_sockets.tls', typedConfig };
  const value: JsonObject = {
    name,
    type: 'EDS',
    edsClusterConfig: { edsConfig: { ads: {} } },
    ...(context === null ? {} : { transportSocket }),
  };
  return [{ typeUrl: TypeUrl.Cluster, name, value }, endpoints(name, port), routes(`routes-${name}`, name)];
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** One request over a connection of its own. Rejects where there is none. */
export async function request(port: number, options: tls.ConnectionOptions | null): Promise<Answer> {
  const socket =
    options === null ? net.connect(port, '127.0.0.1') : tls.connect({ port, host: '127.0.0.1', ...options });
  try {
    await once(socket, options === null ? 'connect' : 'secureConnect');
    socket.write('GET / HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n');
    const answer = String(await readAll(socket));
    return { status: Number(answer.split(' ')[1]), body: answer.slice(answer.indexOf('\r\n\r\n') + 4) };
  } finally {
    socket.destroy();
  }
}

/** Sends all, ends, and reads to the end. */
export async function exchange(
  port: number,
  said: string | Buffer,
  options: tls.ConnectionOptions | null,
): Promise<string> {
  const socket =
    options === null
      ? net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
      : tls.connect({ port, host: '127.0.0.1', allowHalfOpen: true, ...options } as tls.ConnectionOptions);
  try {
    socket.end(said);
    return String(await readAll(socket));
  } finally {
    socket.destroy();
  }
}

/** To its end, which leaves the other direction open. */
async function readAll(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(stream, 'end');
  return Buffer.concat(chunks);
}

export { freePort, until };
