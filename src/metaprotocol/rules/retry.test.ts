/** Rule 8: attempts, mirrors, and answers that end before their requests. */
import { describe, expect, it } from 'vitest';
import { IdMesh, OrderMesh, ScriptedFilter, StreamMesh } from '../../../test/harness/toy-mesh.ts';
import { FramePeer, streamUpstream } from '../../../test/harness/toy-peers.ts';
import {
  toyStreamRequest,
  toyStreamResponse,
  toyStreamTrailers,
} from '../../../test/harness/toys/toy-stream-message.ts';
import { ResetCode, Type, toyStreamFrame } from '../../../test/harness/toys/toy-stream-wire.ts';
import { watchLeaks } from '../../../test/harness/watch-leaks.ts';
import type { Filter } from '../filter.ts';
import { Flag } from '../message.ts';

const errorOf = (frame: { head: string } | undefined) => /^error=(.*)$/m.exec(frame?.head ?? '')?.[1];

describe('rule 8: retries', () => {
  it('sends a lost request again only if it is replay-safe, at another endpoint, as often as the route says', () => {
    const mesh = watchLeaks(new IdMesh({ clusters: { main: 3 }, routes: [{ retry: { retries: 2 } }] }));
    const caller = mesh.newCaller();
    caller.call(1n, 'safe', { method: 'get' });
    mesh.settle();
    mesh.upstream(0).connection.wire.break();
    mesh.settle();
    mesh.upstream(1).connection.wire.break();
    mesh.settle();
    expect(mesh.upstream(2).connection.frames.map((frame) => frame.body)).toEqual(['safe']);
    expect(caller.frames).toEqual([]);
    mesh.upstream(2).connection.wire.break();
    mesh.settle();
    expect(errorOf(caller.takeFrames()[0])).toBe('upstream_reset');
    caller.call(2n, 'unsafe', { method: 'put' });
    mesh.settle();
    const [asked] = [0, 1, 2].flatMap((number) => mesh.upstream(number).connections.slice(1));
    asked!.wire.break();
    mesh.settle();
    expect(errorOf(caller.takeFrames()[0])).toBe('upstream_reset');
    expect(mesh.stat('upstream_retries_total')).toBe(2);
  });

  it('tries another endpoint when a connect fails, whatever the request is', () => {
    const mesh = watchLeaks(new IdMesh({ clusters: { main: 2 }, routes: [{ retry: { retries: 1 } }] }));
    mesh.upstream(0).mode = 'refuse';
    const caller = mesh.newCaller();
    caller.call(1n, 'unsafe', { method: 'put' });
    mesh.settle();
    const { connection } = mesh.upstream(1);
    connection.answer(connection.takeFrames()[0]!);
    mesh.settle();
    expect(caller.takeTexts()).toEqual(['1 unsafe']);
  });

  it('repeats what was refused, since it was surely not processed', () => {
    const mesh = watchLeaks(new StreamMesh({ clusters: { main: 2 }, routes: [{ retry: { retries: 1 } }] }));
    const caller = mesh.newCaller();
    caller.codec.encode(1, toyStreamRequest({ method: 'put' }));
    caller.codec.data(1, Buffer.from('body'), true, true);
    mesh.settle();
    mesh.upstream(0).connection.send(toyStreamFrame(Type.Reset, 1, Buffer.of(ResetCode.Refused)));
    mesh.settle();
    const { connection } = mesh.upstream(1);
    expect(connection.sink.dataOf(1).toString()).toBe('body');
    connection.codec.encode(1, toyStreamResponse({ status: '0' }, Flag.End), null);
    mesh.settle();
    expect(caller.sink.heads[0]!.get('status')).toBe('0');
  });

  it('repeats after GOAWAY what the peer did not take any more, and lets the rest end', () => {
    const mesh = watchLeaks(new StreamMesh());
    const caller = mesh.newCaller();
    caller.codec.encode(1, toyStreamRequest({ method: 'put' }, Flag.End));
    mesh.settle();
    const first = mesh.upstream().connection;
    first.writing = false;
    first.codec.goAway();
    caller.codec.encode(2, toyStreamRequest({ method: 'put' }, Flag.End));
    mesh.settle();
    first.writing = true;
    mesh.settle();
    const second = mesh.upstream().connections[1]!;
    expect(second.sink.headIds).toEqual([1]);
    first.codec.encode(1, toyStreamResponse({ from: 'first' }, Flag.End), null);
    second.codec.encode(1, toyStreamResponse({ from: 'second' }, Flag.End), null);
    mesh.settle();
    expect(caller.sink.heads.map((head) => head.get('from'))).toEqual(['first', 'second']);
    expect(first.closed).toBe(true);
  });

  describe('what was lost on a stale connection', () => {
    /** Three connections that answered once and are idle; the call of id 4 is on one of them. */
    const start = () => {
      const mesh = watchLeaks(new IdMesh({ pool: { concurrency: 1 } }));
      const caller = mesh.newCaller();
      const { connections } = mesh.upstream();
      for (const id of [1n, 2n, 3n]) caller.call(id);
      mesh.settle();
      for (const connection of connections) connection.answer(connection.takeFrames()[0]!);
      mesh.settle();
      caller.takeFrames();
      caller.call(4n, 'lost');
      mesh.settle();
      const lose = () => {
        connections.find(({ frames }) => frames.length > 0)!.wire.break();
        mesh.settle();
      };
      const answered = () => {
        const connection = connections.find(({ frames, closed }) => frames.length > 0 && !closed)!;
        connection.answer(connection.takeFrames()[0]!);
        mesh.settle();
        expect(caller.takeTexts()).toEqual(['4 lost']);
        return connections.indexOf(connection);
      };
      return { mesh, lose, answered };
    };

    it('goes over a new one: the idle ones may have gone stale with it', () => {
      const { lose, answered } = start();
      lose();
      expect(answered()).toBe(3);
    });

    it('goes over an idle one where no new one may be opened', () => {
      const { mesh, lose, answered } = start();
      const description = mesh.describe();
      const clusters = description.clusters.map((one) => ({ ...one, pool: { ...one.pool, maxConnections: 1 } }));
      mesh.apply({ ...description, clusters });
      lose();
      expect(answered()).toBeLessThan(3);
    });

    it('goes over an idle one where a new one cannot be connected', () => {
      const { mesh, lose, answered } = start();
      mesh.upstream().mode = 'refuse';
      lose();
      expect(answered()).toBeLessThan(3);
    });
  });

  it('gives one free replay where a connection had gone stale, and none to what is not replay-safe', () => {
    const mesh = watchLeaks(new IdMesh());
    const caller = mesh.newCaller();
    const once = (id: bigint, method: string) => {
      caller.call(id, '', { method });
      mesh.settle();
      const connection = mesh.upstream().connections.at(-1)!;
      connection.answer(connection.takeFrames()[0]!);
      mesh.settle();
      expect(caller.takeFrames().length).toBe(1);
      return connection;
    };
    const first = once(1n, 'get');
    caller.call(2n, 'again', { method: 'get' });
    mesh.settle();
    first.end();
    mesh.settle();
    const second = mesh.upstream().connections[1]!;
    expect(second.frames.map((frame) => frame.body)).toEqual(['again']);
    second.answer(second.takeFrames()[0]!);
    mesh.settle();
    expect(caller.takeTexts()).toEqual(['2 again']);
    caller.call(3n, '', { method: 'put' });
    mesh.settle();
    second.wire.break();
    mesh.settle();
    expect(errorOf(caller.takeFrames()[0])).toBe('upstream_reset');
    // Never answered before: that is no stale connection.
    caller.call(4n, '', { method: 'get' });
    mesh.settle();
    mesh.upstream().connections[2]!.wire.break();
    mesh.settle();
    expect(errorOf(caller.takeFrames()[0])).toBe('upstream_reset');
    expect(mesh.upstream().connections.length).toBe(3);
  });

  it('the free replay is one', () => {
    const mesh = watchLeaks(new IdMesh({ pool: { concurrency: 1 } }));
    const caller = mesh.newCaller();
    for (let id = 1n; id <= 3n; id++) caller.call(id);
    mesh.settle();
    for (const connection of mesh.upstream().connections) {
      for (const frame of connection.takeFrames()) connection.answer(frame);
    }
    mesh.settle();
    caller.takeFrames();
    caller.call(4n, 'unlucky');
    mesh.settle();
    for (let death = 0; death < 2; death++) {
      const holder = mesh.upstream().connections.find((one) => !one.closed && one.frames.length > 0);
      expect(holder).toBeDefined();
      holder!.wire.break();
      mesh.settle();
    }
    expect(errorOf(caller.takeFrames()[0])).toBe('upstream_reset');
  });

  it('a request that never left the process is sent again, whatever it is', () => {
    const mesh = watchLeaks(new IdMesh({ routes: [{ retry: { retries: 1 } }] }));
    const caller = mesh.newCaller();
    caller.call(1n, 'opens');
    mesh.settle();
    const first = mesh.upstream().connection;
    first.answer(first.takeFrames()[0]!);
    mesh.settle();
    caller.takeFrames();
    // The death is read in the same turn as the request, before the turn's flush.
    caller.call(2n, 'unflushed', { method: 'put' });
    first.wire.break();
    mesh.settle();
    const second = mesh.upstream().connections[1]!;
    expect(second.frames.map((frame) => frame.body)).toEqual(['unflushed']);
    second.answer(second.takeFrames()[0]!);
    mesh.settle();
    expect(caller.takeTexts()).toEqual(['2 unflushed']);
  });

  it('a body beyond the replay limit commits', () => {
    const mesh = watchLeaks(new StreamMesh({ clusters: { main: 2 }, routes: [{ retry: { retries: 1 } }] }));
    const caller = mesh.newCaller();
    caller.codec.encode(1, toyStreamRequest({ method: 'getWith' }));
    caller.codec.data(1, Buffer.alloc(80_000), false, true);
    mesh.settle();
    mesh.upstream(0).connection.wire.break();
    mesh.settle();
    expect(mesh.upstream(1).connections).toEqual([]);
    expect(caller.sink.heads[0]!.get('error')).toBe('upstream_reset');
  });

  it('after a forwarded head a failure resets, it never replies', () => {
    const mesh = watchLeaks(new StreamMesh({ clusters: { main: 2 }, routes: [{ retry: { retries: 1 } }] }));
    const caller = mesh.newCaller();
    caller.codec.encode(1, toyStreamRequest({ method: 'get' }, Flag.End));
    mesh.settle();
    const { connection } = mesh.upstream(0);
    connection.codec.encode(1, toyStreamResponse({ status: '0' }), null);
    connection.codec.data(1, Buffer.from('half'), false, true);
    mesh.settle();
    connection.wire.break();
    mesh.settle();
    expect(caller.sink.events.map((event) => event.kind)).toEqual(['ready', 'head', 'data', 'reset']);
    expect(mesh.upstream(1).connections).toEqual([]);
  });

  it('shows each attempt to filters; their edits touch that attempt only', () => {
    const seen: string[] = [];
    const filter: Filter = {
      onAttempt(stream, attempt) {
        attempt.request.set('try', `${stream.attempts.length}`);
        seen.push(attempt.endpoint.host);
      },
    };
    const mesh = watchLeaks(
      new IdMesh({ clusters: { main: 2 }, routes: [{ retry: { retries: 1 } }], filters: [filter] }),
    );
    const caller = mesh.newCaller();
    caller.call(1n);
    mesh.settle();
    expect(mesh.upstream(0).connection.frames[0]!.head).toBe('method=get\ntry=1\n');
    mesh.upstream(0).connection.wire.break();
    mesh.settle();
    const { connection } = mesh.upstream(1);
    expect(connection.frames[0]!.head).toBe('method=get\ntry=2\n');
    expect(seen).toEqual(['10.1.1.1', '10.1.1.2']);
    connection.answer(connection.takeFrames()[0]!);
    mesh.settle();
  });

  it('the timeout counts over all attempts', () => {
    const mesh = watchLeaks(new IdMesh({ clusters: { main: 2 }, routes: [{ timeoutMs: 300, retry: { retries: 1 } }] }));
    const caller = mesh.newCaller();
    caller.call(1n);
    mesh.advance(200);
    mesh.upstream(0).connection.wire.break();
    mesh.settle();
    expect(mesh.upstream(1).connection.frames.length).toBe(1);
    mesh.advance(130);
    expect(errorOf(caller.takeFrames()[0])).toBe('timeout');
    const { connection } = mesh.upstream(1);
    connection.answer(connection.takeFrames()[0]!);
    mesh.settle();
    expect(caller.frames).toEqual([]);
  });
});

