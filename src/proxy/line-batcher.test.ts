import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/harness/fake-clock.ts';
import { LineBatcher } from './line-batcher.ts';

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
