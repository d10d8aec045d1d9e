/** Rule 5: a caller's order is kept: on one connection where the protocol needs it, and in its answers. */
import { describe, expect, it } from 'vitest';
import { OrderMesh, ScriptedFilter } from '../../../test/harness/toy-mesh.ts';
import { LinePeer } from '../../../test/harness/toy-peers.ts';
import { watchLeaks } from '../../../test/harness/watch-leaks.ts';
import { weightedCluster } from '../description.ts';
import type { Stream } from '../filter.ts';
import { FilterStatus } from '../filter.ts';

const linesOf = (mesh: OrderMesh, number = 0) =>
  mesh.upstream(number).connections.map((connection) => connection.lines);

describe('rule 5: affinity', () => {
  it('keeps a caller on one connection while anything is in flight, though others are idle', () => {
    const mesh = watchLeaks(new OrderMesh({ pool: { minConnections: 2, maxConnections: 2, concurrency: 3 } }));
    const [a, b] = [mesh.newCaller(), mesh.newCaller()];
    a.sendLines('SET a 1');
    b.sendLines('GET b');
    mesh.settle();
    // Both share the first connection; the pool then opened its second one, which stays idle.
    const [first, second] = mesh.upstream().connections;
    first!.lines.splice(0);
    a.sendLines('SET a 2', 'SET a 3');
    mesh.settle();
    expect([first!.takeLines(), second!.takeLines()]).toEqual([['SET a 2'], []]);
    first!.sendLines('+a 1');
    mesh.settle();
    expect([first!.takeLines(), second!.takeLines()]).toEqual([['SET a 3'], []]);
    first!.sendLines('+b', '+a 2', '+a 3');
    mesh.settle();
    expect([a.takeLines(), b.takeLines()]).toEqual([['+a 1', '+a 2', '+a 3'], ['+b']]);
  });

  it('does not decode a caller while one of its requests is paused in filters', () => {
    const filter = new ScriptedFilter();
    const mesh = watchLeaks(new OrderMesh({ filters: [filter], upstreamPeer: LinePeer.echo }));
    const paused: Stream[] = [];
    filter.request = (stream, request) => {
      if (request.get('key') !== 'slow') return FilterStatus.Continue;
      paused.push(stream);
      return FilterStatus.Pause;
    };
    const [caller, other] = [mesh.newCaller(), mesh.newCaller()];
    caller.sendLines('GET 1', 'GET slow', 'GET 2', 'GET 3');
    other.sendLines('GET 4');
    mesh.settle();
    expect(caller.takeLines()).toEqual(['+v-1']);
    expect(other.takeLines()).toEqual(['+v-4']);
    expect(
      mesh
        .upstream()
        .connections.flatMap((connection) => connection.lines)
        .sort(),
    ).toEqual(['GET 1', 'GET 4']);
    expect(caller.wire.paused).toBe(true);
    paused[0]!.resume();
    mesh.settle();
    expect(caller.takeLines()).toEqual(['+v-slow', '+v-2', '+v-3']);
    expect(caller.wire.paused).toBe(false);
  });

  it('replays the longest replayable suffix of a dead connection, in order, and fails what stands before it', () => {
    const mesh = watchLeaks(new OrderMesh({ routes: [{ retry: { retries: 1 } }] }));
    const [caller, other] = [mesh.newCaller(), mesh.newCaller()];
    caller.sendLines('GET 1', 'SET 2 x', 'GET 3', 'GET 4');
    other.sendLines('SET 5 x', 'GET 6');
    mesh.settle();
    const [first] = mesh.upstream().connections;
    expect(first!.lines.length).toBe(6);
    first!.wire.break();
    mesh.settle();
    const again = linesOf(mesh).slice(1).flat();
    expect(again.filter((line) => /[1-4]/.test(line))).toEqual(['GET 3', 'GET 4']);
    expect(again.filter((line) => /[56]/.test(line))).toEqual(['GET 6']);
    for (const connection of mesh.upstream().connections.slice(1)) {
      for (const line of connection.lines) connection.sendLines(`+v-${line.at(-1)}`);
    }
    mesh.settle();
    const lost = expect.stringMatching(/^-upstream_reset/);
    expect(caller.takeLines()).toEqual([lost, lost, '+v-3', '+v-4']);
    expect(other.takeLines()).toEqual([lost, '+v-6']);
  });

  it('lets a replay go before what its caller sent later', () => {
    const mesh = watchLeaks(new OrderMesh({ routes: [{ retry: { retries: 1 } }], pool: { concurrency: 2 } }));
    const caller = mesh.newCaller();
    caller.sendLines('GET 1', 'GET 2', 'SET 3 x', 'GET 4');
    mesh.settle();
    const [first] = mesh.upstream().connections;
    expect(first!.lines).toEqual(['GET 1', 'GET 2']);
    first!.wire.break();
    mesh.settle();
    const second = mesh.upstream().connections[1]!;
    expect(second.lines).toEqual(['GET 1', 'GET 2']);
    second.sendLines('+1', '+2');
    mesh.settle();
    expect(
      mesh
        .upstream()
        .connections.flatMap((connection) => connection.lines)
        .slice(4),
    ).toEqual(['SET 3 x', 'GET 4']);
    for (const connection of mesh.upstream().connections.slice(1)) {
      if (connection.lines.includes('SET 3 x')) connection.sendLines('+3', '+4');
    }
    mesh.settle();
    expect(caller.takeLines()).toEqual(['+1', '+2', '+3', '+4']);
  });
});

