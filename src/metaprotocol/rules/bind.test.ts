/** Rule 6: a Bind gives a caller an upstream connection of its own, until its Unbind. A Tunnel opens both directions. */
import { describe, expect, it } from 'vitest';
import { OrderMesh, StreamMesh } from '../../../test/harness/toy-mesh.ts';
import { LinePeer } from '../../../test/harness/toy-peers.ts';
import { toyStreamRequest, toyStreamResponse } from '../../../test/harness/toys/toy-stream-message.ts';
import { watchLeaks } from '../../../test/harness/watch-leaks.ts';
import { weightedCluster } from '../description.ts';
import { Flag } from '../message.ts';
import { Status } from '../status.ts';

const takeAll = (mesh: OrderMesh, number = 0) =>
  mesh.upstream(number).connections.map((connection) => connection.takeLines());

describe('rule 6: bind', () => {
  it('gives the caller a connection that nobody shares, and gives it back after Unbind', () => {
    const mesh = watchLeaks(new OrderMesh({ pool: { maxConnections: 2 } }));
    const [bound, other] = [mesh.newCaller(), mesh.newCaller()];
    bound.sendLines('MULTI', 'SET a 1', 'GET a');
    mesh.settle();
    other.sendLines('GET b', 'GET c');
    mesh.settle();
    expect(bound.takeLines()).toEqual(['+OK']);
    expect(takeAll(mesh)).toEqual([
      ['MULTI', 'SET a 1', 'GET a'],
      ['GET b', 'GET c'],
    ]);
    expect(mesh.taken.bound).toBe(1);
    const [own, shared] = mesh.upstream().connections;
    shared!.sendLines('+b', '+c');
    own!.sendLines('+OK', '+QUEUED', '+QUEUED');
    bound.sendLines('EXEC');
    mesh.settle();
    expect(takeAll(mesh)).toEqual([['EXEC'], []]);
    own!.sendLines('+1');
    mesh.settle();
    expect(bound.takeLines()).toEqual(['+QUEUED', '+QUEUED', '+1']);
    expect(mesh.taken.bound).toBe(0);
    // Clean again: anybody may have it.
    bound.sendLines('GET d');
    mesh.settle();
    other.sendLines('GET e');
    mesh.settle();
    const served = takeAll(mesh).flat().sort();
    expect(served).toEqual(['GET d', 'GET e']);
    expect(mesh.upstream().connections.length).toBe(2);
    for (const connection of mesh.upstream().connections) connection.sendLines('+1');
    mesh.settle();
  });

  it('nobody who waited for the same connection follows a Bind onto it', () => {
    const mesh = watchLeaks(new OrderMesh());
    const [bound, other, last] = [mesh.newCaller(), mesh.newCaller(), mesh.newCaller()];
    // All of them wait for the first connection to open.
    bound.sendLines('MULTI', 'SET a 1');
    other.sendLines('GET b');
    last.sendLines('GET c');
    mesh.settle();
    mesh.settle();
    expect(takeAll(mesh)).toEqual([
      ['MULTI', 'SET a 1'],
      ['GET b', 'GET c'],
    ]);
    const [own, shared] = mesh.upstream().connections;
    own!.sendLines('+OK', '+QUEUED');
    shared!.sendLines('+b', '+c');
    bound.sendLines('EXEC');
    mesh.settle();
    own!.sendLines('+1');
    mesh.settle();
    expect([bound, other, last].map((caller) => caller.takeLines())).toEqual([
      ['+OK', '+QUEUED', '+1'],
      ['+b'],
      ['+c'],
    ]);
  });

  it('refuses what belongs to another endpoint than the one its caller is bound to', () => {
    const exact = (value: string) => [
      { key: 'key', test: { kind: 'exact', value, ignoreCase: false } as const, invert: false, absentIsEmpty: false },
    ];
    const to = (cluster: string) => [weightedCluster(cluster)];
    const mesh = watchLeaks(
      new OrderMesh({
        clusters: { main: 1, other: 1 },
        routes: [{ match: exact('b'), clusters: to('other') }, { clusters: to('main') }],
        upstreamPeer: LinePeer.echo,
      }),
    );
    const caller = mesh.newCaller();
    caller.sendLines('MULTI', 'SET a', 'SET b', 'EXEC', 'SET b');
    mesh.settle();
    expect(caller.takeLines()).toEqual(['+OK', '+v-a', expect.stringMatching(/^-unsupported /), '+', '+v-b']);
    expect(mesh.upstream(0, 2).connection.takeLines()).toEqual(['SET b']);
  });

  it('keeps a bound caller at its cluster, where weights would choose another', () => {
    const clusters = [weightedCluster('main'), weightedCluster('other')];
    const mesh = watchLeaks(
      new OrderMesh({ clusters: { main: 1, other: 1 }, routes: [{ clusters }], upstreamPeer: LinePeer.echo }),
    );
    const caller = mesh.newCaller();
    for (const [index, line] of ['MULTI', 'SET a', 'SET b', 'EXEC'].entries()) {
      mesh.random = index % 2 === 0 ? 0.9 : 0.1;
      caller.sendLines(line);
      mesh.settle();
    }
    expect(caller.takeLines()).toEqual(['+OK', '+v-a', '+v-b', '+']);
  });

  it('ends a binding whose Unbind got no further than here, behind what is on its way', () => {
    const test = { kind: 'exact', value: 'EXEC', ignoreCase: false } as const;
    const match = [{ key: 'command', test, invert: true, absentIsEmpty: false }];
    for (const pipelined of [true, false]) {
      const mesh = watchLeaks(new OrderMesh({ routes: [{ match }] }));
      const caller = mesh.newCaller();
      const [first, then] = [
        ['MULTI', 'SET a 1', 'SET b 1'],
        ['EXEC', 'GET c', 'MULTI', 'SET d 1'],
      ];
      if (pipelined) caller.sendLines(...first, ...then);
      else caller.sendLines(...first);
      mesh.settle();
      const own = mesh.upstream().connection;
      expect(own.takeLines()).toEqual(first);
      own.sendLines('+OK', '+QUEUED', '+QUEUED');
      mesh.settle();
      if (!pipelined) caller.sendLines(...then);
      mesh.settle();
      // Nothing of the caller's is said where a transaction is open still.
      expect([own.closed, own.takeLines()]).toEqual([true, []]);
      for (let round = 0; round < 2; round++) {
        for (const connection of mesh.upstream().connections) {
          for (const line of connection.takeLines()) connection.sendLines(line === 'MULTI' ? '+OK' : `+${line}`);
        }
        mesh.settle();
      }
      const noRoute = expect.stringMatching(/^-no_route/);
      expect(caller.takeLines()).toEqual(['+OK', '+QUEUED', '+QUEUED', noRoute, '+GET c', '+OK', '+SET d 1']);
      caller.wire.break();
      mesh.settle();
      mesh.expectQuiet();
    }
  });

  it('waits for the earlier answers of its caller', () => {
    const mesh = watchLeaks(new OrderMesh());
    const caller = mesh.newCaller();
    caller.sendLines('GET 1', 'BLOCK q', 'GET 2');
    mesh.settle();
    expect(takeAll(mesh).flat()).toEqual(['GET 1']);
    mesh.upstream().connection.sendLines('+1');
    mesh.settle();
    // What the caller sends before the Unbind is answered goes the same way, behind it.
    expect(takeAll(mesh).flat()).toEqual(['BLOCK q', 'GET 2']);
    expect(mesh.taken.bound).toBe(1);
    const [own] = mesh.upstream().connections;
    own!.sendLines('+item', '+2');
    mesh.settle();
    expect(mesh.taken.bound).toBe(0);
    expect(caller.takeLines()).toEqual(['+1', '+item', '+2']);
  });

  it('an Unbind may stand on an answer; pushes reach the bound caller alone', () => {
    const mesh = watchLeaks(new OrderMesh());
    const [caller, other] = [mesh.newCaller(), mesh.newCaller()];
    other.sendLines('GET 1');
    mesh.settle();
    const shared = mesh.upstream().connection;
    caller.sendLines('SUBSCRIBE news');
    mesh.settle();
    const own = mesh.upstream().connections[1]!;
    own.sendLines('+subscribed', '>news 1');
    mesh.settle();
    own.sendLines('>news 2');
    shared.sendLines('>news nobody', '+1');
    mesh.settle();
    expect(caller.takeLines()).toEqual(['+subscribed', '>news 1', '>news 2']);
    expect(other.takeLines()).toEqual(['+1']);
    expect(mesh.stat('upstream_unknown_answers_total')).toBe(1);
    caller.sendLines('UNSUBSCRIBE news');
    mesh.settle();
    expect(mesh.taken.bound).toBe(1);
    own.sendLines('+unsubscribed');
    mesh.settle();
    expect(mesh.taken.bound).toBe(0);
    expect(caller.takeLines()).toEqual(['+unsubscribed']);
  });

  it('a later Bind makes an earlier Unbind void', () => {
    const mesh = watchLeaks(new OrderMesh());
    const caller = mesh.newCaller();
    caller.sendLines('SUBSCRIBE a');
    mesh.settle();
    const own = mesh.upstream().connection;
    caller.sendLines('UNSUBSCRIBE a', 'SUBSCRIBE b');
    own.sendLines('+subscribed');
    mesh.settle();
    expect(own.takeLines()).toEqual(['SUBSCRIBE a', 'UNSUBSCRIBE a', 'SUBSCRIBE b']);
    own.sendLines('+unsubscribed', '+subscribed', '>b 1');
    mesh.settle();
    expect(mesh.taken.bound).toBe(1);
    expect(caller.takeLines()).toEqual(['+subscribed', '+unsubscribed', '+subscribed', '>b 1']);
    caller.wire.break();
    mesh.settle();
    expect(own.closed).toBe(true);
  });

  it('the death of a bound upstream closes its caller, behind the answers it still had', () => {
    const mesh = watchLeaks(new OrderMesh());
    const [caller, other] = [mesh.newCaller(), mesh.newCaller()];
    caller.sendLines('SUBSCRIBE news');
    other.sendLines('PING');
    mesh.settle();
    const own = mesh.upstream().connection;
    own.sendLines('+subscribed');
    mesh.settle();
    own.wire.break();
    mesh.settle();
    expect(caller.takeLines()).toEqual(['+subscribed']);
    expect(caller.closed).toBe(true);
    expect(other.closed).toBe(false);
    expect(mesh.taken.bound).toBe(0);
    caller.end();
    mesh.settle();
  });

  it('a bound request in flight is answered with an error when its upstream dies, then the caller is closed', () => {
    const mesh = watchLeaks(new OrderMesh({ routes: [{ retry: { retries: 2 } }] }));
    const caller = mesh.newCaller();
    caller.sendLines('MULTI', 'GET 1');
    mesh.settle();
    mesh.upstream().connection.wire.break();
    mesh.settle();
    // Its state died with the connection: no retry could bring it back.
    expect(mesh.upstream().connections.length).toBe(1);
    expect(caller.takeLines()).toEqual(['+OK', expect.stringMatching(/^-upstream_reset/)]);
    expect(caller.closed).toBe(true);
    caller.end();
    mesh.settle();
  });

  it("the caller's death closes its bound upstream: its state is nobody else's", () => {
    const mesh = watchLeaks(new OrderMesh());
    const caller = mesh.newCaller();
    caller.sendLines('MULTI', 'SET a 1');
    mesh.settle();
    const own = mesh.upstream().connection;
    own.sendLines('+OK', '+QUEUED');
    mesh.settle();
    caller.wire.break();
    mesh.settle();
    expect(own.closed).toBe(true);
    mesh.expectQuiet();
  });

  it('a caller that goes away, or whose upstream dies, in the middle of a Bind that unbinds by itself', () => {
    for (const who of ['caller', 'upstream'] as const) {
      const mesh = watchLeaks(new OrderMesh());
      const [caller, other] = [mesh.newCaller(), mesh.newCaller()];
      caller.sendLines('BLOCK q');
      mesh.settle();
      const own = mesh.upstream().connection;
      (who === 'caller' ? caller : own).wire.break();
      mesh.settle();
      expect([caller.closed, own.closed]).toEqual([true, true]);
      mesh.expectQuiet();
      other.sendLines('GET 1');
      mesh.settle();
      mesh.upstream().connections[1]!.sendLines('+1');
      mesh.settle();
      expect(other.takeLines()).toEqual(['+1']);
      caller.end();
      mesh.settle();
    }
  });

  it('a connection whose Unbind was never answered is shared with nobody: it may still be blocked', () => {
    const mesh = watchLeaks(new OrderMesh({ routes: [{ timeoutMs: 100 }] }));
    const caller = mesh.newCaller();
    caller.sendLines('BLOCK q');
    mesh.advance(200);
    expect(caller.takeLines()).toEqual([expect.stringMatching(/^-timeout/)]);
    expect(mesh.upstream().connection.closed).toBe(true);
    caller.sendLines('GET 1');
    mesh.settle();
    mesh.upstream().connections[1]!.sendLines('+1');
    mesh.settle();
    expect(caller.takeLines()).toEqual(['+1']);
  });

  it('what waits behind an Unbind for a slot is sent when it is answered, also where that connection went away', () => {
    for (const goesAway of [false, true]) {
      const mesh = watchLeaks(new OrderMesh({ pool: { concurrency: 1 } }));
      const caller = mesh.newCaller();
      caller.sendLines('BLOCK q', 'GET 1', 'SUBSCRIBE a', 'GET 2');
      mesh.settle();
      const own = mesh.upstream().connection;
      expect(own.lines).toEqual(['BLOCK q']);
      if (goesAway) own.sendLines('>goaway');
      own.sendLines('+item');
      mesh.settle();
      const served: string[] = [];
      for (let round = 0; round < 3; round++) {
        for (const connection of mesh.upstream().connections) {
          for (const line of connection.takeLines().filter((one) => one !== 'BLOCK q')) {
            served.push(line);
            connection.sendLines(`+${line}`);
          }
        }
        mesh.settle();
      }
      expect(served).toEqual(['GET 1', 'SUBSCRIBE a', 'GET 2']);
      expect(caller.takeLines()).toEqual(['+item', '+GET 1', '+SUBSCRIBE a', '+GET 2']);
      expect(own.closed).toBe(goesAway);
      caller.wire.break();
      mesh.settle();
    }
  });

  it('a connection that takes no others still serves the caller whose own it is, until its Unbind', () => {
    const mesh = watchLeaks(new OrderMesh());
    const caller = mesh.newCaller();
    caller.sendLines('MULTI', 'SET a 1');
    mesh.settle();
    const own = mesh.upstream().connection;
    own.sendLines('+OK', '>goaway', '+QUEUED');
    mesh.settle();
    for (const line of ['GET a', 'EXEC']) {
      caller.sendLines(line);
      mesh.settle();
      expect(own.lines.at(-1)).toBe(line);
      own.sendLines('+1');
      mesh.settle();
    }
    expect(own.closed).toBe(true);
    caller.sendLines('GET b');
    mesh.settle();
    expect(mesh.upstream().connections[1]!.takeLines()).toEqual(['GET b']);
    caller.wire.break();
    mesh.settle();
  });

  it('binds to the endpoint of the first keyed command', () => {
    const mesh = watchLeaks(
      new OrderMesh({
        clusters: { main: 4 },
        balancer: { policy: 'ring_hash', minimumRingSize: 64, maximumRingSize: 1_024 },
        routes: [{ hashOn: ['key'] }],
        upstreamPeer: LinePeer.echo,
      }),
    );
    for (const key of ['k1', 'k2', 'k3', 'k4', 'k5']) {
      const caller = mesh.newCaller();
      caller.sendLines(`GET ${key}`);
      mesh.settle();
      const asked = [0, 1, 2, 3].filter((number) => takeAll(mesh, number).flat().length > 0);
      caller.sendLines('MULTI', `SET ${key} 1`, 'EXEC');
      mesh.settle();
      const bound = [0, 1, 2, 3].filter((number) => takeAll(mesh, number).flat().length > 0);
      expect(bound).toEqual(asked);
      expect(caller.takeLines().length).toBe(4);
    }
  });

  it('answers overloaded past maxBound, and serves again when a place came free', () => {
    const mesh = watchLeaks(new OrderMesh({ pool: { maxBound: 1 } }));
    const [first, second] = [mesh.newCaller(), mesh.newCaller()];
    first.sendLines('SUBSCRIBE a');
    mesh.settle();
    second.sendLines('SUBSCRIBE b');
    mesh.settle();
    expect(second.takeLines()).toEqual([expect.stringMatching(/^-overloaded/)]);
    first.wire.break();
    mesh.settle();
    second.sendLines('SUBSCRIBE b');
    mesh.settle();
    mesh.upstream().connections[1]!.sendLines('+subscribed');
    mesh.settle();
    expect(second.takeLines()).toEqual(['+subscribed']);
    second.wire.break();
    mesh.settle();
  });

  it('a caller that goes away while its Bind waits for a connection leaves nothing behind', () => {
    const mesh = watchLeaks(new OrderMesh());
    mesh.upstream().mode = 'silent';
    const caller = mesh.newCaller();
    caller.sendLines('SUBSCRIBE a');
    mesh.settle();
    caller.wire.break();
    mesh.settle();
    mesh.expectQuiet();
    mesh.advance(2_000);
  });

  it('what means something only behind a Bind is not sent where that Bind failed', () => {
    const mesh = watchLeaks(new OrderMesh());
    mesh.upstream().mode = 'refuse';
    const caller = mesh.newCaller();
    caller.sendLines('MULTI', 'SET a 1');
    mesh.settle();
    mesh.upstream().mode = 'accept';
    caller.sendLines('SET b 1', 'EXEC', 'GET c');
    mesh.settle();
    expect(mesh.upstream().connection.takeLines()).toEqual(['GET c']);
    mesh.upstream().connection.sendLines('+c');
    mesh.settle();
    expect(caller.takeLines().map((line) => line.split(' ', 1)[0])).toEqual([
      '+OK',
      '-connect_failure',
      '-upstream_reset',
      '-upstream_reset',
      '+c',
    ]);
  });

  it('a Bind whose connect fails leaves the caller free', () => {
    const mesh = watchLeaks(new OrderMesh());
    mesh.upstream().mode = 'refuse';
    const caller = mesh.newCaller();
    caller.sendLines('SUBSCRIBE a');
    mesh.settle();
    expect(caller.takeLines()).toEqual([expect.stringMatching(/^-connect_failure/)]);
    mesh.expectQuiet();
    mesh.upstream().mode = 'accept';
    caller.sendLines('GET 1');
    mesh.settle();
    mesh.upstream().connection.sendLines('+1');
    mesh.settle();
    expect(caller.takeLines()).toEqual(['+1']);
  });
});

