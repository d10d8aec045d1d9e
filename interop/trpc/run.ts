/**
 * tRPC by other hands: clients of trpc-go call its servers, first directly and then through the mesh, whose proxy has plugins/trpc.
 * What they print must be the same; what only the mesh does is checked besides.
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Child, Core } from '../../bench/child.ts';
import { startMeltemi } from '../../bench/proxies/meltemi.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { installGo } from '../parts.ts';

const run = promisify(execFile);
const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

const HOST = 'wind.interop.example';
const PORT_NAME = 'tcp-metaprotocol-trpc';

const CALLS = [
  ...['hello', 'ünïcödé ✓', 'empty', 'who', 'big', 'json:sea', 'gzip:sea', 'attachment', 'metadata'],
  ...['business', 'framework', 'negative', 'oneway', 'short-timeout', 'many', 'multiplexed'],
];

const MESH_ONLY: Readonly<Record<string, RegExp>> = {
  'tier:gold': /^v2 /,
  // A key set and one removed on the request, one set on the response.
  silver: /^v1 by-mesh="yes" saw-sea="aegean" sea="aegean" served-by="v1" tier="silver"$/,
  'tier:gone': /^error type 3 code 1[13]1: (connect_failure|no_healthy_endpoint): /,
  hurry: /^error type 3 code 21: timeout: no complete answer within 200 ms/,
  'unknown-func': /^error type 3 code 11: no_route: no route matches this request/,
  stream: /^error type 3 code 12: .*unsupported: streaming calls are not supported/,
  hello: /^hello hello /,
  // Told, or the connection is gone before the rest of eleven megabytes was written.
  'too-big': /too_large: trpc: frame of \d+ bytes > frameLimitBytes 10485760|code 141: /,
};

const exact = (key: string, value: string) => ({ attributes: { [key]: { exact: value } } });
const to = (subset: string) => [{ destination: { host: HOST, subset } }];
const ROUTES = [
  { name: 'gold', match: exact('tier', 'gold'), route: to('v2') },
  { name: 'gone', match: exact('tier', 'gone'), route: to('gone') },
  { name: 'hurry', match: exact('tier', 'hurry'), timeout: '0.2s', route: to('v1') },
  {
    name: 'silver',
    match: exact('tier', 'silver'),
    route: to('v1'),
    requestMutation: [{ key: 'sea', value: 'aegean' }],
    responseMutation: [{ key: 'by-mesh', value: 'yes' }],
    headers: { request: { remove: ['secret'] } },
  },
  { name: 'rest', match: { attributes: { func: { prefix: '/trpc.test.helloworld.' } } }, route: to('v1') },
];

export async function interopTrpc(): Promise<boolean> {
  const directory = await mkdtemp(join(tmpdir(), 'meltemi-interop-'));
  const children: Child[] = [];
  try {
    console.log('trpc-go: installing');
    const wind = await installGo(path('./go'), 'trpc');
    const [upstreamPort, secondPort, gonePort] = await Promise.all([freePort(), freePort(), freePort()]);
    for (const [name, port] of Object.entries({ v1: upstreamPort, v2: secondPort })) {
      const server = new Child(`go server ${name}`, Core.any, wind, ['server', `127.0.0.1:${port}`, name]);
      children.push(server);
      await server.until(() => connects(port));
    }
    const endpoint = (version: string, port: number) => ({
      address: '127.0.0.1',
      labels: { version },
      ports: { [PORT_NAME]: port },
    });
    const mesh = await startMeltemi(
      'trpc',
      {
        host: HOST,
        protocol: 'trpc',
        plugins: [path('../../plugins/trpc/codec.ts')],
        upstreamPort,
        policy: { subsets: ['v1', 'v2', 'gone'].map((version) => ({ name: version, labels: { version } })) },
        endpoints: [endpoint('v2', secondPort), endpoint('gone', gonePort)],
        routes: ROUTES,
      },
      directory,
      { control: Core.any, proxy: Core.any },
    );
    children.push(mesh.control, mesh.proxy);
    const direct = await clientCalls(wind, upstreamPort, CALLS);
    const meshed = await clientCalls(wind, mesh.port, CALLS);
    const same = compare(direct, meshed);
    return expectResults(await clientCalls(wind, mesh.port, Object.keys(MESH_ONLY))) && same;
  } finally {
    await Promise.all(children.map((child) => child.end()));
    await rm(directory, { recursive: true, force: true });
  }
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

/** What one client process prints, by call. */
async function clientCalls(wind: string, port: number, calls: readonly string[]): Promise<Map<string, string>> {
  const { stdout } = await run(wind, ['client', `127.0.0.1:${port}`, ...calls], { timeout: 120_000 });
  const results = new Map<string, string>();
  for (const line of stdout.split('\n')) {
    const [mark, call = '', result = ''] = line.split('\t');
    // How long a timeout took is no two times the same.
    if (mark === 'RESULT') results.set(call, result.replace(/cost:[\d.]+m?s/, 'cost'));
  }
  return results;
}

function compare(direct: Map<string, string>, meshed: Map<string, string>): boolean {
  const wrong = CALLS.filter((call) => !direct.has(call) || direct.get(call) !== meshed.get(call));
  for (const call of wrong)
    console.log(`  FAILED ${call}\n    direct: ${direct.get(call)}\n    mesh:   ${meshed.get(call)}`);
  console.log(`  ${CALLS.length - wrong.length} of ${CALLS.length} calls give the same as direct: ${CALLS.join(', ')}`);
  return wrong.length === 0;
}

function expectResults(results: Map<string, string>): boolean {
  const calls = Object.keys(MESH_ONLY);
  const wrong = calls.filter((call) => !MESH_ONLY[call]!.test(results.get(call) ?? ''));
  for (const call of wrong) console.log(`  FAILED ${call}: ${results.get(call)}, expected ${MESH_ONLY[call]}`);
  console.log(`  ${calls.length - wrong.length} of ${calls.length} calls show what the mesh adds: ${calls.join(', ')}`);
  return wrong.length === 0;
}
