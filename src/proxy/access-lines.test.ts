import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/harness/fake-clock.ts';
import { StatsStore } from '../metaprotocol/stats.ts';
import { LineBatcher } from './line-batcher.ts';
import { type Appender, LogFiles } from './log-files.ts';
import { StatTotals } from './stat-totals.ts';
import { recordingLog } from './testing/recording-log.ts';
import { unwrittenLogs } from './unwritten-logs.ts';

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

  it('fills batches again that came back, and no other', () => {
    const batches: Buffer[] = [];
    const lines = new LineBatcher(new FakeClock(), (_path, bytes) => batches.push(bytes));
    for (const text of ['one', 'two', 'three', 'four']) {
      write(lines, 'a', text);
      lines.flush();
      if (text === 'two') lines.reuse(batches[0]!);
    }
    const [one, two, three, four] = batches;
    expect(three!.buffer === one!.buffer).toBe(true);
    expect(new Set([two, three, four].map((batch) => batch!.buffer)).size).toBe(3);
    expect([two, three, four].map(String)).toEqual(['two\n', 'three\n', 'four\n']);
  });

  it('loses nothing of a line whose batch comes back while it is delivered', () => {
    const texts: string[] = [];
    const lines: LineBatcher = new LineBatcher(new FakeClock(), (_path, bytes) => {
      texts.push(bytes.toString());
      lines.reuse(bytes);
    });
    const writer = lines.open('a');
    const expected = Array.from({ length: 2_000 }, (_, index) => `${index}`.repeat(1 + (index % 40)));
    for (const text of expected) {
      writer.beginLine();
      for (const char of text) writer.text(char);
      writer.endLine();
    }
    lines.flush();
    expect(texts.join('').trimEnd().split('\n')).toEqual(expected);
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
  const totals = new StatTotals();
  const stats = new StatsStore((definition) => totals.define('w', definition));
  const dropped = stats.counter('access_log_lines_dropped_total');
  const log = recordingLog();
  const done: number[] = [];
  const onDone = (bytes: Uint8Array) => done.push(bytes.length);
  const notes = () =>
    unwrittenLogs(totals, [{ listener: 'L', path: 'p' }]).map(({ name, message }) => `${name}: ${message}`);
  return { dropped, notes, log, done, files: new LogFiles({ log, stats, onDone, open: async () => appender }) };
}

describe('LogFiles', () => {
  it('writes one text at a time and joins what came meanwhile', async () => {
    const appender = new SlowAppender();
    const { files, done } = logFiles(appender);
    files.write('p', Buffer.from('1\n'), 1);
    await new Promise(setImmediate);
    files.write('p', Buffer.from('2\n'), 1);
    files.write('p', Buffer.from('3\n'), 1);
    expect(appender.texts).toEqual(['1\n']);
    expect(done).toEqual([]);
    await appender.finish();
    expect(appender.texts).toEqual(['1\n', '2\n3\n']);
    expect(done).toEqual([2]);
    const closed = files.close();
    await appender.finish();
    await closed;
    expect(appender.texts.at(-1)).toBe('closed');
    expect(done).toEqual([2, 2, 2]);
  });

  it('drops and counts what a slow file cannot take, and goes on', async () => {
    const appender = new SlowAppender();
    const { files, dropped, done } = logFiles(appender);
    const megabyte = Buffer.from(`${'x'.repeat(1_048_575)}\n`);
    files.write('p', megabyte, 1);
    await new Promise(setImmediate);
    for (let n = 0; n < 10; n++) files.write('p', megabyte, 1);
    expect(dropped.value).toBe(2);
    expect(done.length).toBe(2);
    await appender.finish();
    files.write('p', Buffer.from('last\n'), 1);
    await appender.finish();
    expect(appender.texts.at(-1)).toBe('last\n');
  });

  it('counts the lines of a failed write and says it once', async () => {
    const appender = new SlowAppender();
    const { files, dropped, log, done } = logFiles(appender);
    files.write('p', Buffer.from('1\n2\n'), 2);
    await new Promise(setImmediate);
    await appender.finish(new Error('disk full'));
    files.write('p', Buffer.from('3\n'), 1);
    await new Promise(setImmediate);
    await appender.finish(new Error('disk full'));
    expect(dropped.value).toBe(3);
    expect(done).toEqual([4, 2]);
    expect(log.entries).toEqual([['error', { path: 'p', error: 'disk full' }, 'access log not written']]);
  });

  it('is a remark on its listeners while it cannot be written', async () => {
    const appender = new SlowAppender();
    const { files, notes } = logFiles(appender);
    const write = async (error?: Error) => {
      files.write('p', Buffer.from('1\n'), 1);
      files.write('other', Buffer.from('1\n'), 1);
      await new Promise(setImmediate);
      await appender.finish(error);
      await appender.finish(error);
      return notes();
    };
    expect(await write()).toEqual([]);
    const of = (reason: string) => [`L: access log p is not written, its lines are lost: ${reason}`];
    expect(await write(new Error('disk full'))).toEqual(of('disk full'));
    expect(await write(new Error('disk full'))).toEqual(of('disk full'));
    expect(await write(new Error('read-only'))).toEqual(of('read-only'));
    expect(await write()).toEqual([]);
  });
});
