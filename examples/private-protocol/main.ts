/**
 * A private protocol in the mesh: two versions of an echo-rpc server, callers without pause, a canary, and a change of the codec
 * itself while all of it runs. With `check` it edits the files itself and says whether everything went as it should.
 */
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { EchoClient } from '../../plugins/echo-rpc/echo-client.ts';
import type { Frame } from '../../plugins/echo-rpc/frames.ts';
import { Callers } from './callers.ts';
import { freePort, Processes } from './processes.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const plugin = fileURLToPath(new URL('../../plugins/echo-rpc', import.meta.url));
const meltemi = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** True: all went well. */
export async function run({ check }: { readonly check: boolean }): Promise<boolean> {
  const processes = new Processes();
  const callers = new Callers();
  const directory = join(process.cwd(), '.meltemi', 'private-protocol');
  try {
    const server = join(plugin, 'server.ts');
    const [v1, v2] = await Promise.all(['v1', 'v2'].map((name) => processes.port(server, ['--name', name])));
    const port = await freePort();
    await copyFiles(directory, { 9300: port, 9301: v1!, 9302: v2! });
    const codec = join(directory, 'codec.ts');
    const ports = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--proxy-admin', '127.0.0.1:0'];
    await processes.until(
      meltemi,
      ['up', '-f', join(directory, 'config'), '--plugin', codec, '--watch', ...ports],
      'Ctrl-C',
    );
    console.log(`callers connect to 127.0.0.1:${port}; servers v1 and v2 run`);
    callers.start(port);
    if (check) return await checkAll(directory, port, callers);
    await show(directory, callers);
    return true;
  } finally {
    await callers.stop();
    await processes.end();
  }
}

async function copyFiles(directory: string, ports: Readonly<Record<string, number>>): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  await cp(join(plugin, 'codec.ts'), join(directory, 'codec.ts'));
  await cp(join(here, 'config'), join(directory, 'config'), { recursive: true });
  for (const name of await readdir(join(directory, 'config'))) {
    const file = join(directory, 'config', name);
    const text = await readFile(file, 'utf8');
    await writeFile(
      file,
      text.replace(/(?<=: )\d+$/gm, (written) => String(ports[written] ?? written)),
    );
  }
}

async function show(directory: string, callers: Callers): Promise<void> {
  const shown = relative(process.cwd(), directory);
  console.log(`edit ${shown}/config/routes.yaml or ${shown}/codec.ts and save; to try a canary:
  cp ${relative(process.cwd(), here)}/routes/canary.yaml ${shown}/config/routes.yaml`);
  let isRunning = true;
  process.once('SIGINT', () => {
    isRunning = false;
  });
  while (isRunning) {
    callers.look();
    await sleep(1_000);
    console.log(callers.look().text);
  }
}

async function checkAll(directory: string, port: number, callers: Callers): Promise<boolean> {
  let ok = true;
  const tell = (isRight: boolean, text: string) => {
    ok &&= isRight;
    console.log(`${isRight ? 'ok  ' : 'FAIL'} ${text}`);
  };
  const routeTo = async (file: string) => {
    await cp(join(here, file), join(directory, 'config/routes.yaml'));
  };
  /** Milliseconds until it is so. */
  const until = async (condition: () => Promise<boolean> | boolean): Promise<number> => {
    const startedAt = performance.now();
    while (!(await condition())) {
      if (performance.now() - startedAt > 5_000) return Number.POSITIVE_INFINITY;
      await sleep(10);
    }
    return Math.round(performance.now() - startedAt);
  };
  const shareOfV2 = async (forMs: number) => {
    callers.look();
    await sleep(forMs);
    return callers.look().shareOfV2;
  };

  tell((await shareOfV2(500)) === 0, 'everybody is served by v1');
  const tester = await EchoClient.connect(port);
  const { headers } = await tester.call('say', { tenant: 'testers' });
  tell(headers.server === 'v2', 'testers, known by a header, are served by v2');

  await routeTo('routes/canary.yaml');
  const canaryMs = await until(() => callers.look().shareOfV2 > 0);
  const share = await shareOfV2(1_500);
  tell(
    share > 0.05 && share < 0.4,
    `canary seen after ${canaryMs} ms: ${(share * 100).toFixed(0)} % of the calls on v2`,
  );

  await routeTo('routes/v2.yaml');
  const allMs = await until(async () => (await shareOfV2(50)) === 1);
  tell(allMs < 5_000, `everybody on v2 after ${allMs} ms`);

  // A limit that the large call exceeds: whoever connects from now on is told so by the new codec.
  const codec = join(directory, 'codec.ts');
  const isRefused = async () => (await largeCall(port)).code !== 0;
  tell(!(await isRefused()), 'a call of 1,000 bytes is answered');
  await writeFile(codec, (await readFile(codec, 'utf8')).replace('limitBytes: 8 * MiB', 'limitBytes: 500'));
  const swapMs = await until(isRefused);
  tell(swapMs < 5_000, `with a codec that has a lower limit it is refused, ${swapMs} ms after the save`);
  await sleep(500);

  const { answered, failed, lastFailure } = callers.total;
  tell(failed === 0 && answered > 500, `${answered} calls answered, ${failed} failed${lastFailure}`);
  tester.close();
  return ok;
}

async function largeCall(port: number): Promise<Frame> {
  const client = await EchoClient.connect(port);
  try {
    return await client.call('say', {}, 'x'.repeat(1_000));
  } finally {
    client.close();
  }
}
