/** Starts Envoy, when it is installed, with one listener on a free port. */
import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Child, Core } from '../child.ts';

const loopback = (port: number) => ({ socket_address: { address: '127.0.0.1', port_value: port } });
const type = (name: string) => ({ '@type': `type.googleapis.com/${name}` });
const thriftPackage = 'envoy.extensions.filters.network.thrift_proxy';

/** `envoy --version`, or null when no `envoy` is on the PATH. */
export function envoyVersion(): string | null {
  const { status, stdout } = spawnSync('envoy', ['--version'], { encoding: 'utf8' });
  return status === 0 ? (/version: *[0-9a-f]+\/([^/]+)/.exec(stdout)?.[1] ?? stdout.trim()) : null;
}

/** Two routes, statistics and an access log, as the mesh has; payload passthrough, Envoy's fastest way. */
export function thriftProxyFilter(accessLogFile: string): object {
  return {
    name: 'envoy.filters.network.thrift_proxy',
    typed_config: {
      ...type(`${thriftPackage}.v3.ThriftProxy`),
      stat_prefix: 'bench',
      transport: 'FRAMED',
      protocol: 'BINARY',
      payload_passthrough: true,
      route_config: {
        name: 'echo',
        routes: [
          { match: { method_name: 'other' }, route: { cluster: 'echo' } },
          { match: { method_name: 'echo' }, route: { cluster: 'echo' } },
        ],
      },
      thrift_filters: [
        {
          name: 'envoy.filters.thrift.router',
          typed_config: type(`${thriftPackage}.router.v3.Router`),
        },
      ],
      access_log: [
        {
          name: 'envoy.access_loggers.file',
          typed_config: { ...type('envoy.extensions.access_loggers.file.v3.FileAccessLog'), path: accessLogFile },
        },
      ],
    },
  };
}

export const tcpProxyFilter: object = {
  name: 'envoy.filters.network.tcp_proxy',
  typed_config: {
    ...type('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy'),
    stat_prefix: 'bench',
    cluster: 'echo',
  },
};

/** Starts one Envoy in `directory` and gives it back with its listener's port. */
export async function startEnvoy(
  name: string,
  filter: object,
  upstreamPort: number,
  directory: string,
): Promise<{ child: Child; port: number }> {
  const addressFile = join(directory, `${name}.admin`);
  const configFile = join(directory, `${name}.json`);
  const limits = { max_connections: 8192, max_pending_requests: 8192, max_requests: 8192 };
  await writeFile(
    configFile,
    JSON.stringify({
      admin: { address: loopback(0) },
      static_resources: {
        listeners: [{ name: 'bench', address: loopback(0), filter_chains: [{ filters: [filter] }] }],
        clusters: [
          {
            name: 'echo',
            type: 'STATIC',
            connect_timeout: '5s',
            circuit_breakers: { thresholds: [limits] },
            load_assignment: {
              cluster_name: 'echo',
              endpoints: [{ lb_endpoints: [{ endpoint: { address: loopback(upstreamPort) } }] }],
            },
          },
        ],
      },
    }),
  );
  const args = ['-c', configFile, '--concurrency', '1', '--disable-hot-restart', '-l', 'error'];
  const child = new Child(name, Core.proxy, 'envoy', [...args, '--admin-address-path', addressFile]);
  const port = await child.until(async () => {
    const admin = (await readFile(addressFile, 'utf8')).trim();
    const response = await fetch(`http://${admin}/listeners?format=json`);
    const body = (await response.json()) as {
      listener_statuses?: { local_address: { socket_address: { port_value: number } } }[];
    };
    return body.listener_statuses?.[0]?.local_address.socket_address.port_value;
  });
  return { child, port };
}
