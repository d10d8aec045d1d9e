import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/harness/fake-clock.ts';
import { StatsStore } from '../metaprotocol/stats.ts';
import { LineBatcher } from './line-batcher.ts';
import { type Appender, LogFiles } from './log-files.ts';
import { recordingLog } from './testing/recording-log.ts';

function write(lines: LineBatcher, path: string, text: string): void {
  const writer = lines.open(path);
  writer.beginLine();
  writer.text(text);
  writer.endLine();
}

describe('LineBatcher', () => {
  it('delivers in order, at the latest 250 ms after the first line', () => {
    const clock = new FakeClock();
    const batches: unknown[] = [];
    const lines = new LineBatcher(clock, (path, bytes, count) => batches.push([path, bytes.toString(), count]));
    write(lines, 'a', 'one');
    clock.advance(249);
    write(lines, 'a', 'two');
    write(lines, 'b', 'three');
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
    const lines = new LineBatcher(clock, (_path, _bytes, count) => batches.push(count));
    for (let n = 0; n < 1_000; n++) write(lines, 'a', 'x'.repeat(99));
    write(lines, 'a', 'last');
    const full = batches.reduce((sum, count) => sum + count, 0);
    expect(full).toBeGreaterThan(600);
    lines.flush();
    expect(batches.reduce((sum, count) => sum + count, 0)).toBe(1_001);
    expect(clock.pendingTimers).toBe(0);
  });
});

/** Appends when told to. */
class SlowAppender implements Appender {
  readonly texts: string[] = [];
  readonly #waiting: PromiseWithResolvers<void>[] = [];

  append(bytes: Uint8Array): Promise<void> {
    this.texts.push(Buffer.from(bytes).toString());
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
    files.write('p', Buffer.from('1\n'), 1);
    await new Promise(setImmediate);
    files.write('p', Buffer.from('2\n'), 1);
    files.write('p', Buffer.from('3\n'), 1);
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
    const megabyte = Buffer.from(`${'x'.repeat(1_048_575)}\n`);
    files.write('p', megabyte, 1);
    await new Promise(setImmediate);
    for (let n = 0; n < 10; n++) files.write('p', megabyte, 1);
    expect(dropped.value).toBe(2);
    await appender.finish();
    files.write('p', Buffer.from('last\n'), 1);
    await appender.finish();
    expect(appender.texts.at(-1)).toBe('last\n');
  });

  it('counts the lines of a failed write and says it once', async () => {
    const appender = new SlowAppender();
    const { files, dropped, log } = logFiles(appender);
    files.write('p', Buffer.from('1\n2\n'), 2);
    await new Promise(setImmediate);
    await appender.finish(new Error('disk full'));
    files.write('p', Buffer.from('3\n'), 1);
    await new Promise(setImmediate);
    await appender.finish(new Error('disk full'));
    expect(dropped.value).toBe(3);
    expect(log.entries).toEqual([['error', { path: 'p', error: 'disk full' }, 'access log not written']]);
  });
});
