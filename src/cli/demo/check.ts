/** The demo without a reader: changes the route itself and says whether every call was answered by whom it should be. */
import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DemoConfig } from './demo-config.ts';
import { shareOf, type Tally } from './tally.ts';

const observeMs = 2000;
const shiftTimeoutMs = 5000;
/** Calls that were under way at the change may still be answered by the old route. */
const settleMs = 200;

interface Step {
  readonly title: string;
  readonly route: string;
  /** Who answers only now. */
  readonly newcomer: 'v1' | 'v2';
  /** The share of v2 that is right, from and to. */
  readonly v2Share: readonly [number, number];
}

export interface CheckInput {
  readonly config: DemoConfig;
  readonly tally: Tally;
  /** The example's 80/20 split. */
  readonly splitFile: string;
  readonly print: (line: string) => void;
}

/** Takes about ten seconds. True: no call failed, no connection was closed and each change was seen. */
export async function checkDemo({ config, tally, splitFile, print }: CheckInput): Promise<boolean> {
  const allV1 = await readFile(config.routeFile, 'utf8');
  const allV2 = allV1.replace('subset: v1\n', 'subset: v2\n');
  const split = await readFile(splitFile, 'utf8');
  const steps: readonly Step[] = [
    { title: 'everything to v1', route: allV1, newcomer: 'v1', v2Share: [0, 0] },
    { title: 'everything to v2', route: allV2, newcomer: 'v2', v2Share: [1, 1] },
    { title: 'everything to v1 again', route: allV1, newcomer: 'v1', v2Share: [0, 0] },
    { title: '20 % to v1, 80 % to v2', route: split, newcomer: 'v2', v2Share: [0.65, 0.95] },
  ];
  let ok = true;
  for (const step of steps) {
    const shiftMs = await shift(config.routeFile, tally, step);
    await sleep(settleMs);
    tally.look();
    await sleep(observeMs);
    const share = shareOf('v2', tally.look().recent);
    const right = shiftMs !== null && share >= step.v2Share[0] && share <= step.v2Share[1];
    ok &&= right;
    const when = shiftMs === null ? `not seen within ${shiftTimeoutMs} ms` : `seen after ${shiftMs.toFixed(0)} ms`;
    print(
      `${right ? 'ok  ' : 'FAIL'} ${step.title}: ${when}, then ${(share * 100).toFixed(0)} % of the answers from v2`,
    );
  }
  const { answered, failed, closed, lastFailure } = tally.look();
  const clean = failed === 0 && closed === 0 && answered > 0;
  const why = lastFailure === null ? '' : `, the last: ${lastFailure}`;
  print(`${clean ? 'ok  ' : 'FAIL'} ${answered} calls answered, ${failed} failed${why}, ${closed} connections closed`);
  return ok && clean;
}

/** Saves the route and waits for an answer of who did not answer before; gives the milliseconds that took, or null. */
async function shift(routeFile: string, tally: Tally, { route, newcomer }: Step): Promise<number | null> {
  tally.look();
  const savedAt = performance.now();
  await writeFile(routeFile, route);
  while (performance.now() - savedAt < shiftTimeoutMs) {
    await sleep(5);
    if (shareOf(newcomer, tally.look().recent) > 0) return performance.now() - savedAt;
  }
  return null;
}