describe('rule 6: tunnel', () => {
  it('stays open in both directions until each has ended, without the route timeout', () => {
    const mesh = watchLeaks(
      new StreamMesh({ routes: [{ timeoutMs: 200 }], pool: { concurrency: 1, maxConnections: 1 } }),
    );
    const caller = mesh.newCaller();
    caller.codec.encode(1, toyStreamRequest({ method: 'connect' }, Flag.Tunnel));
    mesh.settle();
    const { connection } = mesh.upstream();
    connection.codec.encode(1, toyStreamResponse({ status: '0' }, Flag.Tunnel), null);
    mesh.settle();
    expect(caller.sink.heads[0]!.flags & Flag.Tunnel).toBe(Flag.Tunnel);
    mesh.advance(1_000);
    caller.codec.data(1, Buffer.from('ping'), false, true);
    mesh.settle();
    connection.codec.data(1, Buffer.from('pong'), true, true);
    mesh.settle();
    expect(connection.sink.dataOf(1).toString()).toBe('ping');
    expect(caller.sink.dataOf(1).toString()).toBe('pong');
    // One direction is still open: the slot is taken.
    caller.codec.encode(2, toyStreamRequest({ method: 'get' }, Flag.End));
    mesh.settle();
    expect(mesh.taken.pending).toBe(1);
    caller.codec.data(1, Buffer.from(' more'), true, true);
    mesh.settle();
    expect(connection.sink.dataOf(1).toString()).toBe('ping more');
    expect(connection.sink.headIds).toEqual([1, 2]);
    connection.codec.encode(2, toyStreamResponse({ status: '0' }, Flag.End), null);
    mesh.settle();
    mesh.expectQuiet();
  });

  it('that the caller gives up is given up upstream', () => {
    const mesh = watchLeaks(new StreamMesh());
    const caller = mesh.newCaller();
    caller.codec.encode(1, toyStreamRequest({ method: 'connect' }, Flag.Tunnel));
    mesh.settle();
    const { connection } = mesh.upstream();
    connection.codec.encode(1, toyStreamResponse({ status: '0' }, Flag.Tunnel), null);
    mesh.settle();
    caller.codec.reset(1, Status.downstream_reset);
    mesh.settle();
    expect(connection.sink.events.at(-1)).toMatchObject({ kind: 'reset', id: 1 });
    mesh.expectQuiet();
  });
});
