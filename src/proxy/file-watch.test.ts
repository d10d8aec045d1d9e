import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/harness/fake-clock.ts';
import { FileWatch } from './file-watch.ts';
import { FakeFiles, settled } from './testing/fake-files.ts';

function bench() {
  const clock = new FakeClock();
  const files = new FakeFiles();
  let changes = 0;
  const watch = new FileWatch({
    clock,
    files,
    onChange: () => {
      changes++;
    },
  });
  const poll = async (times = 1) => {
    for (let time = 0; time < times; time++) {
      clock.advance(500);
      await settled();
    }
  };
  return { clock, files, watch, poll, changes: () => changes };
}

describe('FileWatch', () => {
  it('reads a file once, and again when it was changed and then held still', async () => {
    const { files, watch, poll, changes } = bench();
    files.write('/a', '1');
    await watch.add(['/a', '/a']);
    expect(watch.readingOf('/a')).toEqual({ text: '1' });
    await poll(3);
    expect([files.reads, changes()]).toEqual([1, 0]);
    files.write('/a', '2');
    await poll();
    expect(watch.readingOf('/a')).toEqual({ text: '1' });
    await poll();
    expect(watch.readingOf('/a')).toEqual({ text: '2' });
    expect(changes()).toBe(1);
  });

  it('waits for a file that moves beside it, but not for ever', async () => {
    const { files, watch, poll, changes } = bench();
    for (const path of ['/cert', '/key']) files.write(path, '1');
    await watch.add(['/cert', '/key']);
    files.write('/cert', '2');
    await poll();
    files.write('/key', '2');
    await poll();
    expect(changes()).toBe(0);
    await poll();
    expect([changes(), watch.readingOf('/cert').text, watch.readingOf('/key').text]).toEqual([1, '2', '2']);
    files.write('/cert', '3');
    for (let writes = 0; writes < 6; writes++) {
      files.write('/key', `busy ${writes}`);
      await poll();
    }
    expect(watch.readingOf('/cert').text).toBe('3');
  });

  it('tells of files that are not there, that come, and that go', async () => {
    const { files, watch, poll, changes } = bench();
    await watch.add(['/a']);
    expect(watch.readingOf('/a')).toEqual({ fault: "ENOENT: no such file, open '/a'" });
    files.write('/a', '1');
    await poll(2);
    expect([watch.readingOf('/a').text, changes()]).toEqual(['1', 1]);
    files.remove('/a');
    await poll(2);
    expect([watch.readingOf('/a').fault, changes()]).toEqual(["ENOENT: no such file, open '/a'", 2]);
    // Written anew with the same text: nothing to tell.
    files.write('/a', '1');
    await poll(2);
    files.write('/a', '1');
    await poll(2);
    expect(changes()).toBe(3);
  });

  it('looks at nothing any more when nothing is watched, or when closed', async () => {
    const { clock, files, watch, poll } = bench();
    files.write('/a', '1');
    await watch.add(['/a']);
    watch.retain(new Set());
    await poll();
    expect(clock.pendingTimers).toBe(0);
    await watch.add(['/a']);
    expect(clock.pendingTimers).toBe(1);
    watch.close();
    expect(clock.pendingTimers).toBe(0);
  });
});
