/** World: time, turns of the event loop and wires, all moved by the test. */
import { FakeClock } from './fake-clock.ts';
import type { MemoryWire } from './memory-wire.ts';
import type { Pumped } from './raw-peer.ts';

/** More steps than any test needs: two sides that answer each other for ever. */
const STEP_LIMIT = 1_000_000;

export class World {
  readonly clock = new FakeClock();
  /** Runs at the end of the turn: the flusher's setImmediate. */
  readonly defer = (run: () => void): void => {
    this.#deferred.push(run);
  };
  readonly #wires: MemoryWire[] = [];
  readonly #peers: Pumped[] = [];
  #deferred: (() => void)[] = [];

  add(wire: MemoryWire, peer: Pumped): void {
    this.#wires.push(wire);
    this.#peers.push(peer);
  }

  get wires(): readonly MemoryWire[] {
    return this.#wires;
  }

  /** Moves everything until nothing moves. A turn is: reads of all wires, then what was deferred, then the peers. */
  settle(): void {
    for (let step = 0; step < STEP_LIMIT; step++) {
      let moved = false;
      for (const wire of [...this.#wires]) while (wire.pump()) moved = true;
      const deferred = this.#deferred;
      this.#deferred = [];
      for (const run of deferred) {
        run();
        moved = true;
      }
      for (const peer of [...this.#peers]) if (peer.pump()) moved = true;
      if (!moved) return;
    }
    throw new Error(`still moving after ${STEP_LIMIT} steps`);
  }

  /** Lets time pass in steps of 10 ms, settling after each. */
  advance(ms: number): void {
    this.settle();
    for (let passed = 0; passed < ms; passed += 10) {
      this.clock.advance(Math.min(10, ms - passed));
      this.settle();
    }
  }
}
