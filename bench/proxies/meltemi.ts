/** Starts a control plane and a proxy of the mesh, in two processes as in production, for one Thrift service on loopback. */
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { Child, Core } from '../child.ts';

const cli = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

export interface MeltemiService {
  readonly host: string;
  readonly upstreamPort: number;
  /** The MetaRouter's `routes`. */
  readonly routes: readonly object[];
  /** The DestinationRule's `spec` but for its host. */
  readonly policy: object;
  /** More endpoints, as in a ServiceEntry. */
  readonly endpoints?: readonly object[];
}

export interface Meltemi {
  readonly control: Child;
  readonly proxy: Child;
  /** Where the service is called. */
  readonly port: number;
}

/** Writes the service's resources, starts both processes and waits until the service's port takes connections. */
export async function startMeltemi(name: string, service: MeltemiService, parent: string): Promise<Meltemi> {
  const directory = join(parent, name.replaceAll(' ', '-'));
  const config = join(directory, 'config');
  await mkdir(config, { recursive: true });
  const [port, xdsPort, controlAdminPort, proxyAdminPort] = await Promise.all([
    freePort(),
    freePort(),
    freePort(),
    freePort(),
  ]);
  const resources = resourcesOf(service, port).map((resource) => JSON.stringify(resource, null, 2));
  await writeFile(join(config, 'mesh.yaml'), resources.join('\n---\n'));

  const xds = `127.0.0.1:${xdsPort}`;
  const common = ['--log-level', 'warn', '--admin'];
  const control = Child.script(`${name} control`, Core.load, cli, [
    ...['control', '-f', config, '--listen', xds, '--access-log', join(directory, 'access.log')],
    ...[...common, `127.0.0.1:${controlAdminPort}`],
  ]);
  const proxy = Child.script(name, Core.proxy, cli, [
    ...['proxy', '--xds', xds, '--id', name.replaceAll(' ', '-'), '--drain-time', '1'],
    ...[...common, `127.0.0.1:${proxyAdminPort}`],
  ]);
  try {
    await proxy.until(() => connects(port));
  } catch (error) {
    await Promise.all([control.end(), proxy.end()]);
    throw error;
  }
  return { control, proxy, port };
}

function resourcesOf({ host, upstreamPort, routes, policy, endpoints = [] }: MeltemiService, port: number): object[] {
  const metadata = { name: 'bench', namespace: 'bench' };
  const portName = 'tcp-metaprotocol-thrift';
  return [
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'ServiceEntry',
      metadata,
      spec: {
        hosts: [host],
        addresses: ['127.0.0.1'],
        location: 'MESH_INTERNAL',
        resolution: 'STATIC',
        ports: [{ name: portName, number: port, protocol: 'TCP' }],
        endpoints: [
          { address: '127.0.0.1', labels: { version: 'v1' }, ports: { [portName]: upstreamPort } },
          ...endpoints,
        ],
      },
    },
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'DestinationRule',
      metadata,
      spec: { host, ...policy },
    },
    {
      apiVersion: 'metaprotocol.aeraki.io/v1alpha1',
      kind: 'MetaRouter',
      metadata,
      spec: { hosts: [host], routes },
    },
  ];
}

async function connects(port: number): Promise<true> {
  const socket = net.connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } finally {
    socket.destroy();
  }
}
