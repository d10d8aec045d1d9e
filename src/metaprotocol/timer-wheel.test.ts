import { describe, expect, test } from 'vitest';
import { FakeClock } from '../../test/harness/fake-clock.ts';
import { TimerWheel, WheelTimer } from './timer-wheel.ts';

function timerOf(fired: string[], name: string): WheelTimer {
  return new WheelTimer({ onTimer: () => fired.push(name) });
}

describe('TimerWheel', () => {
  test('fires not before its time and at most 20 ms late', () => {
    const clock = new FakeClock();
    const wheel = new TimerWheel(clock);
    for (const delayMs of [1, 9, 10, 11, 500, 10_240, 25_000]) {
      const fired: string[] = [];
      wheel.arm(timerOf(fired, 'x'), clock.nowMs(), delayMs);
      clock.advance(delayMs - 0.5);
      expect(fired, `before ${delayMs}`).toEqual([]);
      clock.advance(20.5);
      expect(fired, `after ${delayMs}`).toEqual(['x']);
    }
    expect(wheel.size).toBe(0);
  });

  test('cancelled and re-armed timers fire once, at the last time asked for', () => {
    const clock = new FakeClock();
    const wheel = new TimerWheel(clock);
    const fired: string[] = [];
    const timer = timerOf(fired, 'again');
    wheel.arm(timer, clock.nowMs(), 50);
    wheel.arm(timer, clock.nowMs(), 200);
    const gone = timerOf(fired, 'gone');
    wheel.arm(gone, clock.nowMs(), 50);
    wheel.cancel(gone);
    wheel.cancel(gone);
    clock.advance(150);
    expect(fired).toEqual([]);
    clock.advance(100);
    expect(fired).toEqual(['again']);
  });

  test('an owner may cancel a timer that is due in the same tick', () => {
    const clock = new FakeClock();
    const wheel = new TimerWheel(clock);
    const fired: string[] = [];
    const second = timerOf(fired, 'second');
    const first = new WheelTimer({ onTimer: () => wheel.cancel(second) });
    wheel.arm(first, clock.nowMs(), 30);
    wheel.arm(second, clock.nowMs(), 30);
    clock.advance(100);
    expect(fired).toEqual([]);
  });

  test('a wheel that rested starts anew', () => {
    const clock = new FakeClock();
    const wheel = new TimerWheel(clock);
    const fired: string[] = [];
    wheel.arm(timerOf(fired, 'a'), clock.nowMs(), 10);
    clock.advance(60_000);
    wheel.arm(timerOf(fired, 'b'), clock.nowMs(), 10);
    clock.advance(40);
    expect(fired).toEqual(['a', 'b']);
  });
});