describe('rule 5: answers in order', () => {
  it('queues answers, own ones and local replies in the order of their requests', () => {
    const mesh = watchLeaks(
      new OrderMesh({
        clusters: { main: 1, other: 1 },
        routes: [
          {
            match: [
              {
                key: 'key',
                test: { kind: 'prefix', value: 'o', ignoreCase: false },
                invert: false,
                absentIsEmpty: false,
              },
            ],
            clusters: [{ ...toCluster('other') }],
          },
          {
            match: [{ key: 'key', test: { kind: 'present' }, invert: false, absentIsEmpty: false }],
            clusters: [{ ...toCluster('main') }],
          },
        ],
      }),
    );
    const caller = mesh.newCaller();
    caller.sendLines('GET slow', 'PING', 'GET other', 'NOKEY', 'PING');
    mesh.settle();
    mesh.upstream(0, 2).connection.sendLines('+fast');
    mesh.settle();
    expect(caller.lines).toEqual([]);
    mesh.upstream(0, 1).connection.sendLines('+slow');
    mesh.settle();
    expect(caller.takeLines()).toEqual(['+slow', '+PONG', '+fast', expect.stringMatching(/^-no_route/), '+PONG']);
  });

  it('a timed-out request does not block the answers behind it', () => {
    const mesh = watchLeaks(new OrderMesh({ clusters: { main: 2 }, routes: [{ timeoutMs: 100 }] }));
    const caller = mesh.newCaller();
    caller.sendLines('GET lost', 'GET found');
    mesh.settle();
    mesh.upstream(1).connection.sendLines('+found');
    mesh.settle();
    expect(caller.lines).toEqual([]);
    mesh.advance(200);
    expect(caller.takeLines()).toEqual([expect.stringMatching(/^-timeout/), '+found']);
    // The answer that is still owed is dropped.
    mesh.upstream(0).connection.sendLines('+late');
    caller.sendLines('GET next');
    mesh.settle();
    mesh.upstream(0).connection.sendLines('+next');
    mesh.settle();
    expect(caller.takeLines()).toEqual(['+next']);
  });

  it('holds what follows a Hold until its answer is out, bounded by heldLimitBytes', () => {
    const mesh = watchLeaks(new OrderMesh({ codecOptions: { heldLimitBytes: 20 } }));
    const caller = mesh.newCaller();
    caller.sendLines('SELECT 3', 'GET 1');
    mesh.settle();
    const first = mesh.upstream().connection;
    expect(first.takeLines()).toEqual(['SELECT 3']);
    expect(caller.wire.paused).toBe(false);
    caller.sendLines('GET 2', 'GET 3', 'GET 4');
    mesh.settle();
    expect(caller.wire.paused).toBe(true);
    expect(mesh.taken.streams).toBe(1);
    first.sendLines('+OK');
    mesh.settle();
    const second = mesh.upstream().connections[1]!;
    // Upstream state is per connection key: another connection, brought into that state.
    expect(second.takeLines()).toEqual(['SELECT 3']);
    second.sendLines('+OK');
    mesh.settle();
    expect(second.takeLines()).toEqual(['GET 1', 'GET 2', 'GET 3', 'GET 4']);
    second.sendLines('+1', '+2', '+3', '+4');
    mesh.settle();
    expect(caller.takeLines()).toEqual(['+OK', '+1', '+2', '+3', '+4']);
    expect(caller.wire.paused).toBe(false);
  });

  it('a Hold that fails lets the next go on', () => {
    const mesh = watchLeaks(new OrderMesh({ routes: [{ timeoutMs: 100 }] }));
    const caller = mesh.newCaller();
    caller.sendLines('SELECT 3', 'GET 1');
    mesh.advance(130);
    expect(caller.takeLines()).toEqual([expect.stringMatching(/^-timeout/)]);
    mesh.upstream().connection.sendLines('+too late', '+1');
    mesh.settle();
    expect(caller.takeLines()).toEqual(['+1']);
  });
});

