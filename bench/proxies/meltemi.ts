/** Starts a control plane and a proxy of the mesh, in two processes as in production, for one service of this machine. */
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { Child, Core } from '../child.ts';

const LOOPBACK = '127.0.0.1';
const cli = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

export interface MeltemiService {
  readonly host: string;
  /** `thrift` if not told. */
  readonly protocol?: string;
  /** An address of this machine at which the service is called and its server listens; loopback if not told. */
  readonly address?: string;
  readonly upstreamPort: number;
  /** Paths of codec plugins that the proxy loads. */
  readonly plugins?: readonly string[];
  /** The MetaRouter's `routes`. */
  readonly routes: readonly object[];
  /** The DestinationRule's `spec` but for its host. */
  readonly policy: object;
  /** Further options of the proxy's command line. */
  readonly proxyOptions?: readonly string[];
  /** More endpoints, as in a ServiceEntry. */
  readonly endpoints?: readonly object[];
}

export interface Meltemi {
  readonly control: Child;
  readonly proxy: Child;
  /** Where the service is called. */
  readonly port: number;
  /** Of the proxy's admin API. */
  readonly adminPort: number;
}

/** Writes the service's resources, starts both processes and waits until the service's port takes connections. */
export async function startMeltemi(
  name: string,
  service: MeltemiService,
  parent: string,
  cores: { readonly control: Core; readonly proxy: Core } = { control: Core.load, proxy: Core.proxy },
): Promise<Meltemi> {
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
  const control = Child.script(`${name} control`, cores.control, cli, [
    ...['control', '-f', config, '--listen', xds, '--access-log', join(directory, 'access.log')],
    ...[...common, `127.0.0.1:${controlAdminPort}`],
  ]);
  const proxy = Child.script(name, cores.proxy, cli, [
    ...['proxy', '--xds', xds, '--id', name.replaceAll(' ', '-'), '--drain-time', '1'],
    ...(service.plugins ?? []).flatMap((plugin) => ['--plugin', plugin]),
    ...(service.proxyOptions ?? []),
    ...[...common, `127.0.0.1:${proxyAdminPort}`],
  ]);
  try {
    await proxy.until(() => connects(port, service.address));
  } catch (error) {
    await Promise.all([control.end(), proxy.end()]);
    throw error;
  }
  return { control, proxy, port, adminPort: proxyAdminPort };
}

function resourcesOf(service: MeltemiService, port: number): object[] {
  const { host, protocol = 'thrift', address = LOOPBACK, upstreamPort, routes, policy, endpoints = [] } = service;
  const metadata = { name: 'bench', namespace: 'bench' };
  const portName = `tcp-metaprotocol-${protocol}`;
  return [
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'ServiceEntry',
      metadata,
      spec: {
        hosts: [host],
        addresses: [address],
        location: 'MESH_INTERNAL',
        resolution: 'STATIC',
        ports: [{ name: portName, number: port, protocol: 'TCP' }],
        endpoints: [{ address, labels: { version: 'v1' }, ports: { [portName]: upstreamPort } }, ...endpoints],
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

async function connects(port: number, address = LOOPBACK): Promise<true> {
  const socket = net.connect(port, address);
  try {
    await once(socket, 'connect');
    return true;
  } finally {
    socket.destroy();
  }
}
