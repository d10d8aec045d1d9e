/**
 * Dubbo between versions: Java consumers call Java providers of 2.7 and 3.3, in every combination, first directly and then through the mesh. What they
 * print must be the same; what only the mesh does is checked besides.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startMeltemi } from '../../bench/proxies/meltemi.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { installJava } from '../parts.ts';
import { JavaConsumer, type JavaDubbo, JavaProvider } from './java-wind.ts';

const VERSIONS = ['2.7.23', '3.3.6'];
const HOST = 'wind.interop.example';

/** Dubbo replaces a loopback address by one of the machine's own, so that is where everybody meets. */
const address =
  Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1';

const CALLS = [
  ...['echo', 'empty', 'null-argument', 'unicode', 'big-text', 'big-ascii', 'big-bytes', 'object', 'objects'],
  ...['null', 'void', 'declared', 'undeclared', 'future', 'async', 'many', 'oneway'],
  ...['generic', 'generic-object', 'generic-undeclared', 'unknown-method', 'short-timeout'],
  ...['attachments', 'attachment tier gold', 'attachment none', 'grouped', 'who'],
];

/** What the routes below and the proxy itself add. */
const MESH_ONLY: Readonly<Record<string, RegExp>> = {
  'attachment sea': /^aegean$/,
  'attachment secret x': /^null$/,
  'answer-attachment by-mesh': /^yes$/,
  'answer-attachment dubbo': /^null$/,
  'tiered gone': /RpcException code 1 \| .*connect_failure: /,
  hurry: /RpcException code 2 \| .*timeout: no complete answer within 200 ms/,
  // Told, or the connection is gone before the rest of nine megabytes was written.
  'too-big':
    /RpcException code 1 \| .*(too_large: dubbo: body length \d+ > frameLimitBytes 8388608 at byte \d+|IOException)/,
  'until v1': /^v1$/,
};

/** A call that runs when the provider says that it takes no more is answered; the provider that comes back is found. */
const RESTART: Readonly<Record<string, RegExp>> = {
  'sleep 2000': /^slept 2000$/,
  'until again': /^again$/,
  echo: /^hello$/,
};

const tier = (value: string) => ({ attributes: { tier: { exact: value } } });
const to = (subset: string) => [{ destination: { host: HOST, subset } }];
const ROUTES = [
  { name: 'gone', match: tier('gone'), route: to('gone') },
  { name: 'hurry', match: tier('hurry'), timeout: '0.2s', route: to('v1') },
  {
    name: 'marked',
    route: to('v1'),
    requestMutation: [{ key: 'sea', value: 'aegean' }],
    responseMutation: [{ key: 'by-mesh', value: 'yes' }],
    headers: { request: { remove: ['secret'] }, response: { remove: ['dubbo'] } },
  },
];

