/**
 * brpc by other hands: clients of Baidu's brpc-java call its servers, first directly and then through the mesh, whose proxy has
 * plugins/brpc. What they print must be the same; what only the mesh does is checked besides.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Child, Core } from '../../bench/child.ts';
import { startMeltemi } from '../../bench/proxies/meltemi.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { installJava } from '../parts.ts';

const run = promisify(execFile);
const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

const HOST = 'wind.interop.example';
/** Its proxies reach into the JDK. */
const JAVA_FLAGS = ['-Xmx256m', '--add-opens=java.base/java.lang=ALL-UNNAMED'];

const CALLS = [
  ...['hello', 'ünïcödé ✓', 'who', 'attachment x', 'big', 'gzip', 'snappy', 'many', 'sleep 100'],
  ...['with tier silver key tier', 'key none', 'fail'],
];

/** Clients show the text of an error. */
const MESH_ONLY: Readonly<Record<string, RegExp>> = {
  'with tier gold who': /^v2 0$/,
  'with tier gone x': /no_healthy_endpoint: |connect_failure: /,
  'with tier hurry sleep 1000': /timeout: no complete answer within 200 ms/,
  // brpc-java's own server leaves a method that it does not have unanswered.
  nothing: /no_route: no route matches this request/,
  // The connection goes on.
  hello: /^hello -7$/,
};

const exact = (key: string, value: string) => ({ [key]: { exact: value } });
const tier = (value: string) => ({ attributes: exact('tier', value) });
const to = (subset: string) => [{ destination: { host: HOST, subset } }];
const mutation = {
  requestMutation: [{ key: 'sea', value: 'aegean' }],
  responseMutation: [{ key: 'by-mesh', value: 'yes' }],
};
const ROUTES = [
  { name: 'gold', match: tier('gold'), route: to('v2') },
  { name: 'gone', match: tier('gone'), route: to('gone') },
  { name: 'hurry', match: tier('hurry'), timeout: '0.2s', route: to('v1') },
  { name: 'silver', match: tier('silver'), route: to('v1'), ...mutation },
  {
    name: 'rest',
    match: { attributes: { ...exact('service', 'meltemi.Wind'), ...exact('method', 'Forecast') } },
    route: to('v1'),
  },
];

export async function interopBrpc(): Promise<boolean> {
  const directory = await mkdtemp(join(tmpdir(), 'meltemi-interop-'));
  const children: Child[] = [];
  try {
    console.log('brpc-java: installing');
    const classPath = await installJava(path('./java'), 'brpc');
    const [upstreamPort, secondPort] = await Promise.all([freePort(), freePort()]);
    for (const [name, port] of Object.entries({ v1: upstreamPort, v2: secondPort })) {
      const args = [...JAVA_FLAGS, '-cp', classPath, 'meltemi.WindServer', name, String(port)];
      const server = new Child(`java server ${name}`, Core.any, 'java', args);
      children.push(server);
      await server.firstLine();
    }
    const portName = 'tcp-metaprotocol-brpc';
    const endpoint = (version: string, port: number) => ({
      address: '127.0.0.1',
      labels: { version },
      ports: { [portName]: port },
    });
    const mesh = await startMeltemi(
      'brpc',
      {
        host: HOST,
        protocol: 'brpc',
        plugins: [path('../../plugins/brpc/codec.ts')],
        upstreamPort,
        policy: { subsets: ['v1', 'v2', 'gone'].map((name) => ({ name, labels: { version: name } })) },
        endpoints: [endpoint('v2', secondPort), endpoint('gone', await freePort())],
        routes: ROUTES,
      },
      directory,
      { control: Core.any, proxy: Core.any },
    );
    children.push(mesh.control, mesh.proxy);
    const direct = await callAll(classPath, upstreamPort, CALLS);
    const meshed = await callAll(classPath, mesh.port, CALLS);
    const same = CALLS.map((call) => {
      const [wanted, got] = [direct.get(call), meshed.get(call)];
      if (wanted !== got || wanted === undefined)
        console.log(`  FAILED ${call}\n    direct: ${wanted}\n    mesh:   ${got}`);
      return wanted !== undefined && wanted === got;
    }).filter(Boolean).length;
    console.log(`  ${same} of ${CALLS.length} calls give the same as direct: ${CALLS.join(', ')}`);
    const added = await callAll(classPath, mesh.port, Object.keys(MESH_ONLY));
    const wrong = Object.entries(MESH_ONLY).filter(([call, expected]) => !expected.test(added.get(call) ?? ''));
    for (const [call, expected] of wrong) console.log(`  FAILED ${call}: ${added.get(call)}, expected ${expected}`);
    console.log(
      `  ${added.size - wrong.length} of ${added.size} calls show what the mesh adds: ${[...added.keys()].join(', ')}`,
    );
    return same === CALLS.length && wrong.length === 0;
  } finally {
    await Promise.all(children.map((child) => child.end()));
    await rm(directory, { recursive: true, force: true });
  }
}

/** One client for all calls; what each gave, or threw. */
async function callAll(classPath: string, port: number, calls: readonly string[]): Promise<Map<string, string>> {
  const args = [...JAVA_FLAGS, '-cp', classPath, 'meltemi.WindClient', String(port), ...calls];
  const { stdout } = await run('java', args, { timeout: 60_000 });
  const results = new Map<string, string>();
  for (const line of stdout.trimEnd().split('\n')) {
    const call = calls.find((one) => line.startsWith(`${one}: `));
    if (call !== undefined) results.set(call, line.slice(call.length + 2));
  }
  return results;
}
