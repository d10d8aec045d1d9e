/**
 * Dubbo in the mesh: two providers, a mesh, and a consumer that shows what each route does. With `check` it ends then, and says whether
 * everything went as the page says; else it stays until Ctrl-C, for routes of your own.
 */
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { startDemoMesh } from '../../src/cli/demo.ts';
import type { ReadAnswer, StockCall } from './frames.ts';
import { connectWind, type WindClient } from './wind-client.ts';
import { startWindServer } from './wind-server.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const HOST = 'wind-dubbo.aegean.example';
const CALLS = 200;
const ROUTE_TIMEOUT_MS = 5_000;

const who = { method: 'whoAreYou', args: [], attachments: { path: 'meltemi.Wind' } };
const gold = { ...who, attachments: { ...who.attachments, tier: 'gold' } };

interface Step {
  /** In routes/; null: the route at first. */
  readonly route: string | null;
  readonly title: string;
  readonly call: StockCall;
  readonly expected: (answers: readonly ReadAnswer[]) => boolean;
}

const allFrom = (name: string) => (answers: readonly ReadAnswer[]) => shareOf(answers, name) === 1;

const STEPS: readonly Step[] = [
  { route: null, title: 'everything goes to v1', call: who, expected: allFrom('v1') },
  {
    route: 'interface',
    title: 'interface meltemi.Sea: v2',
    call: { ...who, path: 'meltemi.Sea' },
    expected: allFrom('v2'),
  },
  { route: 'method', title: 'method echo: v2', call: { method: 'echo', args: ['hello'] }, expected: allFrom('v2') },
  {
    route: 'group',
    title: 'group north: v2',
    call: { ...who, attachments: { group: 'north' } },
    expected: allFrom('v2'),
  },
  { route: 'attachment', title: 'attachment tier=gold: v2', call: gold, expected: allFrom('v2') },
  { route: 'attachment', title: 'no such attachment: v1', call: who, expected: allFrom('v1') },
  {
    route: 'split',
    title: 'split: one in five to v1, the rest to v2',
    call: who,
    expected: (answers) => Math.abs(shareOf(answers, 'v2') - 0.8) < 0.15,
  },
  {
    route: 'mutation',
    title: 'mutation: sea=aegean and no tier at the provider, by=meltemi at the consumer',
    call: gold,
    expected: (answers) =>
      answers.every(({ attachments }) => {
        const saw = JSON.parse(String(attachments?.saw)) as Record<string, string>;
        return saw.sea === 'aegean' && !('tier' in saw) && attachments?.by === 'meltemi';
      }),
  },
];

/** True: all went as expected. */
export async function run({ check }: { readonly check: boolean }): Promise<boolean> {
  const directory = join(process.cwd(), '.meltemi', 'dubbo');
  const servers = await Promise.all(['v1', 'v2'].map((name) => startWindServer(name)));
  const port = await freePort();
  await copyConfig(directory, { 20880: port, 20881: servers[0]!.port, 20882: servers[1]!.port });
  const mesh = await startDemoMesh(directory);
  try {
    const [host, at] = (await mesh.whereToConnect(HOST, port)).split(':');
    const wind = await connectWind(Number(at), host);
    let ok = true;
    for (const step of STEPS) {
      if (step.route !== null)
        await cp(join(here, 'routes', `${step.route}.yaml`), join(directory, 'meta-router.yaml'));
      const answers = await callUntil(wind, step);
      const isRight = step.expected(answers);
      ok &&= isRight;
      const counts = ['v1', 'v2'].map((name) => `${name}: ${Math.round(shareOf(answers, name) * CALLS)}`).join(', ');
      console.log(`${isRight ? 'ok  ' : 'FAIL'} ${step.title} (${counts})`);
    }
    wind.close();
    if (!check)
      await untilInterrupted(`edit ${relative(process.cwd(), directory)}/meta-router.yaml and call ${host}:${at}`);
    return ok;
  } finally {
    await mesh.close();
    for (const server of servers) server.close();
  }
}

/** The answers once they are as expected, or the last ones. */
async function callUntil(wind: WindClient, { call, expected }: Step): Promise<ReadAnswer[]> {
  const startedAt = performance.now();
  for (;;) {
    const answers = await Promise.all(Array.from({ length: CALLS }, () => wind.call(call)));
    if (expected(answers) || performance.now() - startedAt > ROUTE_TIMEOUT_MS) return answers;
    await sleep(20);
  }
}

function shareOf(answers: readonly ReadAnswer[], name: string): number {
  return answers.filter(({ attachments }) => attachments?.['answered-by'] === name).length / answers.length;
}

async function copyConfig(directory: string, ports: Readonly<Record<string, number>>): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  for (const name of await readdir(join(here, 'config'))) {
    const text = await readFile(join(here, 'config', name), 'utf8');
    const moved = text.replace(/(?<=: )\d+$/gm, (written) => String(ports[written] ?? written));
    await writeFile(join(directory, name), moved);
  }
}

async function untilInterrupted(text: string): Promise<void> {
  console.log(`${text}; Ctrl-C ends`);
  await new Promise((resolve) => {
    const alive = setInterval(() => {}, 60_000);
    process.once('SIGINT', () => resolve(clearInterval(alive)));
  });
}