export async function interopDubbo(): Promise<boolean> {
  const directory = await mkdtemp(join(tmpdir(), 'meltemi-interop-'));
  console.log(`Java Dubbo ${VERSIONS.join(' and ')}: installing; the meeting point is ${address}`);
  try {
    const project = fileURLToPath(new URL('../../examples/dubbo/java', import.meta.url));
    const all: JavaDubbo[] = [];
    for (const version of VERSIONS) {
      all.push({ version, classPath: await installJava(project, `dubbo-${version}`, [`dubbo.version=${version}`]) });
    }
    let good = true;
    for (const provider of all) good = (await withProvider(provider, all, directory, [])) && good;
    return (await withProvider(all[1]!, all.slice(1), directory, ['fastjson2'])) && good;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function withProvider(
  java: JavaDubbo,
  consumers: readonly JavaDubbo[],
  directory: string,
  serializations: readonly string[],
): Promise<boolean> {
  const scene = new Scene(java, directory, serializations);
  try {
    await scene.start();
    let good = true;
    for (const consumer of consumers) {
      console.log(`\n${scene.title}, consumer ${consumer.version}`);
      good = (await sameAsDirect(scene, consumer)) && good;
      // The routes match on attachments.
      if (serializations.length === 0) good = (await meshOnly(scene, consumer)) && good;
      good = (await throughRestart(scene, consumer)) && good;
    }
    return good;
  } finally {
    await scene.end();
  }
}

/** A provider, and the mesh in front of it. */
class Scene {
  readonly title: string;
  readonly #java: JavaDubbo;
  readonly #directory: string;
  /** At most one; none: hessian2. */
  readonly #serializations: readonly string[];
  readonly #ending: { end(): Promise<void> }[] = [];
  #provider: JavaProvider | null = null;
  #upstreamPort = 0;
  #meshPort = 0;

  constructor(java: JavaDubbo, directory: string, serializations: readonly string[]) {
    this.title = ['provider', java.version, ...serializations].join(' ');
    this.#java = java;
    this.#directory = directory;
    this.#serializations = serializations;
  }

  async start(): Promise<void> {
    this.#upstreamPort = await freePort();
    await this.restartProvider('v1');
    const subsets = ['v1', 'gone'].map((version) => ({ name: version, labels: { version } }));
    const ports = { 'tcp-metaprotocol-dubbo': await freePort() };
    const service = {
      host: HOST,
      protocol: 'dubbo',
      address,
      upstreamPort: this.#upstreamPort,
      policy: { subsets },
      endpoints: [{ address, labels: { version: 'gone' }, ports }],
      routes: ROUTES,
    };
    const { control, proxy, port } = await startMeltemi(this.title, service, this.#directory);
    this.#ending.push(control, proxy);
    this.#meshPort = port;
  }

  /** Ends the provider in order; the next one takes its place. */
  async restartProvider(name: string): Promise<void> {
    await this.#provider?.end();
    this.#provider = await JavaProvider.start(this.#java, name, this.#upstreamPort, this.#serializations);
  }

  async consumer(java: JavaDubbo, way: 'direct' | 'mesh', parameters: readonly string[] = []): Promise<JavaConsumer> {
    const port = way === 'direct' ? this.#upstreamPort : this.#meshPort;
    const url = this.#serializations.flatMap((name) => [`serialization=${name}`, `prefer.serialization=${name}`]);
    const consumer = await JavaConsumer.start(java, `${address}:${port}`, [...url, ...parameters]);
    this.#ending.push(consumer);
    return consumer;
  }

  async end(): Promise<void> {
    await Promise.all([this.#provider?.end(), ...this.#ending.map((one) => one.end())]);
  }
}

async function sameAsDirect(scene: Scene, java: JavaDubbo): Promise<boolean> {
  const direct = await scene.consumer(java, 'direct');
  const meshed = await scene.consumer(java, 'mesh');
  const good = compare(await direct.calls(CALLS), await meshed.calls(CALLS));
  await Promise.all([direct.end(), meshed.end()]);
  return good;
}

async function meshOnly(scene: Scene, java: JavaDubbo): Promise<boolean> {
  const consumer = await scene.consumer(java, 'mesh');
  const good = expectResults(await consumer.calls(Object.keys(MESH_ONLY)), MESH_ONLY, 'show what the mesh adds');
  await consumer.end();
  return good;
}

async function throughRestart(scene: Scene, java: JavaDubbo): Promise<boolean> {
  // Dubbo looks for a lost provider as often as it sends heartbeats.
  const direct = await scene.consumer(java, 'direct', ['heartbeat=1000']);
  const meshed = await scene.consumer(java, 'mesh', ['heartbeat=1000']);
  // Connected, and idle for as long as it takes to send a heartbeat.
  for (const consumer of [direct, meshed]) await consumer.call('echo');
  await delay(2_500);
  const calls = Object.keys(RESTART);
  const results = Promise.all([direct.calls(calls), meshed.calls(calls)]);
  await delay(500);
  await scene.restartProvider('again');
  const [fromDirect, fromMesh] = await results;
  const good = expectResults(fromMesh, RESTART, 'succeed through a restart of the provider');
  for (const [call, result] of fromDirect) {
    if (result !== fromMesh.get(call)) console.log(`  (direct, ${call}: ${result})`);
  }
  await Promise.all([direct.end(), meshed.end()]);
  await scene.restartProvider('v1');
  return good;
}

function compare(direct: Map<string, string>, meshed: Map<string, string>): boolean {
  const comparable = (result: string | undefined) => result?.split(' | ')[0];
  const wrong = [...direct].filter(([call, result]) => comparable(result) !== comparable(meshed.get(call)));
  for (const [call, result] of wrong)
    console.log(`  FAILED ${call}\n    direct: ${result}\n    mesh:   ${meshed.get(call)}`);
  console.log(
    `  ${direct.size - wrong.length} of ${direct.size} calls give the same as direct: ${[...direct.keys()].join(', ')}`,
  );
  return wrong.length === 0;
}

function expectResults(
  results: Map<string, string>,
  expected: Readonly<Record<string, RegExp>>,
  what: string,
): boolean {
  const wrong = [...results].filter(([call, result]) => !expected[call]!.test(result));
  for (const [call, result] of wrong) console.log(`  FAILED ${call}: ${result}, expected ${expected[call]}`);
  console.log(`  ${results.size - wrong.length} of ${results.size} calls ${what}: ${[...results.keys()].join(', ')}`);
  return wrong.length === 0;
}
