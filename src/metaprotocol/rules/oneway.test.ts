/** Rule 9: oneway is routed, limited and counted like any request, and ends when written. Heartbeats are the codec's. */
import { describe, expect, it } from 'vitest';
import { IdMesh, ScriptedFilter } from '../../../test/harness/toy-mesh.ts';
import type { FramePeer } from '../../../test/harness/toy-peers.ts';
import { Kind, toyIdFrame } from '../../../test/harness/toys/toy-id.ts';
import { watchLeaks } from '../../../test/harness/watch-leaks.ts';
import { FilterStatus } from '../filter.ts';
import { Status } from '../status.ts';

const oneway = (caller: FramePeer, body: string) =>
  caller.send(toyIdFrame({ kind: Kind.Oneway, id: 7n, attributes: { method: 'tell' }, body }));

describe('rule 9: oneway', () => {
  it('reaches the upstream, is counted, ends when written, and never gets an answer', () => {
    const filter = new ScriptedFilter();
    const mesh = watchLeaks(new IdMesh({ filters: [filter] }));
    const caller = mesh.newCaller();
    oneway(caller, 'one');
    oneway(caller, 'two');
    mesh.settle();
    const { connection } = mesh.upstream();
    expect(connection.frames.map((frame) => [frame.kind, frame.body])).toEqual([
      [Kind.Oneway, 'one'],
      [Kind.Oneway, 'two'],
    ]);
    expect(filter.ended).toEqual(['no_error', 'no_error']);
    expect(mesh.stat('upstream_requests_total')).toBe(2);
    mesh.expectQuiet();
    // An upstream that answers all the same answers nobody.
    for (const frame of connection.takeFrames()) connection.answer(frame);
    mesh.settle();
    expect(caller.frames).toEqual([]);
    expect(mesh.stat('upstream_unknown_answers_total')).toBe(2);
  });

  it('that goes nowhere gets no reply, and is counted', () => {
    const filter = new ScriptedFilter();
    const mesh = watchLeaks(new IdMesh({ routes: [], filters: [filter] }));
    const caller = mesh.newCaller();
    oneway(caller, 'lost');
    mesh.settle();
    expect(caller.received.length).toBe(0);
    expect(filter.ended).toEqual(['no_route']);
  });

  it('meets filters like any request', () => {
    const filter = new ScriptedFilter();
    filter.request = (stream) => {
      stream.reply(Status.over_limit);
      return FilterStatus.Stop;
    };
    const mesh = watchLeaks(new IdMesh({ filters: [filter] }));
    const caller = mesh.newCaller();
    oneway(caller, 'limited');
    mesh.settle();
    expect(caller.received.length).toBe(0);
    expect(mesh.upstream().connections).toEqual([]);
    expect(filter.ended).toEqual(['over_limit']);
  });

  it('waits its turn in the pool, and its connect failure is told to nobody', () => {
    const mesh = watchLeaks(new IdMesh({ pool: { concurrency: 1, maxConnections: 1 } }));
    const caller = mesh.newCaller();
    caller.call(1n, 'busy');
    mesh.settle();
    oneway(caller, 'later');
    mesh.settle();
    const { connection } = mesh.upstream();
    expect(connection.frames.map((frame) => frame.body)).toEqual(['busy']);
    connection.answer(connection.takeFrames()[0]!);
    mesh.settle();
    expect(connection.takeFrames().map((frame) => frame.body)).toEqual(['later']);
    mesh.upstream().mode = 'refuse';
    connection.wire.break();
    mesh.settle();
    caller.takeFrames();
    oneway(caller, 'nowhere');
    mesh.settle();
    expect(caller.frames).toEqual([]);
  });

  it('ends with its caller gone before it was written', () => {
    const mesh = watchLeaks(new IdMesh());
    mesh.upstream().mode = 'silent';
    const caller = mesh.newCaller();
    oneway(caller, 'unsent');
    mesh.settle();
    caller.wire.break();
    mesh.settle();
    mesh.expectQuiet();
    mesh.advance(2_000);
  });

  it('heartbeats are answered by the codec and seen by nobody else', () => {
    const filter = new ScriptedFilter();
    const mesh = watchLeaks(new IdMesh({ filters: [filter] }));
    const caller = mesh.newCaller();
    caller.send(toyIdFrame({ kind: Kind.Heartbeat, id: 3n }));
    mesh.settle();
    expect(caller.received).toEqual(toyIdFrame({ kind: Kind.HeartbeatAnswer, id: 3n }));
    expect(filter.ended).toEqual([]);
  });

  it('an idle upstream that leaves a heartbeat unanswered is closed', () => {
    const mesh = watchLeaks(new IdMesh({ pool: { idleTimeoutMs: 3_600_000 } }));
    const caller = mesh.newCaller();
    caller.call(1n);
    mesh.settle();
    const { connection } = mesh.upstream();
    connection.answer(connection.takeFrames()[0]!);
    mesh.advance(60_000);
    expect(connection.closed).toBe(false);
    connection.reading = false;
    mesh.advance(60_000);
    expect(connection.closed).toBe(true);
  });
});
