/** Routes that change, control planes that die and resources that are wrong, under 64 callers that never pause. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort, MeshBench, resourceStatus, routerYaml, save, serviceYaml, until } from './mesh-fixture.ts';

const CALLERS = 64;

describe('a mesh under load', () => {
  let bench: MeshBench;
  beforeEach(() => {
    bench = new MeshBench();
  });
  afterEach(() => bench.close());

  it('changes routes 50 times: no call fails, no connection closes', async () => {
    const { port, folder } = await bench.twoVersions();
    const control = await bench.controlPlane(folder);
    await bench.proxy(control.xdsAddress.port);
    const load = await bench.load(port, CALLERS);
    await load.nextBy('v1');
    const liveMs: number[] = [];
    for (let round = 0; round < 50; round++) {
      const [weights, newcomer] = [
        [{ v2: 100 }, 'v2'],
        [{ v1: 100 }, 'v1'],
        [{ v1: 50, v2: 50 }, 'v2'],
        [{ v1: 100 }, null],
      ][round % 4] as [Record<string, number>, string | null];
      const savedAt = performance.now();
      await save(folder, 'router.yaml', routerYaml(weights));
      if (newcomer === null) {
        await sleep(150);
        continue;
      }
      await load.nextBy(newcomer);
      liveMs.push(performance.now() - savedAt);
    }
    await load.stop();
    liveMs.sort((a, b) => a - b);
    const median = liveMs[liveMs.length >> 1]!;
    console.log(
      `swap under load: ${load.answered} calls, route live after a save: median ${median.toFixed(0)} ms, slowest ${liveMs.at(-1)!.toFixed(0)} ms`,
    );
    expect({ failed: load.failed, closed: load.closed, lastFailure: load.lastFailure }).toEqual({
      failed: 0,
      closed: 0,
      lastFailure: null,
    });
    expect(load.answeredBy('v2')).toBeGreaterThan(0);
    expect(median).toBeLessThan(1_000);
  }, 60_000);

  it('does without its control plane, and takes up the changes when it is back', async () => {
    const { port, folder } = await bench.twoVersions();
    const xdsPort = await freePort();
    const control = await bench.controlPlane(folder, xdsPort);
    await bench.proxy(xdsPort);
    const load = await bench.load(port, CALLERS);
    await load.nextBy('v1');
    await control.close();
    await save(folder, 'router.yaml', routerYaml({ v2: 100 }));
    await sleep(300);
    expect(load.answeredBy('v2')).toBe(0);
    await bench.controlPlane(folder, xdsPort);
    await load.nextBy('v2');
    await load.stop();
    expect({ failed: load.failed, closed: load.closed }).toEqual({ failed: 0, closed: 0 });
  });

  it('keeps the last good version of an invalid resource alone, and names it with file and line', async () => {
    const { v1, v2, port, folder } = await bench.twoVersions();
    const second = await freePort();
    await save(folder, 'second.yaml', serviceYaml(second, [v1, v2], 'second.test'));
    await save(folder, 'second-router.yaml', routerYaml({ v1: 100 }, 'second.test'));
    const control = await bench.controlPlane(folder);
    await bench.proxy(control.xdsAddress.port);
    const [first, other] = [await bench.load(port, 8), await bench.load(second, 8)];
    await Promise.all([first.nextBy('v1'), other.nextBy('v1')]);

    const broken = (await readFile(join(folder, 'router.yaml'), 'utf8')).replace('subset: v1', 'subset: nowhere');
    await save(folder, 'router.yaml', broken);
    await save(folder, 'second-router.yaml', routerYaml({ v2: 100 }, 'second.test'));
    await other.nextBy('v2');
    const router = await until(() => {
      const status = resourceStatus(control.status(), 'MetaRouter');
      return status.outcome === 'lastGood' && status;
    });
    expect(router.findings[0]).toMatchObject({
      level: 'error',
      file: join(folder, 'router.yaml'),
      line: expect.any(Number),
      message: expect.stringContaining('nowhere'),
    });
    await Promise.all([first.stop(), other.stop()]);
    expect(first.answeredBy('v2')).toBe(0);
    expect([first.failed, first.closed, other.failed, other.closed]).toEqual([0, 0, 0, 0]);
  });
});
