import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/harness/fake-clock.ts';
import { StatsStore } from '../metaprotocol/stats.ts';
import { failingLogs } from './failing-logs.ts';
import { type Appender, LogFiles } from './log-files.ts';
import { StatTotals } from './stat-totals.ts';
import { recordingLog } from './testing/recording-log.ts';

const turn = () => new Promise(setImmediate);

/** Appends when told to. */
class SlowAppender implements Appender {
  readonly texts: string[] = [];
  moved = false;
  looks = 0;
  readonly hasMoved = async (): Promise<boolean> => {
    this.looks++;
    return this.moved;
  };
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
    await turn();
  }
}

/** `appenders`: what the opens give, the last one again and again. */
function logFiles(...appenders: (Appender | Error)[]) {
  const clock = new FakeClock();
  const open = async () => {
    const opened = appenders.length > 1 ? appenders.shift()! : appenders[0]!;
    if (opened instanceof Error) throw opened;
    return opened;
  };
  const totals = new StatTotals();
  const stats = new StatsStore((definition) => totals.define('w', definition));
  const dropped = stats.counter('access_log_lines_dropped_total');
  const log = recordingLog();
  const done: number[] = [];
  const onDone = (bytes: Uint8Array) => done.push(bytes.length);
  const notes = () =>
    failingLogs(totals, [{ listener: 'L', path: 'p' }]).map(({ name, message }) => `${name}: ${message}`);
  return { clock, dropped, notes, log, done, files: new LogFiles({ clock, log, stats, onDone, open }) };
}

describe('LogFiles', () => {
  it('writes one text at a time and joins what came meanwhile', async () => {
    const appender = new SlowAppender();
    const { files, done } = logFiles(appender);
    files.write('p', Buffer.from('1\n'), 1);
    await turn();
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
    await turn();
    for (let n = 0; n < 10; n++) files.write('p', megabyte, 1);
    expect(dropped.value).toBe(2);
    expect(done.length).toBe(2);
    await appender.finish();
    files.write('p', Buffer.from('last\n'), 1);
    await appender.finish();
    expect(appender.texts.at(-1)).toBe('last\n');
  });

  it('counts the lines of a failed write, says it once, and keeps nothing open', async () => {
    const appender = new SlowAppender();
    const { files, dropped, log, done } = logFiles(appender);
    files.write('p', Buffer.from('1\n2\n'), 2);
    await turn();
    await appender.finish(new Error('disk full'));
    files.write('p', Buffer.from('3\n'), 1);
    await turn();
    await appender.finish(new Error('disk full'));
    expect(dropped.value).toBe(3);
    expect(done).toEqual([4, 2]);
    expect(appender.texts).toEqual(['1\n2\n', 'closed', '3\n', 'closed']);
    const text = 'access log is not written, its lines are lost';
    expect(log.entries).toEqual([['error', { path: 'p', error: 'disk full' }, text]]);
  });

  it('is a remark on its listeners while it cannot be written', async () => {
    const appender = new SlowAppender();
    const { files, notes } = logFiles(appender);
    const write = async (error?: Error) => {
      files.write('p', Buffer.from('1\n'), 1);
      files.write('other', Buffer.from('1\n'), 1);
      await turn();
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

  it('follows a path that leads elsewhere, within a second of writing, and loses nothing', async () => {
    const [before, after] = [new SlowAppender(), new SlowAppender()];
    const { files, clock, dropped } = logFiles(before, after);
    const write = (text: string) => files.write('p', Buffer.from(text), 1);
    write('1');
    await turn();
    before.moved = true;
    clock.advance(999);
    write('2');
    await before.finish();
    expect(before.looks).toBe(0);
    clock.advance(1);
    write('3');
    write('4');
    await before.finish();
    expect([before.texts, after.texts, before.looks]).toEqual([['1', '2', 'closed'], ['34'], 1]);
    await after.finish();
    clock.advance(999);
    write('5');
    await turn();
    expect([after.texts, after.looks, dropped.value]).toEqual([['34', '5'], 0, 0]);
  });

  it('looks at a path that stays no more than once a second', async () => {
    const appender = new SlowAppender();
    const { files, clock } = logFiles(appender);
    for (let ms = 0; ms <= 5_000; ms += 100) {
      files.write('p', Buffer.from('1'), 1);
      await turn();
      await appender.finish();
      clock.advance(100);
    }
    expect(appender.looks).toBe(5);
  });

  it('opens moved files anew when it is told to, behind what is being written', async () => {
    const [before, after] = [new SlowAppender(), new SlowAppender()];
    const { files } = logFiles(before, after);
    files.write('p', Buffer.from('1'), 1);
    await turn();
    before.moved = true;
    let isDone = false;
    const reopened = files.reopen().then(() => {
      isDone = true;
    });
    files.write('p', Buffer.from('2'), 1);
    await turn();
    expect(isDone).toBe(false);
    await before.finish();
    await reopened;
    expect([before.texts, after.texts]).toEqual([['1', 'closed'], ['2']]);
    // Idle ones too, else a deleted file keeps its disk.
    await after.finish();
    after.moved = true;
    await files.reopen();
    expect(after.texts).toEqual(['2', 'closed']);
  });

  it('does not wait for a pipe that nobody reads', async () => {
    const pipe: Appender = { append: () => new Promise(() => {}), hasMoved: null, close: async () => {} };
    const { files } = logFiles(pipe);
    files.write('p', Buffer.from('1'), 1);
    await turn();
    await files.reopen();
  });

  it('stays with a renamed file while the new one cannot be opened, and says so once', async () => {
    const [before, after] = [new SlowAppender(), new SlowAppender()];
    const { files, clock, dropped, notes, log } = logFiles(before, new Error('EACCES'), new Error('EACCES'), after);
    const write = async (appender: SlowAppender) => {
      clock.advance(1_000);
      files.write('p', Buffer.from('1'), 1);
      await turn();
      await appender.finish();
    };
    await write(before);
    before.moved = true;
    await write(before);
    await write(before);
    const text = 'cannot be opened anew, its lines go to the file that was renamed or deleted';
    expect(notes()).toEqual([`L: access log p ${text}: EACCES`]);
    expect(log.entries).toEqual([['error', { path: 'p', error: 'EACCES' }, `access log ${text}`]]);
    before.moved = false;
    await write(before);
    expect(notes()).toEqual([]);
    before.moved = true;
    await write(after);
    expect([before.texts, after.texts, notes()]).toEqual([['1', '1', '1', '1', 'closed'], ['1'], []]);
    expect(dropped.value).toBe(0);
  });
});
