/** AdminServer: GET /ready, /status, /config and /metrics of the control plane. Reads only. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { StatusReport } from './status/status-report.ts';
import type { Mesh } from './translate/mesh.ts';

export interface AdminSources {
  isReady(): boolean;
  status(): StatusReport;
  mesh(): Mesh;
  /** Prometheus text. */
  metrics(): Promise<string>;
}

const PATHS = ['/ready', '/status', '/config', '/metrics'];

export class AdminServer {
  readonly #sources: AdminSources;
  readonly #server: Server;

  constructor(sources: AdminSources) {
    this.#sources = sources;
    this.#server = createServer((request, response) => {
      if (request.method !== 'GET') {
        send(response, 405, 'text/plain', `actual ${request.method}, expected GET\n`);
        return;
      }
      const path = new URL(request.url ?? '/', 'http://admin').pathname;
      this.#answer(path, response).catch((error) =>
        send(response, 500, 'text/plain', `${error instanceof Error ? error.message : String(error)}\n`),
      );
    });
  }

  /** Resolves with the address that was bound; rejects when it is taken. */
  listen(host: string, port: number): Promise<{ host: string; port: number }> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error) =>
        reject(new Error(`the admin API cannot listen on ${host}:${port}: ${error.message}`)),
      );
      this.#server.listen(port, host, () => resolve({ host, port: (this.#server.address() as AddressInfo).port }));
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #answer(path: string, response: ServerResponse): Promise<void> {
    switch (path) {
      case '/ready':
        send(
          response,
          this.#sources.isReady() ? 200 : 503,
          'text/plain',
          this.#sources.isReady() ? 'ready\n' : 'starting\n',
        );
        return;
      case '/status':
        send(response, 200, 'application/json', JSON.stringify(this.#sources.status(), null, 2));
        return;
      case '/config':
        send(response, 200, 'application/json', JSON.stringify(this.#sources.mesh(), plain, 2));
        return;
      case '/metrics':
        send(response, 200, 'text/plain; version=0.0.4', await this.#sources.metrics());
        return;
      default:
        send(response, 404, 'text/plain', `actual ${path}, expected one of ${PATHS.join(', ')}\n`);
    }
  }
}

function plain(key: string, value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries(value);
  // A manifest says what a codec can do, at length; here its name is enough.
  if (key === 'manifest') return (value as { name: string }).name;
  // Whoever may look need not know what callers and upstreams are asked for. Private keys are in no field that is shown.
  return /password/i.test(key) && typeof value === 'string' && value !== '' ? '[redacted]' : value;
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type });
  response.end(body);
}
