import { expect, it } from 'vitest';
import { FakeClock } from '../../../test/harness/fake-clock.ts';
import { recordingLog } from '../testing/recording-log.ts';
import { PluginWatch } from './plugin-watch.ts';

const FOLDER = import.meta.dirname;
const turn = () => new Promise(setImmediate);

function bench() {
  const clock = new FakeClock();
  const running: (() => void)[] = [];
  let save: (name: string | null) => void = () => {};
  let closed = 0;
  const folders: string[] = [];
  const log = recordingLog();
  const watch = new PluginWatch({
    clock,
    log,
    onChange: () => new Promise((resolve) => running.push(resolve)),
    watchFolder: (folder, onEvent) => {
      if (folder === '/') throw new Error('no watches left');
      folders.push(folder);
      save = onEvent;
      return { close: () => closed++ };
    },
  });
  watch.follow([`${FOLDER}/codec.ts`]);
  return { clock, running, watch, log, folders, save: (name: string | null) => save(name), closed: () => closed };
}

it('tells once of several events, when they are over, and of no other file', () => {
  const { clock, running, save } = bench();
  save('codec.ts~');
  save(null);
  clock.advance(100);
  expect(running).toHaveLength(0);
  save('codec.ts');
  clock.advance(40);
  save('codec.ts');
  clock.advance(40);
  expect(running).toHaveLength(0);
  clock.advance(10);
  expect(running).toHaveLength(1);
});

it('tells of saves during a reload once, after it', async () => {
  const { clock, running, save } = bench();
  save('codec.ts');
  clock.advance(50);
  for (let saves = 0; saves < 5; saves++) {
    save('codec.ts');
    clock.advance(60);
  }
  expect(running).toHaveLength(1);
  running[0]!();
  await turn();
  clock.advance(50);
  expect(running).toHaveLength(2);
  running[1]!();
  await turn();
  clock.advance(1_000);
  expect(running).toHaveLength(2);
});

it('is over when it is closed, also where a reload is not', async () => {
  const { clock, running, watch, save, closed } = bench();
  save('codec.ts');
  clock.advance(50);
  save('codec.ts');
  watch.close();
  running[0]!();
  await turn();
  watch.follow([`${FOLDER}/codec.ts`]);
  save('codec.ts');
  clock.advance(1_000);
  expect([running.length, closed(), clock.pendingTimers]).toEqual([1, 1, 0]);
});

it('waits for a folder that is missing where it would appear', () => {
  const { clock, running, watch, save, folders } = bench();
  watch.follow([`${FOLDER}/no/such/part.ts`]);
  expect(folders).toEqual([FOLDER]);
  save('part.ts');
  clock.advance(50);
  expect(running).toHaveLength(0);
  save('no');
  clock.advance(50);
  expect(running).toHaveLength(1);
});

it('says which folder cannot be watched', () => {
  const { watch, log } = bench();
  watch.follow(['/codec.ts']);
  expect(log.entries).toEqual([
    ['warn', { folder: '/', reason: 'no watches left' }, expect.stringContaining('not watched')],
  ]);
});
