/** Rule 4: one pool, five numbers. */
import { describe, expect, it } from 'vitest';
import { IdMesh, OrderMesh, StreamMesh } from '../../../test/harness/toy-mesh.ts';
import { LinePeer, streamUpstream } from '../../../test/harness/toy-peers.ts';
import { toyStreamRequest, toyStreamResponse } from '../../../test/harness/toys/toy-stream-message.ts';
import { numbersPayload, Type, toyStreamFrame } from '../../../test/harness/toys/toy-stream-wire.ts';
import { watchLeaks } from '../../../test/harness/watch-leaks.ts';
import { Flag } from '../message.ts';

const answerAll = (mesh: IdMesh) => {
  for (const connection of mesh.upstream().connections) {
    for (const frame of connection.takeFrames()) connection.answer(frame);
  }
  mesh.settle();
};
const heads = (frames: readonly { head: string }[]) =>
  frames.map(({ head }) => /^error=(.*)$/m.exec(head)?.[1] ?? 'ok');

describe('rule 4: pool', () => {
  it('shares a connection up to its concurrency, then opens another, up to the limit, then queues', () => {
    const mesh = watchLeaks(new IdMesh({ pool: { concurrency: 2, maxConnections: 2 } }));
    const caller = mesh.newCaller();
    for (let id = 1n; id <= 5n; id++) {
      caller.call(id, `${id}`);
      mesh.settle();
    }
    const [first, second] = mesh.upstream().connections;
    expect(mesh.upstream().connections.length).toBe(2);
    expect([first!, second!].map((connection) => connection.frames.map((frame) => frame.body))).toEqual([
      ['1', '2'],
      ['3', '4'],
    ]);
    expect(mesh.taken.pending).toBe(1);
    answerAll(mesh);
    answerAll(mesh);
    expect(caller.takeTexts().length).toBe(5);
  });

  it('takes the connection with the fewest outstanding', () => {
    const mesh = watchLeaks(new IdMesh({ pool: { concurrency: 4, maxConnections: 2, minConnections: 2 } }));
    const caller = mesh.newCaller();
    for (let id = 1n; id <= 6n; id++) {
      caller.call(id);
      mesh.settle();
    }
    expect(mesh.upstream().connections.map((connection) => connection.frames.length)).toEqual([3, 3]);
    answerAll(mesh);
  });

  it('gathers the calls of one turn on one connection, however many are open', () => {
    const mesh = watchLeaks(new IdMesh({ pool: { concurrency: 4, maxConnections: 2, minConnections: 2 } }));
    const caller = mesh.newCaller();
    caller.call(1n);
    mesh.settle();
    answerAll(mesh);
    for (let id = 2n; id <= 4n; id++) caller.call(id);
    mesh.settle();
    expect(
      mesh
        .upstream()
        .connections.map((connection) => connection.frames.length)
        .sort(),
    ).toEqual([0, 3]);
    answerAll(mesh);
  });

  it('serves waiting callers in turns, each in its own order', () => {
    const mesh = watchLeaks(new IdMesh({ pool: { concurrency: 1, maxConnections: 1 } }));
    const [greedy, modest] = [mesh.newCaller(), mesh.newCaller()];
    for (let id = 1n; id <= 4n; id++) greedy.call(id, `greedy ${id}`);
    mesh.settle();
    for (let id = 1n; id <= 2n; id++) modest.call(id, `modest ${id}`);
    mesh.settle();
    const served: string[] = [];
    while (mesh.taken.streams > 0) {
      const [frame] = mesh.upstream().connection.frames;
      served.push(frame!.body);
      answerAll(mesh);
    }
    expect(served).toEqual(['greedy 1', 'greedy 2', 'modest 1', 'greedy 3', 'modest 2', 'greedy 4']);
  });

  it('answers overloaded where the queue is full', () => {
    const mesh = watchLeaks(new IdMesh({ pool: { concurrency: 1, maxConnections: 1, maxPending: 2 } }));
    const caller = mesh.newCaller();
    caller.call(1n);
    mesh.settle();
    for (let id = 2n; id <= 4n; id++) caller.call(id);
    mesh.settle();
    expect(caller.frames.map((frame) => frame.id)).toEqual([4n]);
    expect(heads(caller.takeFrames())).toEqual(['overloaded']);
    expect(mesh.stat('upstream_overflows_total')).toBe(1);
    for (let call = 1; call <= 3; call++) answerAll(mesh);
    expect(caller.frames.length).toBe(3);
  });

  it('frees the queue place of a caller that went away or timed out', () => {
    const mesh = watchLeaks(
      new IdMesh({ pool: { concurrency: 1, maxConnections: 1 }, routes: [{ timeoutMs: 1_000 }] }),
    );
    const [busy, gone, late] = [mesh.newCaller(), mesh.newCaller(), mesh.newCaller()];
    busy.call(1n, 'busy');
    mesh.settle();
    gone.call(1n, 'gone');
    late.call(1n, 'late');
    mesh.settle();
    expect(mesh.taken.pending).toBe(2);
    gone.wire.break();
    mesh.settle();
    expect(mesh.taken.pending).toBe(1);
    mesh.advance(1_100);
    expect(heads(late.takeFrames())).toEqual(['timeout']);
    expect(mesh.taken.pending).toBe(0);
    answerAll(mesh);
    expect(mesh.upstream().connection.frames).toEqual([]);
  });

  it('never goes beyond what the peer allows, and follows its changes', () => {
    const mesh = watchLeaks(new StreamMesh({ upstreamPeer: (wire) => streamUpstream(wire, undefined, 3) }));
    const caller = mesh.newCaller();
    const call = (id: number) => {
      caller.codec.encode(id, toyStreamRequest({ method: 'get' }, Flag.End));
      mesh.settle();
      return mesh.upstream().connections.map((connection) => connection.sink.heads.length);
    };
    expect([1, 2, 3, 4].map(call).at(-1)).toEqual([3, 1]);
    for (const connection of mesh.upstream().connections) {
      connection.send(toyStreamFrame(Type.Hello, 0, numbersPayload(1, 4_096, 16_384)));
    }
    mesh.settle();
    expect(call(5)).toEqual([3, 1, 1]);
    for (const connection of mesh.upstream().connections) {
      for (const id of connection.sink.headIds) {
        connection.codec.encode(id, toyStreamResponse({ status: '0' }, Flag.End), null);
      }
    }
    mesh.settle();
    expect(caller.sink.heads.length).toBe(5);
  });

  it('a caller at its own limit is not read; others are served', () => {
    const mesh = watchLeaks(new IdMesh({ pool: { maxInFlightPerCaller: 3, concurrency: 64, maxConnections: 1 } }));
    const [greedy, modest] = [mesh.newCaller(), mesh.newCaller()];
    for (let id = 1n; id <= 6n; id++) greedy.call(id);
    mesh.settle();
    modest.call(1n);
    mesh.settle();
    expect(mesh.upstream().connection.frames.length).toBe(4);
    expect(greedy.wire.paused).toBe(true);
    answerAll(mesh);
    answerAll(mesh);
    expect([greedy.frames.length, modest.frames.length]).toEqual([6, 1]);
    expect(greedy.wire.paused).toBe(false);
  });

  it('keeps connections of different keys apart and closes idle ones of other keys to make room', () => {
    const mesh = watchLeaks(
      new OrderMesh({ pool: { maxConnections: 2 }, upstreamPeer: (wire) => storeUpstream(wire) }),
    );
    const callers = ['ann', 'bob', 'cid'].map((user) => {
      const caller = mesh.newCaller();
      caller.sendLines(`AUTH ${user}`, 'GET k');
      mesh.settle();
      return caller;
    });
    expect(callers.map((caller) => caller.takeLines())).toEqual([0, 1, 2].map(() => ['+OK', '+v-k']));
    const { connections } = mesh.upstream();
    expect(connections.map((connection) => connection.lines[0])).toEqual(['AUTH ann', 'AUTH bob', 'AUTH cid']);
    expect(connections.map((connection) => connection.closed)).toEqual([true, false, false]);
  });

  it('does not connect again and again for those who can wait for a busy connection', () => {
    const mesh = watchLeaks(new IdMesh({ pool: { concurrency: 1 } }));
    const caller = mesh.newCaller();
    caller.call(1n, '1');
    mesh.settle();
    mesh.upstream().mode = 'refuse';
    for (const id of [2n, 3n]) caller.call(id, `${id}`);
    mesh.advance(1_000);
    expect(mesh.stat('upstream_connect_failures_total')).toBeLessThan(5);
    expect(mesh.upstream().connections.length).toBe(1);
    mesh.upstream().mode = 'accept';
    answerAll(mesh);
    expect(mesh.upstream().connections.length).toBe(2);
    answerAll(mesh);
    expect(caller.takeTexts()).toEqual(['1 1', '2 2', '3 3']);
  });

  it('fails all who wait when the connect fails, each once', () => {
    for (const mode of ['refuse', 'silent'] as const) {
      const mesh = watchLeaks(new IdMesh({ connectTimeoutMs: 500, pool: { concurrency: 4, maxConnections: 1 } }));
      mesh.upstream().mode = mode;
      const callers = [mesh.newCaller(), mesh.newCaller()];
      for (const caller of callers) caller.call(1n);
      mesh.settle();
      if (mode === 'silent') expect(callers[0]!.frames).toEqual([]);
      mesh.advance(600);
      expect(callers.map((caller) => heads(caller.frames))).toEqual([['connect_failure'], ['connect_failure']]);
    }
  });

  it('a handshake that is denied fails those who wait for that key, and is not retried', () => {
    const mesh = watchLeaks(
      new OrderMesh({ upstreamPeer: (wire) => storeUpstream(wire, 'eve'), routes: [{ retry: { retries: 3 } }] }),
    );
    const [eve, ann] = [mesh.newCaller(), mesh.newCaller()];
    eve.sendLines('AUTH eve', 'GET 1', 'GET 2');
    ann.sendLines('GET 1');
    mesh.settle();
    expect(eve.takeLines()).toEqual(['+OK', expect.stringMatching(/^-denied/), expect.stringMatching(/^-denied/)]);
    expect(ann.takeLines()).toEqual(['+v-1']);
    const asked = mesh.upstream().connections.filter((connection) => connection.lines[0] === 'AUTH eve');
    expect(asked.length).toBe(1);
    // The next request tries anew.
    eve.sendLines('GET 3');
    mesh.settle();
    expect(eve.takeLines()).toEqual([expect.stringMatching(/^-denied/)]);
  });

  it('gives no request to a connection that has too much queued', () => {
    const mesh = watchLeaks(new IdMesh({ codecOptions: { frameLimitBytes: 1_000_000 }, pool: { maxConnections: 2 } }));
    const caller = mesh.newCaller();
    caller.call(1n);
    mesh.settle();
    const [first] = mesh.upstream().connections;
    first!.reading = false;
    first!.wire.capacityBytes = 100;
    caller.call(2n, 'x'.repeat(400_000));
    mesh.settle();
    caller.call(3n, 'small');
    mesh.settle();
    const [, second] = mesh.upstream().connections;
    expect(second!.frames.map((frame) => frame.body)).toEqual(['small']);
    first!.reading = true;
    first!.wire.capacityBytes = Number.POSITIVE_INFINITY;
    mesh.settle();
    answerAll(mesh);
    expect(caller.frames.length).toBe(3);
  });

  it('closes what idles too long, down to the minimum', () => {
    const mesh = watchLeaks(
      new IdMesh({ pool: { concurrency: 1, maxConnections: 4, minConnections: 1, idleTimeoutMs: 10_000 } }),
    );
    const caller = mesh.newCaller();
    for (let id = 1n; id <= 3n; id++) caller.call(id);
    mesh.settle();
    answerAll(mesh);
    expect(mesh.upstream().connections.length).toBe(3);
    mesh.advance(30_000);
    expect(mesh.upstream().connections.filter((connection) => !connection.closed).length).toBe(1);
  });
});

/** Answers GET like a store, AUTH with OK but for one user. */
function storeUpstream(wire: ConstructorParameters<typeof LinePeer>[0], denied = ''): LinePeer {
  const peer = new LinePeer(wire);
  peer.respond = (line) => {
    const [command, argument] = line.split(' ');
    if (command === 'AUTH') return argument === denied ? '-no such user' : '+OK';
    return `+v-${argument}`;
  };
  return peer;
}
