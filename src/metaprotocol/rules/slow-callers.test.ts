/** Callers that stop in the middle, or send and read too slowly: each of the chain's limits, on protocols of whole messages and of streams. */
import { describe, expect, it } from 'vitest';
import { IdMesh, OrderMesh, StreamMesh } from '../../../test/harness/toy-mesh.ts';
import { Kind, toyIdFrame } from '../../../test/harness/toys/toy-id.ts';
import { toyStreamRequest, toyStreamResponse } from '../../../test/harness/toys/toy-stream-message.ts';
import { watchLeaks } from '../../../test/harness/watch-leaks.ts';
import { Flag } from '../message.ts';

const FRAME = toyIdFrame({ kind: Kind.Request, id: 7n, body: 'x'.repeat(40) });

describe('a head that is not whole', () => {
  it('closes its caller when the limit passes, however its bytes drip', () => {
    const mesh = watchLeaks(new IdMesh({ timeouts: { headMs: 1_000 } }));
    const caller = mesh.newCaller();
    for (let at = 0; at < 9; at++) {
      caller.send(FRAME.subarray(at, at + 1));
      mesh.advance(100);
    }
    expect(caller.closed).toBe(false);
    mesh.advance(140);
    expect(caller.closed).toBe(true);
    expect(mesh.stat('downstream_slow_callers_total')).toBe(1);
    expect(mesh.log.join()).toContain('a head was not whole within 1000 ms of its first byte');
    caller.end();
    mesh.settle();
  });

  it('is counted from its own first byte, not from that of the one before', () => {
    const mesh = watchLeaks(new IdMesh({ timeouts: { headMs: 1_000 } }));
    const caller = mesh.newCaller();
    // Every read ends in the middle of a frame.
    caller.send(FRAME.subarray(0, 20));
    for (let call = 0; call < 20; call++) {
      mesh.advance(300);
      caller.send(Buffer.concat([FRAME.subarray(20), FRAME.subarray(0, 20)]));
      mesh.settle();
      const { connection } = mesh.upstream();
      for (const frame of connection.takeFrames()) connection.answer(frame);
      mesh.settle();
    }
    expect(caller.takeFrames().length).toBe(20);
    expect(caller.closed).toBe(false);
    mesh.advance(1_040);
    expect(caller.closed).toBe(true);
    caller.end();
    mesh.settle();
  });

  it('is not counted while the caller is held back', () => {
    const mesh = watchLeaks(new IdMesh({ timeouts: { headMs: 1_000 }, codecOptions: { frameLimitBytes: 4_000_000 } }));
    const caller = mesh.newCaller();
    caller.send(FRAME);
    mesh.advance(10);
    caller.send(FRAME.subarray(0, 20));
    mesh.settle();
    caller.wire.capacityBytes = 1_000;
    caller.reading = false;
    const { connection } = mesh.upstream();
    connection.answer(connection.takeFrames()[0]!, { body: Buffer.alloc(2_000_000, 'x') });
    mesh.advance(5_000);
    expect(caller.closed).toBe(false);
    caller.wire.capacityBytes = Number.POSITIVE_INFINITY;
    caller.reading = true;
    mesh.advance(500);
    caller.send(FRAME.subarray(20));
    mesh.settle();
    connection.answer(connection.takeFrames()[0]!);
    mesh.settle();
    expect(caller.takeFrames().length).toBe(2);
    expect(caller.closed).toBe(false);
    caller.end();
    mesh.settle();
  });
});

