/** `meltemi demo thrift`: two versions of a service, callers and the mesh between them, on this machine; shows who answers while you edit the route. */
import { existsSync, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { checkDemo } from './check.ts';
import { DemoChildren } from './demo-children.ts';
import { copyDemoConfig, type DemoConfig } from './demo-config.ts';
import { Tally } from './tally.ts';
import { lineOf, tableOf } from './view.ts';

const example = fileURLToPath(new URL('../../../examples/thrift', import.meta.url));
const serviceHost = 'wind.aegean.example';
const firstAnswerTimeoutMs = 15_000;

/** The mesh as the demo needs it: a control plane and a proxy that serve a folder. */
export interface DemoMesh {
  /** `host:port` where a service's port is bound on this machine; waits until it is. */
  whereToConnect(host: string, port: number): Promise<string>;
  /** What is wrong with the folder's files now, a line each. */
  findings(): readonly string[];
  close(): Promise<void>;
}

export interface ThriftDemoOptions {
  /** Changes the route itself and ends, instead of waiting for a reader to do so. */
  readonly check: boolean;
  readonly startMesh: (configDirectory: string) => Promise<DemoMesh>;
  readonly output: NodeJS.WriteStream;
  /** Ends the demo that waits for a reader. */
  readonly signal: AbortSignal;
}

/** Gives the exit code: 0, or 1 when a check failed. */
export async function runThriftDemo({ check, startMesh, output, signal }: ThriftDemoOptions): Promise<number> {
  if (!existsSync(example)) throw new Error(`the demo runs in a checkout of the repository: ${example} does not exist`);
  const children = new DemoChildren(example);
  let mesh: DemoMesh | null = null;
  try {
    const [v1, v2] = await Promise.all([children.server('v1'), children.server('v2')]);
    const config = await copyDemoConfig(example, join(process.cwd(), '.meltemi', 'demo-thrift'), { v1, v2 });
    mesh = await startMesh(config.directory);
    const framed = await mesh.whereToConnect(serviceHost, config.service.framed);
    const theader = await mesh.whereToConnect(serviceHost, config.service.theader);
    output.write(`servers v1 and v2 run; callers connect to ${framed} (framed) and ${theader} (THeader)\n`);

    const tally = new Tally();
    children.callers(framed, theader, (outcome) => tally.add(outcome));
    await firstAnswer(tally);
    if (!check) {
      await show(config, mesh, tally, output, signal);
      return 0;
    }
    const splitFile = join(example, 'routes/split.yaml');
    const ok = await checkDemo({ config, tally, splitFile, print: (line) => output.write(`${line}\n`) });
    return ok ? 0 : 1;
  } finally {
    await children.close();
    await mesh?.close();
  }
}

async function firstAnswer(tally: Tally): Promise<void> {
  for (let waitedMs = 0; waitedMs < firstAnswerTimeoutMs; waitedMs += 50) {
    const { answered, failed, lastFailure } = tally.look();
    if (answered > 0) return;
    if (failed > 0) throw new Error(`the first call failed: ${lastFailure}`);
    await sleep(50);
  }
  throw new Error(`no call was answered within ${firstAnswerTimeoutMs} ms`);
}

/** Shows who answers, once per second, until `signal`. */
async function show(
  config: DemoConfig,
  mesh: DemoMesh,
  tally: Tally,
  output: NodeJS.WriteStream,
  signal: AbortSignal,
): Promise<void> {
  const routeFile = relative(process.cwd(), config.routeFile);
  const split = relative(process.cwd(), join(example, 'routes/split.yaml'));
  const notes = { routeFile, example: `cp ${split} ${routeFile}` };
  let lastChange: string | null = null;
  let said = '';
  let content = await readFile(config.routeFile, 'utf8');
  const watcher = watch(config.directory, async () => {
    const saved = await readFile(config.routeFile, 'utf8').catch(() => content);
    if (saved === content) return;
    content = saved;
    lastChange = `Last change saved at ${new Date().toLocaleTimeString()}.`;
  });
  if (!output.isTTY) output.write(`edit ${routeFile} and save it, for instance: ${notes.example}\n`);
  try {
    while (!signal.aborted) {
      await sleep(1000, undefined, { signal }).catch(() => {});
      const view = tally.look();
      const findings = mesh.findings();
      if (output.isTTY) {
        output.write(`\x1b[H\x1b[2J${tableOf(view, ['v1', 'v2'], { ...notes, lastChange, findings })}\n`);
        continue;
      }
      const text = findings.map((finding) => `${finding}\n`).join('');
      if (text !== said) output.write(text === '' ? `nothing is wrong with the files any more\n` : text);
      said = text;
      output.write(`${new Date().toISOString().slice(11, 19)} ${lineOf(view)}\n`);
    }
  } finally {
    watcher.close();
  }
}