describe('rule 8: mirrors', () => {
  const mirrors = [{ cluster: 'shadow', fraction: 1_000_000 }];
  const clusters = { main: 1, shadow: 1 };

  it('a mirror that answers, fails, hangs or cannot be reached is never felt', () => {
    const mesh = watchLeaks(new IdMesh({ clusters, routes: [{ mirrors }] }));
    const [main, shadow] = [mesh.upstream(0, 1), mesh.upstream(0, 2)];
    const caller = mesh.newCaller();
    let id = 0n;
    const call = () => {
      caller.call(++id, 'x');
      mesh.settle();
      const { connection } = main;
      connection.answer(connection.takeFrames()[0]!);
      mesh.settle();
      expect(caller.takeTexts()).toEqual([`${id} x`]);
    };
    shadow.mode = 'refuse';
    call();
    shadow.mode = 'accept';
    call();
    const mirrored = shadow.connection;
    mirrored.answer(mirrored.takeFrames()[0]!, { body: 'from the shadow' });
    call();
    mirrored.wire.break();
    mesh.settle();
    expect(caller.frames).toEqual([]);
    shadow.mode = 'silent';
    call();
    mesh.advance(2_000);
    mesh.expectQuiet();
  });

  it('a mirror that hangs is not waited for, for ever', () => {
    const mesh = watchLeaks(new IdMesh({ clusters, routes: [{ mirrors, timeoutMs: 1_000 }] }));
    const caller = mesh.newCaller();
    caller.call(1n, 'x');
    mesh.settle();
    const { connection } = mesh.upstream(0, 1);
    connection.answer(connection.takeFrames()[0]!);
    mesh.settle();
    expect(caller.takeTexts()).toEqual(['1 x']);
    mesh.advance(60_000);
    mesh.expectQuiet();
  });

  it('a mirror that cannot take the body as fast as it comes is given up, the original is not slowed', () => {
    const mesh = watchLeaks(
      new StreamMesh({
        clusters,
        routes: [{ mirrors }],
        upstreamPeer: (wire) => streamUpstream(wire, { windowBytes: 65_536, connectionWindowBytes: 65_536 }),
      }),
    );
    const caller = mesh.newCaller();
    caller.codec.encode(1, toyStreamRequest({ method: 'put' }));
    mesh.settle();
    const [original, shadow] = [mesh.upstream(0, 1).connection, mesh.upstream(0, 2).connection];
    shadow.crediting = false;
    const body = Buffer.alloc(200_000, 'x');
    caller.codec.data(1, body, true, true);
    mesh.settle();
    expect(original.sink.dataOf(1)).toEqual(body);
    expect(shadow.sink.events.at(-1)).toMatchObject({ kind: 'reset', id: 1 });
    original.codec.encode(1, toyStreamResponse({ status: '0' }, Flag.End), null);
    mesh.settle();
    expect(caller.sink.heads[0]!.get('status')).toBe('0');
  });

  it('gets the whole request, trailers included, if it keeps up', () => {
    const mesh = watchLeaks(new StreamMesh({ clusters, routes: [{ mirrors }] }));
    const caller = mesh.newCaller();
    caller.codec.encode(1, toyStreamRequest({ method: 'put' }));
    // More in all than may wait for it at once.
    const piece = Buffer.alloc(40_000, 'x');
    for (let pieces = 0; pieces < 3; pieces++) {
      caller.codec.data(1, piece, false, true);
      mesh.settle();
    }
    caller.codec.trailers(1, toyStreamTrailers({ sum: '3' }));
    mesh.settle();
    const shadow = mesh.upstream(0, 2).connection;
    expect(shadow.sink.heads[0]!.get('method')).toBe('put');
    expect(shadow.sink.dataOf(1)).toEqual(Buffer.concat([piece, piece, piece]));
    expect(shadow.sink.events.at(-1)).toMatchObject({ kind: 'trailers' });
    for (const cluster of [1, 2]) {
      mesh.upstream(0, cluster).connection.codec.encode(1, toyStreamResponse({ status: '0' }, Flag.End), null);
    }
    mesh.settle();
    expect(caller.sink.heads.length).toBe(1);
  });

  it('draws the share that the route asks for', () => {
    const mesh = watchLeaks(
      new IdMesh({
        clusters,
        routes: [{ mirrors: [{ cluster: 'shadow', fraction: 250_000 }] }],
        upstreamPeer: FramePeer.echo,
      }),
    );
    const caller = mesh.newCaller();
    for (const draw of [0.1, 0.24, 0.25, 0.9]) {
      mesh.random = draw;
      caller.call(1n, `${draw}`);
      mesh.settle();
    }
    expect(caller.frames.length).toBe(4);
    expect(mesh.upstream(0, 2).connection.frames.map((frame) => frame.body)).toEqual(['0.1', '0.24']);
  });
});