describe('a stream', () => {
  it('in which nothing moves is answered and given up, alone', () => {
    const mesh = watchLeaks(new StreamMesh({ timeouts: { streamIdleMs: 1_000 }, routes: [{ timeoutMs: 0 }] }));
    const caller = mesh.newCaller();
    for (const id of [1, 2]) caller.codec.encode(id, toyStreamRequest({ method: 'put' }));
    for (let step = 0; step < 20; step++) {
      caller.codec.data(2, Buffer.from('x'), false, false);
      mesh.advance(100);
    }
    expect(caller.sink.heads.map((head) => [caller.sink.headIds, head.get('error')])).toEqual([[[1], 'timeout']]);
    expect(mesh.upstream().connection.sink.events.filter(({ kind }) => kind === 'reset')).toMatchObject([{ id: 1 }]);
    expect(mesh.stat('downstream_slow_callers_total')).toBe(1);
    caller.end();
    mesh.settle();
  });

  it('whose answer goes on moves, whole requests that wait do not', () => {
    const mesh = watchLeaks(new StreamMesh({ timeouts: { streamIdleMs: 1_000 }, routes: [{ timeoutMs: 0 }] }));
    const caller = mesh.newCaller();
    caller.codec.encode(1, toyStreamRequest({ method: 'get' }, Flag.End));
    mesh.settle();
    const { connection } = mesh.upstream();
    connection.codec.encode(1, toyStreamResponse({ status: '0' }), null);
    for (let step = 0; step < 20; step++) {
      connection.codec.data(1, Buffer.from('x'), false, false);
      mesh.advance(100);
    }
    expect(caller.sink.events.some(({ kind }) => kind === 'reset')).toBe(false);
    mesh.advance(1_300);
    expect(caller.sink.events.at(-1)).toMatchObject({ kind: 'reset', id: 1 });
    caller.end();
    mesh.settle();
  });

  it('whose request does not end in time is answered, though it moves', () => {
    const mesh = watchLeaks(new StreamMesh({ timeouts: { requestMs: 1_000 } }));
    const caller = mesh.newCaller();
    caller.codec.encode(1, toyStreamRequest({ method: 'put' }));
    for (let step = 0; step < 13; step++) {
      if (step === 9) expect(caller.sink.heads).toEqual([]);
      caller.codec.data(1, Buffer.from('x'), false, false);
      mesh.advance(100);
    }
    expect(caller.sink.heads[0]?.get('error')).toBe('timeout');
    caller.end();
    mesh.settle();
  });
});

describe('a connection without streams', () => {
  it('is idle from the end of its last one on', () => {
    const mesh = watchLeaks(new OrderMesh({ timeouts: { idleMs: 1_000 }, routes: [{ timeoutMs: 0 }] }));
    const caller = mesh.newCaller();
    caller.sendLines('GET 1');
    mesh.advance(3_500);
    mesh.upstream().connection.sendLines('+1');
    mesh.advance(900);
    expect(caller.lines).toEqual(['+1']);
    mesh.advance(200);
    expect(caller.lines).toEqual(['+1', '>goaway']);
    caller.end();
    mesh.settle();
  });

  it('lives for ever where nothing bounds it', () => {
    const mesh = watchLeaks(new OrderMesh({ timeouts: { idleMs: 0, streamIdleMs: 1_000 } }));
    const caller = mesh.newCaller();
    mesh.advance(20_000);
    expect(caller.closed).toBe(false);
    caller.end();
    mesh.settle();
  });
});

describe('a last answer', () => {
  const start = (): { mesh: OrderMesh; caller: ReturnType<OrderMesh['newCaller']> } => {
    const mesh = watchLeaks(new OrderMesh());
    const caller = mesh.newCaller();
    caller.wire.capacityBytes = 100;
    caller.reading = false;
    caller.sendLines('GET 1', 'QUIT');
    mesh.settle();
    mesh.upstream().connection.sendLines(`+${'x'.repeat(1_000)}`);
    mesh.settle();
    return { mesh, caller };
  };

  it('is waited for as long as its caller reads', () => {
    const { mesh, caller } = start();
    let bytes = 0;
    for (let step = 0; step < 12; step++) {
      mesh.advance(4_000);
      bytes += caller.wire.take().length;
    }
    expect(bytes).toBe(1_002 + '+BYE\n'.length);
    mesh.advance(6_000);
    expect([caller.wire.destroyed, caller.wire.resetSent]).toEqual([true, false]);
  });

  it('is not, where it does not', () => {
    const { mesh, caller } = start();
    caller.end();
    mesh.advance(4_000);
    expect(caller.wire.destroyed).toBe(false);
    mesh.advance(1_100);
    expect(caller.wire.destroyed).toBe(true);
  });
});
