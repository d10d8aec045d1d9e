import { describe, expect, it } from 'vitest';
import type { LiveAttempt } from '../attempt.ts';
import { AffinityLane } from './affinity.ts';
import { Caller } from './caller.ts';
import type { UpstreamConnection } from './connection.ts';
import type { Pool } from './pool.ts';

/** A pool that sends at once on one connection, and one caller of it. */
function scene() {
  const caller = new Caller({ push() {}, onBoundClosed() {}, onUnbound() {} });
  const connection = {
    lanes: new Set<AffinityLane>(),
    waitingLanes: new Set<AffinityLane>(),
    sendable: true,
    send: (attempt: LiveAttempt) => lane().onSent(attempt, connection),
  } as unknown as UpstreamConnection;
  const pool = { acquire: (attempt: LiveAttempt) => connection.send(attempt) } as unknown as Pool;
  const lane = () => AffinityLane.of(caller, pool);
  const call = () => {
    lane().start({ replayed: false } as LiveAttempt);
    lane().onEncoded();
  };
  return { caller, connection, pool, lane, call };
}

describe('AffinityLane', () => {
  it('serves a caller again and again, and is gone when the caller is', () => {
    const { caller, connection, lane, call } = scene();
    call();
    const first = lane();
    first.onEnded();
    call();
    expect(lane()).toBe(first);
    first.onEnded();
    expect(connection.lanes.size).toBe(1);
    caller.close();
    expect(connection.lanes.size).toBe(0);
    expect(caller.lanes.size).toBe(0);
  });

  it('waits for what is in flight when the caller goes', () => {
    const { caller, connection, lane, call } = scene();
    call();
    caller.close();
    expect(connection.lanes.size).toBe(1);
    lane().onEnded();
    expect(connection.lanes.size).toBe(0);
    expect(caller.lanes.size).toBe(0);
  });

  it('is gone with its connection, at once or when what was in flight there ended', () => {
    const { caller, connection, lane, call } = scene();
    call();
    lane().onEnded();
    lane().onConnectionClosed(connection);
    expect(caller.lanes.size).toBe(0);
    call();
    lane().onConnectionClosed(connection);
    expect(caller.lanes.size).toBe(1);
    lane().onEnded();
    expect(caller.lanes.size).toBe(0);
  });
});
