/** A router on loopback in front of real servers, and the YAML of what it serves. Everything ends with the test. */
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import tls from 'node:tls';
import type { ControlPlane } from '../../src/control/control-plane.ts';
import { MeshBench, proxyNode, save } from './mesh-fixture.ts';

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

export class EdgeBench extends MeshBench {
  /** Of the configuration. */
  readonly directory: string;

  private constructor(directory: string) {
    super();
    this.directory = directory;
  }

  static async create(): Promise<EdgeBench> {
    const first = new MeshBench();
    const bench = new EdgeBench(await first.folder());
    bench.onClose(() => first.close());
    return bench;
  }

  save(name: string, text: string): Promise<void> {
    return save(this.directory, name, text);
  }

  /** A router that serves what the directory says, with this file in it. */
  async startRouter(yaml: string): Promise<ControlPlane> {
    await this.save('mesh.yaml', yaml);
    const controlPlane = await this.controlPlane(this.directory);
    await this.proxy(controlPlane.xdsAddress.port, {
      node: { ...proxyNode('edge'), type: 'router', bind: 'loopback', labels: { edge: 'main' } },
    });
    return controlPlane;
  }

  /** A server of HTTP that says its name, and which host, path and caller it was asked by. */
  site(name: string): Promise<number> {
    return this.listening(
      http.createServer((request, response) => {
        const { host, 'x-forwarded-for': forwarded, 'x-forwarded-proto': scheme } = request.headers;
        response.end([name, host, request.url, forwarded, scheme].join(' '));
      }),
    );
  }

  async listening(server: net.Server): Promise<number> {
    const sockets = new Set<net.Socket>();
    server.on('connection', (socket: net.Socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.onClose(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  }

  /** A port that speaks TLS to another one, for clients that do not. */
  wrapped(port: number, options: tls.ConnectionOptions): Promise<number> {
    return this.listening(
      net.createServer((plain) => {
        const secure = tls.connect({ host: '127.0.0.1', port, ...options });
        secure.on('error', () => plain.destroy());
        secure.on('close', () => plain.destroy());
        plain.on('close', () => secure.destroy());
        plain.pipe(secure).pipe(plain);
      }),
    );
  }

  ask(port: number, host: string, path = '/'): Promise<Answer> {
    return answerOf(http.get({ host: '127.0.0.1', port, path, agent: false, headers: { host } }));
  }
}

/** Rejects when no answer comes. */
export async function answerOf(request: http.ClientRequest): Promise<Answer> {
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let body = '';
  for await (const chunk of response) body += chunk;
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

/** A service of one server on this machine. */
export function httpService(host: string, port: number, name = 'http'): string {
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${host}, namespace: default }
spec:
  hosts: [${host}]
  resolution: STATIC
  ports: [{ name: ${name}, number: 80 }]
  endpoints: [{ address: 127.0.0.1, ports: { ${name}: ${port} } }]
---`;
}

export function gateway(name: string, servers: string, selector = 'edge: main'): string {
  return `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: ${name}, namespace: default }
spec:
  selector: { ${selector} }
  servers: ${servers}
---`;
}

export function virtualService(name: string, host: string, gateways: string, routes: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: default }
spec: { hosts: ["${host}"], gateways: [${gateways}], ${routes} }
---`;
}
