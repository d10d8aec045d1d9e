import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/harness/fake-clock.ts';
import { StatsStore } from '../metaprotocol/stats.ts';
import { LineBatcher } from './line-batcher.ts';
import { type Appender, LogFiles } from './log-files.ts';
import { recordingLog } from './testing/recording-log.ts';

describe('LineBatcher', () => {
  it('delivers in order, at the latest 250 ms after the first line', () => {
    const clock = new FakeClock();
    const batches: unknown[] = [];
    const lines = new LineBatcher(clock, (...batch) => batches.push(batch));
    lines.write('a', 'one');
    clock.advance(249);
    lines.write('a', 'two');
    lines.write('b', 'three');
    expect(batches).toEqual([]);
    clock.advance(1);
    expect(batches).toEqual([
      ['a', 'one\ntwo\n', 2],
      ['b', 'three\n', 1],
    ]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('delivers a full batch at once', () => {
    const batches: number[] = [];
    const clock = new FakeClock();
    const lines = new LineBatcher(clock, (_path, _text, count) => batches.push(count));
    for (let n = 0; n < 1_000; n++) lines.write('a', 'x'.repeat(99));
    lines.write('a', 'last');
    lines.flush();
    expect(batches).toEqual([656, 345]);
    expect(clock.pendingTimers).toBe(0);
  });
});

/** Appends when told to. */
class SlowAppender implements Appender {
  readonly texts: string[] = [];
  readonly #waiting: PromiseWithResolvers<void>[] = [];

  append(text: string): Promise<void> {
    this.texts.push(text);
    const done = Promise.withResolvers<void>();
    this.#waiting.push(done);
    return done.promise;
  }

  async close(): Promise<void> {
    this.texts.push('closed');
  }

  async finish(error?: Error): Promise<void> {
    const done = this.#waiting.shift()!;
    if (error === undefined) done.resolve();
    else done.reject(error);
    await new Promise(setImmediate);
  }
}

function logFiles(appender: Appender) {
  const dropped = new StatsStore().counter('dropped');
  const log = recordingLog();
  return { dropped, log, files: new LogFiles({ log, dropped, open: async () => appender }) };
}

describe('LogFiles', () => {
  it('writes one text at a time and joins what came meanwhile', async () => {
    const appender = new SlowAppender();
    const { files } = logFiles(appender);
    files.write('p', '1\n', 1);
    await new Promise(setImmediate);
    files.write('p', '2\n', 1);
    files.write('p', '3\n', 1);
    expect(appender.texts).toEqual(['1\n']);
    await appender.finish();
    expect(appender.texts).toEqual(['1\n', '2\n3\n']);
    const closed = files.close();
    await appender.finish();
    await closed;
    expect(appender.texts.at(-1)).toBe('closed');
  });

  it('drops and counts what a slow file cannot take, and goes on', async () => {
    const appender = new SlowAppender();
    const { files, dropped } = logFiles(appender);
    const text = `${'x'.repeat(1_048_575)}\n`;
    files.write('p', text, 1);
    await new Promise(setImmediate);
    for (let n = 0; n < 10; n++) files.write('p', text, 1);
    expect(dropped.value).toBe(2);
    await appender.finish();
    files.write('p', 'last\n', 1);
    await appender.finish();
    expect(appender.texts.at(-1)).toBe('last\n');
  });

  it('counts the lines of a failed write and says it once', async () => {
    const appender = new SlowAppender();
    const { files, dropped, log } = logFiles(appender);
    files.write('p', '1\n2\n', 2);
    await new Promise(setImmediate);
    await appender.finish(new Error('disk full'));
    files.write('p', '3\n', 1);
    await new Promise(setImmediate);
    await appender.finish(new Error('disk full'));
    expect(dropped.value).toBe(3);
    expect(log.entries).toEqual([['error', { path: 'p', error: 'disk full' }, 'access log not written']]);
  });
});
