import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/harness/fake-clock.ts';
import { Watchdog } from './watchdog.ts';

function watched() {
  const clock = new FakeClock();
  const seen = { asked: 0, silences: [] as number[] };
  const watchdog = new Watchdog({
    clock,
    ask: () => {
      seen.asked++;
    },
    onSilence: (silentMs) => seen.silences.push(silentMs),
  });
  return { clock, watchdog, seen };
}

describe('Watchdog', () => {
  it('is content with a worker that answers now and then', () => {
    const { clock, watchdog, seen } = watched();
    for (let round = 0; round < 20; round++) {
      for (let step = 0; step < 4; step++) clock.advance(200);
      watchdog.onAnswer();
    }
    expect(seen.silences).toEqual([]);
    expect(seen.asked).toBe(81);
    watchdog.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  it('tells once when nothing came for a second', () => {
    const { clock, seen } = watched();
    for (let step = 0; step < 20; step++) clock.advance(200);
    expect(seen.silences).toEqual([1_000]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('does not blame the worker when this thread was held up', () => {
    const { clock, watchdog, seen } = watched();
    clock.advance(200);
    // One late timer, however late.
    clock.advance(200);
    watchdog.onAnswer();
    for (let step = 0; step < 4; step++) clock.advance(200);
    expect(seen.silences).toEqual([]);
  });
});
