/** The proxy's admin API: what it runs and counts, and how to drain it. For loopback: it asks nobody who they are. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Address } from '../metaprotocol/filter.ts';
import { PROMETHEUS_CONTENT_TYPE } from './prometheus-text.ts';

/** What the API shows and does. */
export interface AdminSubject {
  /** '' when ready, else why not. */
  notReady(): string;
  statsText(): string;
  configDump(): object;
  clusters(): Promise<object>;
  /** Resolves when nothing is written any more to access logs that were renamed or deleted. */
  reopenLogs(): Promise<void>;
  /** Resolves when nothing runs any more, at the latest at the deadline. */
  drain(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

interface Resource {
  readonly method: 'GET' | 'POST';
  readonly description: string;
  readonly answer: () => Answer | Promise<Answer>;
}

export class ProxyAdmin {
  readonly #resources: ReadonlyMap<string, Resource>;
  readonly #server: Server;

  constructor(subject: AdminSubject) {
    this.#resources = new Map<string, Resource>([
      ['/help', { method: 'GET', description: 'this list', answer: () => text(this.#help()) }],
      [
        '/ready',
        {
          method: 'GET',
          description: '200 when the configuration runs on every worker, else 503 and why',
          answer: () => {
            const reason = subject.notReady();
            return reason === '' ? text('ready\n') : { ...text(`${reason}\n`), status: 503 };
          },
        },
      ],
      [
        '/stats/prometheus',
        {
          method: 'GET',
          description: 'statistics of all workers in the Prometheus text format',
          answer: () => ({ status: 200, type: PROMETHEUS_CONTENT_TYPE, body: subject.statsText() }),
        },
      ],
      [
        '/config_dump',
        {
          method: 'GET',
          description: 'resources that run, with their versions, and why newer ones do not',
          answer: () => json(200, subject.configDump()),
        },
      ],
      [
        '/clusters',
        {
          method: 'GET',
          description: 'endpoints with their connections and outstanding requests, by worker',
          answer: async () => json(200, await subject.clusters()),
        },
      ],
      [
        '/reopen_logs',
        {
          method: 'POST',
          description:
            'opens access logs anew that were renamed or deleted and answers when nothing goes to the old ones',
          answer: async () => {
            await subject.reopenLogs();
            return json(200, { reopened: true });
          },
        },
      ],
      [
        '/drain',
        {
          method: 'POST',
          description: 'takes no new connections and answers when the running streams ended',
          answer: async () => {
            await subject.drain();
            return json(200, { drained: true });
          },
        },
      ],
    ]);
    this.#server = createServer((request, response) => void this.#onRequest(request, response));
  }

  /** Rejects when the address is taken. */
  listen(bind: Address): Promise<Address> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error) =>
        reject(new Error(`the admin API cannot listen on ${bind.host}:${bind.port}: ${error.message}`)),
      );
      this.#server.listen(bind.port, bind.host, () =>
        resolve({ host: bind.host, port: (this.#server.address() as AddressInfo).port }),
      );
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, type, body } = await this.#answer(request).catch((error: Error) =>
      json(500, { error: error.message }),
    );
    response.writeHead(status, { 'content-type': type });
    response.end(body);
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const path = (request.url ?? '/').split('?')[0]!;
    const resource = this.#resources.get(path === '/' ? '/help' : path);
    if (resource === undefined) {
      return json(404, { error: `${path} is not known`, known: [...this.#resources.keys()] });
    }
    if (request.method !== resource.method) {
      return json(405, { error: `${path} takes ${resource.method}, not ${request.method}` });
    }
    return resource.answer();
  }

  #help(): string {
    const lines = [...this.#resources].map(
      ([path, { method, description }]) => `${method.padEnd(4)} ${path.padEnd(18)} ${description}`,
    );
    return `${lines.join('\n')}\n`;
  }
}

function text(body: string): Answer {
  return { status: 200, type: 'text/plain; charset=utf-8', body };
}

function json(status: number, value: object): Answer {
  return { status, type: 'application/json', body: `${JSON.stringify(value, null, 2)}\n` };
}
