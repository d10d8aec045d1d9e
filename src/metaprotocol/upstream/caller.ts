/** Caller: what the upstream side remembers of one downstream connection: order, bound connection, pushes. */
import type { ResponseMessage } from '../message.ts';
import type { ProxyStatus } from '../status.ts';
import type { AffinityLane } from './affinity.ts';
import type { Binding } from './binding.ts';
import type { Pool } from './pool.ts';

/** The downstream connection, as its bound upstream needs it. */
export interface BoundCaller {
  /** A head that answers no request. */
  push(head: ResponseMessage): void;
  /** The bound upstream died: the caller's connection ends behind its answers. */
  onBoundClosed(status: ProxyStatus): void;
  /** The binding ended; held requests may go on. */
  onUnbound(): void;
}

export class Caller {
  readonly connection: BoundCaller;
  /** One for each pool that this caller asked, for protocols with affinity. */
  readonly lanes = new Map<Pool, AffinityLane>();
  /** The one of them that was asked for last: most callers have one, and a map costs more than a comparison. */
  lastLane: AffinityLane | null = null;
  binding: Binding | null = null;
  closed = false;

  constructor(connection: BoundCaller) {
    this.connection = connection;
  }

  /** The caller went away: nobody else may have its bound connection. */
  close(): void {
    this.closed = true;
    for (const lane of [...this.lanes.values()]) lane.leaveIfIdle();
    this.binding?.close();
  }
}