describe('rule 8: an answer that ends before its request', () => {
  it('is delivered; the upstream is reset without error, and its slot is free', () => {
    const filter = new ScriptedFilter();
    const mesh = watchLeaks(new StreamMesh({ pool: { concurrency: 1, maxConnections: 1 }, filters: [filter] }));
    const caller = mesh.newCaller();
    caller.codec.encode(1, toyStreamRequest({ method: 'put' }));
    caller.codec.data(1, Buffer.from('some'), false, true);
    mesh.settle();
    const { connection } = mesh.upstream();
    connection.codec.encode(1, toyStreamResponse({ status: '13' }, Flag.End), null);
    mesh.settle();
    expect(caller.sink.events.slice(1)).toMatchObject([
      { kind: 'head', id: 1 },
      { kind: 'reset', id: 1, status: { name: 'no_error' } },
    ]);
    expect(connection.sink.events.at(-1)).toMatchObject({ kind: 'reset', id: 1 });
    expect(filter.ended).toEqual(['no_error']);
    mesh.expectQuiet();
    caller.codec.encode(2, toyStreamRequest({ method: 'get' }, Flag.End));
    mesh.settle();
    expect(connection.sink.headIds).toEqual([1, 2]);
    connection.codec.encode(2, toyStreamResponse({ status: '0' }, Flag.End), null);
    mesh.settle();
  });

  it('closes and lingers where the protocol cannot reset: the caller reads the whole answer', () => {
    const mesh = watchLeaks(new StreamMesh({ codecOptions: { resetFrames: 0 } }));
    const caller = mesh.newCaller();
    caller.codec.encode(1, toyStreamRequest({ method: 'put' }));
    mesh.settle();
    const { connection } = mesh.upstream();
    caller.reading = false;
    connection.codec.encode(1, toyStreamResponse({ status: '13' }), null);
    connection.codec.data(1, Buffer.from('too large'), true, true);
    mesh.settle();
    expect(caller.wire.ended).toBe(true);
    expect(caller.wire.destroyed).toBe(false);
    // The caller goes on writing: a plain close would answer with a RST and eat what it has not read.
    for (let chunk = 0; chunk < 5; chunk++) {
      caller.send(toyStreamFrame(Type.Data, 1, Buffer.alloc(1_000)));
      mesh.settle();
    }
    expect(caller.wire.resetSent).toBe(false);
    caller.reading = true;
    mesh.settle();
    expect(caller.sink.heads[0]!.get('status')).toBe('13');
    expect(caller.sink.dataOf(1).toString()).toBe('too large');
    caller.end();
    mesh.settle();
    expect(caller.wire.destroyed).toBe(true);
    expect(mesh.plane.timerCount).toBe(0);
  });

  it('lingers 5 s at most, and 16 MiB', () => {
    for (const how of ['time', 'bytes'] as const) {
      const mesh = watchLeaks(new StreamMesh({ codecOptions: { resetFrames: 0 } }));
      const caller = mesh.newCaller();
      caller.codec.encode(1, toyStreamRequest({ method: 'put' }));
      mesh.settle();
      const { connection } = mesh.upstream();
      connection.codec.encode(1, toyStreamResponse({ status: '13' }, Flag.End), null);
      mesh.settle();
      expect(caller.wire.destroyed).toBe(false);
      if (how === 'time') {
        mesh.advance(5_100);
      } else {
        for (let chunk = 0; chunk < 200 && !caller.wire.destroyed; chunk++) {
          caller.send(Buffer.alloc(100_000));
          mesh.settle();
        }
      }
      expect(caller.wire.destroyed).toBe(true);
    }
  });
});

describe('rule 8: split requests', () => {
  it('a part that fails shows in its place; a part whose connection was stale is replayed once', () => {
    const mesh = watchLeaks(
      new OrderMesh({
        clusters: { main: 4 },
        balancer: { policy: 'ring_hash', minimumRingSize: 64, maximumRingSize: 1_024 },
      }),
    );
    const caller = mesh.newCaller();
    caller.sendLines('MGET k1 k2 k3 k4 k5 k6');
    mesh.settle();
    const parts = [0, 1, 2, 3].flatMap((number) => mesh.upstream(number).connections);
    expect(parts.length).toBeGreaterThan(1);
    const [broken, ...others] = parts;
    const lost = broken!.lines[0]!.split(' ').slice(1);
    for (const part of others) part.sendLines(`+${part.takeLines()[0]!.split(' ').slice(1).join(' ')}`);
    broken!.wire.break();
    mesh.settle();
    const expected = ['k1', 'k2', 'k3', 'k4', 'k5', 'k6'].map((key) => (lost.includes(key) ? 'ERROR' : key));
    expect(caller.takeLines()).toEqual([`+${expected.join(' ')}`]);
  });
});
