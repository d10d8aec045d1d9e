import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/harness/fake-clock.ts';
import { StatsStore } from '../metaprotocol/stats.ts';
import { failingLogs } from './failing-logs.ts';
import { LogRotation } from './log-rotation.ts';
import { StatTotals } from './stat-totals.ts';
import { recordingLog } from './testing/recording-log.ts';

describe('LogRotation', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'meltemi-rotation-'));
    path = join(folder, 'a.log');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function start(maxFiles = 3, paths = [path]) {
    const clock = new FakeClock();
    const totals = new StatTotals();
    const log = recordingLog();
    const reopened: string[] = [];
    let followed = Promise.resolve();
    const rotation = new LogRotation({
      clock,
      log,
      stats: new StatsStore((definition) => totals.define('main', definition)),
      limits: { maxBytes: 10, maxFiles },
      paths: () => paths,
      reopen: () => {
        reopened.push(files());
        return followed;
      },
    });
    /** The next check, until it is over or waits for the workers. */
    const check = async (): Promise<void> => {
      clock.advance(250);
      while (clock.pendingTimers === 0) await new Promise(setImmediate);
      await new Promise(setImmediate);
    };
    const holdWorkers = () => {
      const held = Promise.withResolvers<void>();
      followed = held.promise;
      return held.resolve;
    };
    const notes = () => failingLogs(totals, [{ listener: 'L', path }]).map(({ message }) => message);
    return { check, clock, holdWorkers, log, notes, reopened, rotation };
  }

  /** `a.log=text a.log.1=text` */
  function files(): string {
    const textOf = (name: string) => readFileSync(join(folder, name), 'utf8');
    return readdirSync(folder)
      .sort()
      .map((name) => `${name}=${textOf(name)}`)
      .join(' ');
  }

  it('renames a file that is full, keeps so many, and tells the workers once', async () => {
    const { check, reopened } = start();
    await check();
    writeFileSync(path, '123456789');
    await check();
    expect([files(), reopened]).toEqual(['a.log=123456789', []]);
    for (const text of ['first file', 'second file', 'third file']) {
      writeFileSync(path, text);
      await check();
      await check();
    }
    const seen = [
      'a.log= a.log.1=first file',
      'a.log= a.log.1=second file a.log.2=first file',
      'a.log= a.log.1=third file a.log.2=second file',
    ];
    expect(reopened).toEqual(seen);
  });

  it('looks four times a second', async () => {
    writeFileSync(path, 'a full file');
    const { check, clock, rotation, reopened } = start();
    clock.advance(249);
    expect(clock.pendingTimers).toBe(1);
    await check();
    expect(reopened).toHaveLength(1);
    await rotation.close();
    expect(clock.pendingTimers).toBe(0);
  });

  it('renames nothing more until all workers followed, or five seconds passed', async () => {
    writeFileSync(path, 'a full file');
    const { check, clock, holdWorkers, reopened } = start();
    const release = holdWorkers();
    await check();
    writeFileSync(path, 'full again, of another worker');
    clock.advance(4_999);
    expect([clock.pendingTimers, reopened.length]).toEqual([1, 1]);
    release();
    await new Promise(setImmediate);
    holdWorkers();
    await check();
    expect(reopened[1]).toBe('a.log= a.log.1=full again, of another worker a.log.2=a full file');
    clock.advance(5_000);
    await new Promise(setImmediate);
    writeFileSync(path, 'full once more');
    await check();
    expect(reopened).toHaveLength(3);
  });

  it('gives the new file the permissions of the old one', async () => {
    writeFileSync(path, 'a full file');
    chmodSync(path, 0o602);
    await start().check();
    expect(statSync(path).mode & 0o777).toBe(0o602);
  });

  it('leaves alone what is no regular file', async () => {
    const target = join(folder, 'target');
    writeFileSync(target, 'a full file');
    symlinkSync(target, path);
    const { check, notes, reopened } = start(3, [path, '/dev/stdout', '/dev/null', folder]);
    await check();
    expect([reopened, notes(), readdirSync(folder)]).toEqual([[], [], ['a.log', 'target']]);
  });

  it('says once that it cannot rename, and goes on when it can', async () => {
    const obstacle = `${path}.1`;
    writeFileSync(path, 'a full file');
    mkdirSync(obstacle);
    const { check, log, notes, reopened } = start(2);
    await check();
    await check();
    const text = 'is not rotated and grows past its limit';
    expect(notes()).toEqual([expect.stringMatching(`^access log ${path} ${text}: E`)]);
    expect(log.entries).toEqual([['error', { path, error: expect.any(String) }, `access log ${text}`]]);
    rmSync(obstacle, { recursive: true });
    await check();
    expect([notes(), reopened]).toEqual([[], ['a.log= a.log.1=a full file']]);
  });

  it('moves no more older files than it must, so that tries that fail lose none', async () => {
    writeFileSync(path, 'a full file');
    writeFileSync(`${path}.2`, 'older');
    await start(4).check();
    expect(files()).toBe('a.log= a.log.1=a full file a.log.2=older');
  });
});