describe('rule 5: going away', () => {
  it('gives a connection that went away no new request, and lets what runs there end', () => {
    const mesh = watchLeaks(new OrderMesh());
    const [a, b] = [mesh.newCaller(), mesh.newCaller()];
    a.sendLines('GET 1');
    mesh.settle();
    const first = mesh.upstream().connection;
    first.sendLines('>goaway');
    mesh.settle();
    b.sendLines('GET 2');
    mesh.settle();
    expect(linesOf(mesh)).toEqual([['GET 1'], ['GET 2']]);
    // A caller with something in flight there waits for it: its order would break elsewhere.
    a.sendLines('GET 3');
    mesh.settle();
    expect(linesOf(mesh)[0]).toEqual(['GET 1']);
    first.sendLines('+1');
    mesh.settle();
    expect(first.closed).toBe(true);
    expect(linesOf(mesh).slice(1).flat()).toEqual(['GET 2', 'GET 3']);
    mesh.upstream().connections[1]!.sendLines('+2', '+3');
    mesh.settle();
    expect([a.takeLines(), b.takeLines()]).toEqual([['+1', '+3'], ['+2']]);
  });

  it('never takes a byte behind the last answer for the next caller', () => {
    const mesh = watchLeaks(new OrderMesh({ pool: { maxConnections: 1 } }));
    const [a, b] = [mesh.newCaller(), mesh.newCaller()];
    a.sendLines('GET 1');
    mesh.settle();
    mesh.upstream().connection.sendLines('+1', '+surplus');
    mesh.settle();
    expect(a.takeLines()).toEqual(['+1']);
    b.sendLines('GET 2');
    mesh.settle();
    expect(b.lines).toEqual([]);
    mesh.upstream().connections[1]!.sendLines('+2');
    mesh.settle();
    expect(b.takeLines()).toEqual(['+2']);
    expect(mesh.stat('upstream_codec_errors_total')).toBe(1);
  });
});

function toCluster(cluster: string) {
  const none = { set: [], add: [], remove: [] };
  return { cluster, weight: 1, requestMutation: none, responseMutation: none };
}

describe('rule 5: hold', () => {
  it('lasts until the answer that decides was given to the codec, not only until it came', () => {
    const match = [
      {
        key: 'key',
        test: { kind: 'exact', value: 'a', ignoreCase: false } as const,
        invert: false,
        absentIsEmpty: false,
      },
    ];
    const clusters = [weightedCluster('other')];
    const mesh = watchLeaks(new OrderMesh({ clusters: { main: 1, other: 1 }, routes: [{ match, clusters }, {}] }));
    const caller = mesh.newCaller();
    caller.sendLines('GET a', 'SELECT 3', 'GET b');
    mesh.settle();
    const [main] = mesh.upstream().connections;
    expect(main!.takeLines()).toEqual(['SELECT 3']);
    main!.sendLines('+OK');
    mesh.settle();
    expect(mesh.upstream().connections.length).toBe(1);
    mesh.upstream(0, 2).connection.sendLines('+a');
    mesh.settle();
    const selected = mesh.upstream().connections[1]!;
    expect(selected.takeLines()).toEqual(['SELECT 3']);
    selected.sendLines('+OK');
    mesh.settle();
    expect(selected.takeLines()).toEqual(['GET b']);
    selected.sendLines('+b');
    mesh.settle();
    expect(caller.takeLines()).toEqual(['+a', '+OK', '+b']);
  });
});
