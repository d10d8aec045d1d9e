/** Core: what all connections and streams of one worker share. Made once by the DataPlane; there is no global one. */
import type { EventClock } from './clock.ts';
import type { StatsScope } from './stats.ts';
import type { TimerWheel } from './timer-wheel.ts';
import type { Flusher, SlabPool } from './wire/output.ts';
import type { Connector } from './wire/wire.ts';

/** Structured log of the process, as pino has it. Never called per message. */
export interface Log {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

export interface Core {
  readonly clock: EventClock;
  readonly wheel: TimerWheel;
  readonly flusher: Flusher;
  readonly slabs: SlabPool;
  readonly connector: Connector;
  readonly random: () => number;
  readonly stats: StatsScope;
  readonly log: Log;
}
