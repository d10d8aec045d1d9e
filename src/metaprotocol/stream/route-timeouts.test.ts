import { expect, test } from 'vitest';
import { FakeClock } from '../../../test/harness/fake-clock.ts';
import type { Core } from '../core.ts';
import type { LiveStream } from '../stream.ts';
import { TimerWheel } from '../timer-wheel.ts';
import { RouteTimeouts } from './route-timeouts.ts';

interface TimedStream {
  dueMs: number;
  ended: boolean;
}

/** Streams of one connection, and which of them heard that their time has passed. */
function setUp() {
  const clock = new FakeClock();
  const wheel = new TimerWheel(clock);
  const streams: TimedStream[] = [];
  const heard: TimedStream[] = [];
  const timeouts = new RouteTimeouts({
    core: { clock, wheel } as unknown as Core,
    eachStream: () => streams.map((stream, index) => [index, stream as unknown as LiveStream] as const),
  });
  const begin = (timeoutMs: number): TimedStream => {
    const stream = {
      dueMs: clock.nowMs() + timeoutMs,
      ended: false,
      onTimeout() {
        stream.ended = true;
        heard.push(stream);
      },
    };
    streams.push(stream);
    timeouts.expect(stream.dueMs, clock.nowMs());
    return stream;
  };
  return { clock, wheel, timeouts, begin, heard };
}

test('each stream hears in its own time, at most 20 ms late, whatever the order', () => {
  const { clock, wheel, begin, heard } = setUp();
  const slow = begin(300);
  const fast = begin(100);
  clock.advance(50);
  const later = begin(100);
  clock.advance(49);
  expect(heard).toEqual([]);
  clock.advance(21);
  expect(heard).toEqual([fast]);
  clock.advance(50);
  expect(heard).toEqual([fast, later]);
  clock.advance(129);
  expect(heard).toEqual([fast, later]);
  clock.advance(21);
  expect(heard).toEqual([fast, later, slow]);
  expect(wheel.size).toBe(0);
});

test('a stream that ended, or whose timeout was cancelled, hears nothing', () => {
  const { clock, wheel, begin, heard } = setUp();
  begin(100).ended = true;
  begin(100).dueMs = -1;
  clock.advance(120);
  expect(heard).toEqual([]);
  expect(wheel.size).toBe(0);
});

test('one timer serves all streams, and none is left when the connection closes', () => {
  const { clock, wheel, begin, timeouts, heard } = setUp();
  begin(100);
  begin(200);
  expect(wheel.size).toBe(1);
  timeouts.close();
  clock.advance(500);
  expect([wheel.size, heard.length]).toEqual([0, 0]);
});
