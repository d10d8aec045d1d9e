/** Every route of examples/thrift does through a running mesh what the example's page says, for stock servers and clients. */
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { Forecast } from '../../examples/thrift/generated/Wind.js';
import type { WireName } from '../../examples/thrift/transports.ts';
import { connectWind, type WindClient } from '../../examples/thrift/wind-client.ts';
import { DemoChildren } from '../../src/cli/demo/demo-children.ts';
import { copyDemoConfig, type DemoConfig } from '../../src/cli/demo/demo-config.ts';
import type { DemoMesh } from '../../src/cli/demo/thrift-demo.ts';
import { startDemoMesh } from '../../src/cli/demo.ts';

const example = fileURLToPath(new URL('../../examples/thrift', import.meta.url));
const islands = ['Naxos', 'Paros', 'Mykonos', 'Tinos', 'Andros', 'Ios', 'Milos', 'Syros', 'Kea', 'Amorgos'];

const servers = new DemoChildren(example);
const clients: WindClient[] = [];
let directory: string;
let config: DemoConfig;
let mesh: DemoMesh;

beforeAll(async () => {
  const [v1, v2] = await Promise.all([servers.server('v1'), servers.server('v2')]);
  directory = await mkdtemp(join(tmpdir(), 'meltemi-example-'));
  config = await copyDemoConfig(example, join(directory, 'config'), { v1, v2 });
  mesh = await startDemoMesh(config.directory);
});

afterAll(async () => {
  for (const { connection } of clients) connection.end();
  await servers.close();
  await mesh?.close();
  if (directory) await rm(directory, { recursive: true });
});

async function connect(wire: WireName, headers: Record<string, string> = {}) {
  const [host, port] = (await mesh.whereToConnect('wind.aegean.example', config.service[wire])).split(':');
  const client = await connectWind(host!, Number(port), wire, headers);
  clients.push(client);
  return client;
}

/** The answers for every island, `rounds` times. */
async function ask({ wind }: WindClient, method: 'forecast' | 'warning', rounds = 1): Promise<Forecast[]> {
  const answers: Forecast[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const island of islands) answers.push(await wind[method](island));
  }
  return answers;
}

const servedBy = (answers: readonly Forecast[]) => [...new Set(answers.map((answer) => answer.servedBy))].sort();

/** Copies a route over the running one, as a reader of the example would, and waits until `expectation` holds. */
async function route(name: string, expectation: () => Promise<void>) {
  const source = join(example, 'routes', name);
  if (name.endsWith('.yaml')) await cp(source, config.routeFile);
  else for (const file of await readdir(source)) await cp(join(source, file), join(dirname(config.routeFile), file));
  await vi.waitFor(expectation, { timeout: 20_000, interval: 20 });
}

it('sends everything to v1 at first, over both wires', async () => {
  for (const wire of ['framed', 'theader'] as const) {
    expect(servedBy(await ask(await connect(wire), 'forecast'))).toEqual(['v1']);
  }
});

it('routes by method', async () => {
  const client = await connect('framed');
  await route('method.yaml', async () => expect(servedBy(await ask(client, 'warning'))).toEqual(['v2']));
  expect(servedBy(await ask(client, 'forecast'))).toEqual(['v1']);
});

it('routes by header', async () => {
  const gold = await connect('theader', { tier: 'gold' });
  await route('header.yaml', async () => expect(servedBy(await ask(gold, 'forecast'))).toEqual(['v2']));
  expect(servedBy(await ask(await connect('theader', { tier: 'tin' }), 'forecast'))).toEqual(['v1']);
  expect(servedBy(await ask(await connect('framed'), 'forecast'))).toEqual(['v1']);
});

it('splits by weight', async () => {
  const client = await connect('framed');
  await route('split.yaml', async () => expect(servedBy(await ask(client, 'forecast', 2))).toEqual(['v1', 'v2']));
  const answers = await ask(client, 'forecast', 20);
  const share = answers.filter((answer) => answer.servedBy === 'v2').length / answers.length;
  expect(share).toBeGreaterThan(0.65);
  expect(share).toBeLessThan(0.95);
});

it('mutates headers', async () => {
  const client = await connect('theader', { tier: 'gold' });
  await route('mutation.yaml', async () => {
    const [answer] = await ask(client, 'forecast');
    expect(answer?.headersSeen).toEqual({ sea: 'aegean' });
  });
  expect(servedBy(await ask(await connect('framed'), 'forecast'))).toEqual(['v1']);
});

it('hashes by header', async () => {
  const client = await connect('theader');
  const forecast = (island: string) => {
    client.wind.output.setWriteHeader('island', island);
    return client.wind.forecast(island);
  };
  const serverOf = async (island: string) => {
    const answers = [await forecast(island), await forecast(island), await forecast(island)];
    const names = servedBy(answers);
    expect(names, `answers for ${island}`).toHaveLength(1);
    return names[0];
  };
  // The route before sent all of them to v1.
  await route('consistent-hash', async () => {
    const used = new Set<string | undefined>();
    for (const island of islands) used.add(await serverOf(island));
    expect([...used].sort()).toEqual(['v1', 'v2']);
  });
});
