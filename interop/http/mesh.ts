/** A control plane, a sidecar and a router in three processes, all in front of one HTTP server. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child, Core } from '../../bench/child.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';

const cli = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const HOST = 'server.interop.example';
const ROUTER_LABEL = 'istio=interop';

/** A way to the server. */
export interface Way {
  readonly name: string;
  readonly url: string;
  /** Of the proxy on it; null: there is none. */
  readonly pid: number | null;
}

export interface HttpMesh {
  readonly sidecar: Way;
  readonly router: Way;
  close(): Promise<void>;
}

export async function startHttpMesh(upstreamPort: number, directory: string): Promise<HttpMesh> {
  const config = join(directory, 'config');
  await mkdir(config, { recursive: true });
  const [port, edgePort, xdsPort, adminPort] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const resources = resourcesOf(upstreamPort, port, edgePort).map((resource) => JSON.stringify(resource));
  await writeFile(join(config, 'mesh.yaml'), resources.join('\n---\n'));
  const xds = `127.0.0.1:${xdsPort}`;
  const control = ['control', '-f', config, '--listen', xds, '--admin', `127.0.0.1:${adminPort}`];
  const children = [Child.script('control', Core.any, cli, [...control, '--log-level', 'warn'])];
  const way = async (name: string, at: number, more: readonly string[]): Promise<Way> => {
    const admin = `127.0.0.1:${await freePort()}`;
    const options = ['--xds', xds, '--id', name, '--admin', admin, '--drain-time', '1', '--log-level', 'warn'];
    const child = Child.script(name, Core.any, cli, ['proxy', ...options, ...more]);
    children.push(child);
    const url = `http://127.0.0.1:${at}`;
    await child.until(async () => ((await fetch(`${url}/text`)).status === 200 ? true : undefined));
    return { name, url, pid: child.pid };
  };
  const close = async (): Promise<void> => {
    await Promise.all(children.map((child) => child.end()));
  };
  try {
    const [sidecar, router] = await Promise.all([
      way('sidecar', port, []),
      way('router', edgePort, ['--type', 'router', '--label', ROUTER_LABEL]),
    ]);
    return { sidecar, router, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function resourcesOf(upstreamPort: number, port: number, edgePort: number): object[] {
  const metadata = { name: 'server', namespace: 'interop' };
  const networking = (kind: string, spec: object) => ({ apiVersion: 'networking.istio.io/v1', kind, metadata, spec });
  const [label, value] = ROUTER_LABEL.split('=') as [string, string];
  return [
    networking('ServiceEntry', {
      hosts: [HOST],
      addresses: ['127.0.0.1'],
      location: 'MESH_INTERNAL',
      resolution: 'STATIC',
      ports: [{ name: 'http', number: port, protocol: 'HTTP' }],
      endpoints: [{ address: '127.0.0.1', ports: { http: upstreamPort } }],
    }),
    networking('Gateway', {
      selector: { [label]: value },
      servers: [{ port: { name: 'http', number: edgePort, protocol: 'HTTP' }, hosts: ['*'], bind: '127.0.0.1' }],
    }),
    networking('VirtualService', {
      hosts: ['*'],
      gateways: ['server'],
      http: [{ route: [{ destination: { host: HOST, port: { number: port } } }] }],
    }),
  ];
}
