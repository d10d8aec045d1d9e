/** The HTTP backend (nginx, static) and the proxies that the mesh is compared with, each where it is installed. */
import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { Child, Core } from '../child.ts';
import { envoyVersion, startEnvoy } from '../proxies/envoy.ts';

export interface Peer {
  readonly name: string;
  readonly child: Child;
  readonly port: number;
}

const body = 'x'.repeat(66);
const installed = (command: string, version: string): boolean => spawnSync(command, [version]).error === undefined;

/** Answers 66 bytes from memory. */
export async function startBackend(directory: string): Promise<Peer> {
  const server = `keepalive_requests 1000000000; access_log off; location / { return 200 '${body}'; }`;
  return await startNginx('backend', Core.load, server, '', directory);
}

/** With two routes, statistics and an access log, as far as each has them. */
export async function startPeers(upstreamPort: number, directory: string): Promise<Peer[]> {
  const peers: Peer[] = [];
  const upstream = `upstream echo { server 127.0.0.1:${upstreamPort}; keepalive 128; keepalive_requests 1000000000; }`;
  const forward = `proxy_pass http://echo; proxy_http_version 1.1; proxy_set_header Connection "";`;
  const log = `access_log ${join(directory, 'nginx-access.log')} combined buffer=64k;`;
  const server = `keepalive_requests 1000000000; ${log} location /other { ${forward} } location / { ${forward} }`;
  peers.push(await startNginx('nginx', Core.proxy, server, upstream, directory));
  if (installed('haproxy', '-v')) peers.push(await startHaproxy(upstreamPort, directory));
  peers.push(await startNode(upstreamPort, directory));
  if (envoyVersion() !== null) {
    const filter = envoyFilter(join(directory, 'envoy-access.log'));
    peers.push({ name: 'envoy', ...(await startEnvoy('envoy', filter, upstreamPort, directory)) });
  }
  return peers;
}

async function startNginx(name: string, core: Core, server: string, http: string, parent: string): Promise<Peer> {
  const directory = join(parent, `nginx-${name}`);
  await mkdir(directory, { recursive: true });
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${directory}/${kind};`,
  );
  // One process, so that its CPU time is that of its pid.
  const config = `daemon off; master_process off; pid ${directory}/pid; error_log ${directory}/error.log;
events { worker_connections 4096; }
http { ${temporary.join(' ')} ${http} server { listen 127.0.0.1:${port}; ${server} } }`;
  const file = join(directory, 'nginx.conf');
  await writeFile(file, config);
  const child = new Child(name, core, 'nginx', ['-p', directory, '-c', file]);
  await child.until(async () => (await fetch(`http://127.0.0.1:${port}/`)).ok || undefined);
  return { name, child, port };
}

/** Its log goes to its standard output, which is a file here. */
async function startHaproxy(upstreamPort: number, directory: string): Promise<Peer> {
  const port = await freePort();
  const file = join(directory, 'haproxy.cfg');
  await writeFile(
    file,
    [
      'global',
      '  nbthread 1',
      '  log stdout format raw local0 info',
      'defaults',
      '  mode http',
      '  log global',
      '  option httplog',
      '  timeout client 60s',
      '  timeout server 60s',
      '  timeout connect 5s',
      '  http-reuse always',
      'frontend bench',
      `  bind 127.0.0.1:${port}`,
      '  use_backend echo if { path_beg /other }',
      '  default_backend echo',
      'backend echo',
      `  server one 127.0.0.1:${upstreamPort}`,
      '',
    ].join('\n'),
  );
  const command = `exec haproxy -db -f '${file}' > '${join(directory, 'haproxy-access.log')}'`;
  const child = new Child('haproxy', Core.proxy, 'sh', ['-c', command]);
  await child.until(async () => (await fetch(`http://127.0.0.1:${port}/`)).ok || undefined);
  return { name: 'haproxy', child, port };
}

async function startNode(upstreamPort: number, directory: string): Promise<Peer> {
  const script = fileURLToPath(new URL('node-http-proxy.ts', import.meta.url));
  const log = join(directory, 'node-access.log');
  const child = Child.script('node:http + undici', Core.proxy, script, [`${upstreamPort}`, log]);
  const { port } = await child.message<{ port: number }>();
  return { name: 'node:http + undici', child, port };
}

function envoyFilter(accessLogFile: string): object {
  const type = (name: string) => ({ '@type': `type.googleapis.com/envoy.extensions.${name}` });
  const route = { cluster: 'echo' };
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      ...type('filters.network.http_connection_manager.v3.HttpConnectionManager'),
      stat_prefix: 'bench',
      route_config: {
        name: 'echo',
        virtual_hosts: [
          {
            name: 'all',
            domains: ['*'],
            routes: [
              { match: { prefix: '/other' }, route },
              { match: { prefix: '/' }, route },
            ],
          },
        ],
      },
      http_filters: [{ name: 'envoy.filters.http.router', typed_config: type('filters.http.router.v3.Router') }],
      access_log: [
        {
          name: 'envoy.access_loggers.file',
          typed_config: { ...type('access_loggers.file.v3.FileAccessLog'), path: accessLogFile },
        },
      ],
    },
  };
}
