/** Rule 2: what `decode` gets is lent; whatever outlives the sink call was kept. The harness wipes every lent buffer. */
import { describe, expect, it } from 'vitest';
import { IdMesh, OrderMesh, ScriptedFilter, StreamMesh } from '../../../test/harness/toy-mesh.ts';
import { LinePeer } from '../../../test/harness/toy-peers.ts';
import { toyStreamRequest, toyStreamResponse } from '../../../test/harness/toys/toy-stream-message.ts';
import { watchLeaks } from '../../../test/harness/watch-leaks.ts';
import { NO_MUTATION } from '../description.ts';
import type { Stream } from '../filter.ts';
import { FilterStatus } from '../filter.ts';
import { Flag } from '../message.ts';

describe('rule 2: bytes', () => {
  it('keeps what waits for a connection, and writes nothing to one that is not open', () => {
    const mesh = watchLeaks(new IdMesh());
    mesh.upstream().mode = 'silent';
    const caller = mesh.newCaller();
    caller.call(1n, 'waiting');
    mesh.settle();
    const [, wire] = mesh.world.wires;
    expect(wire!.writes).toBe(0);
    mesh.upstream().mode = 'accept';
    mesh.advance(1_100);
    // The silent connect timed out; the caller was told. The next one is kept until its own connection is open.
    caller.takeFrames();
    caller.call(2n, 'kept');
    mesh.settle();
    const { connection } = mesh.upstream();
    expect(connection.frames.map((frame) => frame.body)).toEqual(['kept']);
    connection.answer(connection.takeFrames()[0]!);
    mesh.settle();
    expect(caller.takeTexts()).toEqual(['2 kept']);
  });

  it('keeps what waits in the queue of a pool', () => {
    const mesh = watchLeaks(new IdMesh({ pool: { maxConnections: 1, concurrency: 1 } }));
    const caller = mesh.newCaller();
    for (const id of [1n, 2n, 3n]) caller.call(id, `body ${id}`);
    mesh.settle();
    const { connection } = mesh.upstream();
    for (const id of [1, 2, 3]) {
      const [frame] = connection.takeFrames();
      expect([frame!.body, frame!.head]).toEqual([`body ${id}`, 'method=get\n']);
      connection.answer(frame!);
      mesh.settle();
    }
    expect(caller.takeTexts()).toEqual(['1 body 1', '2 body 2', '3 body 3']);
  });

  it('keeps answers that wait for their turn', () => {
    const mesh = watchLeaks(new OrderMesh({ clusters: { main: 2 } }));
    const caller = mesh.newCaller();
    caller.sendLines('GET a', 'GET b');
    mesh.settle();
    const [a, b] = [mesh.upstream(0).connection, mesh.upstream(1).connection];
    expect([a.takeLines(), b.takeLines()]).toEqual([['GET a'], ['GET b']]);
    b.sendLines('+value of b');
    mesh.settle();
    expect(caller.lines).toEqual([]);
    a.sendLines('+value of a');
    mesh.settle();
    expect(caller.takeLines()).toEqual(['+value of a', '+value of b']);
  });

  it('keeps requests and answers that a filter pauses', () => {
    const filter = new ScriptedFilter();
    const mesh = watchLeaks(new IdMesh({ filters: [filter] }));
    const paused: Stream[] = [];
    const pause = (stream: Stream) => {
      paused.push(stream);
      return FilterStatus.Pause;
    };
    filter.request = pause;
    filter.response = pause;
    const caller = mesh.newCaller();
    caller.call(1n, 'paused');
    mesh.settle();
    expect(mesh.upstream().connections).toEqual([]);
    paused.shift()!.resume();
    mesh.settle();
    const { connection } = mesh.upstream();
    connection.answer(connection.takeFrames()[0]!, { body: 'paused answer' });
    mesh.settle();
    expect(caller.frames).toEqual([]);
    paused.shift()!.resume();
    mesh.settle();
    expect(caller.takeTexts()).toEqual(['1 paused answer']);
  });

  it('keeps what may be sent again, its data included', () => {
    const mesh = watchLeaks(new StreamMesh({ clusters: { main: 2 }, routes: [{ retry: { retries: 1 } }] }));
    const caller = mesh.newCaller();
    caller.codec.encode(1, toyStreamRequest({ method: 'getFile', host: 'a', note: 'sent twice' }));
    caller.codec.data(1, Buffer.from('first '), false, true);
    mesh.settle();
    caller.codec.data(1, Buffer.from('second'), true, true);
    mesh.settle();
    const first = mesh.upstream(0).connection;
    expect(first.sink.dataOf(1).toString()).toBe('first second');
    first.wire.break();
    mesh.settle();
    const second = mesh.upstream(1).connection;
    expect(second.sink.heads[0]!.get('note')).toBe('sent twice');
    expect(second.sink.dataOf(1).toString()).toBe('first second');
    second.codec.encode(1, toyStreamResponse({ status: '0' }, Flag.End), null);
    mesh.settle();
    expect(caller.sink.heads[0]!.get('status')).toBe('0');
  });

  it('keeps the parts of a split request and their answers', () => {
    const mesh = watchLeaks(
      new OrderMesh({
        clusters: { main: 4 },
        balancer: { policy: 'ring_hash', minimumRingSize: 64, maximumRingSize: 1_024 },
        upstreamPeer: LinePeer.echo,
      }),
    );
    const keys = Array.from({ length: 12 }, (_, index) => `key${index}`);
    const caller = mesh.newCaller();
    caller.sendLines(`MGET ${keys.join(' ')}`);
    mesh.settle();
    expect(caller.takeLines()).toEqual([`+${keys.map((key) => `v-${key}`).join(' ')}`]);
    const asked = [0, 1, 2, 3].flatMap((number) => mesh.upstream(number).connections);
    expect(asked.length).toBeGreaterThan(1);
  });

  it('never writes to a request: a mirror and its original go out under ids of their own, all else equal', () => {
    const mirrors = [{ cluster: 'shadow', fraction: 1_000_000 }];
    const mesh = watchLeaks(new IdMesh({ clusters: { main: 1, shadow: 1 }, routes: [{ mirrors }] }));
    const caller = mesh.newCaller();
    caller.call(9n, 'plain');
    caller.call(9n, 'twice');
    mesh.settle();
    const original = mesh.upstream(0, 1).connection;
    const shadow = mesh.upstream(0, 2).connection;
    const [one, two] = original.frames;
    expect(original.frames.map((frame) => frame.body)).toEqual(['plain', 'twice']);
    expect(shadow.frames.map((frame) => frame.body)).toEqual(['plain', 'twice']);
    expect(one!.id).not.toBe(two!.id);
    for (const frame of original.takeFrames()) original.answer(frame);
    for (const frame of shadow.takeFrames()) shadow.answer(frame);
    mesh.settle();
    expect(caller.takeTexts()).toEqual(['9 plain', '9 twice']);
  });

  it('leaves bytes alone that the kernel has not taken', () => {
    const mesh = watchLeaks(new IdMesh({ pool: { maxConnections: 1 } }));
    const caller = mesh.newCaller();
    caller.call(1n, 'opens');
    mesh.settle();
    const { connection } = mesh.upstream();
    connection.wire.capacityBytes = 10;
    connection.reading = false;
    for (let id = 2n; id <= 40n; id++) {
      caller.call(id, `body ${id}`);
      mesh.settle();
    }
    connection.reading = true;
    mesh.settle();
    // MemoryWire fails if a queued byte changed; each request has arrived whole and under an id of its own.
    expect(connection.frames.length).toBe(40);
    expect(new Set(connection.frames.map((frame) => frame.id)).size).toBe(40);
    for (const frame of connection.takeFrames()) connection.answer(frame);
    mesh.settle();
    expect(caller.takeTexts().length).toBe(40);
  });

  it('takes buffers that are not lent as well', () => {
    const mesh = watchLeaks(new StreamMesh());
    const caller = mesh.newCaller();
    for (const wire of mesh.world.wires) wire.lends = false;
    caller.codec.encode(1, toyStreamRequest({ method: 'put' }));
    const body = Buffer.alloc(20_000, 'abcdefg');
    caller.codec.data(1, body, true, true);
    mesh.settle();
    const { connection } = mesh.upstream();
    connection.wire.lends = false;
    connection.codec.encode(1, toyStreamResponse({ kind: 'echo' }), null);
    connection.codec.data(1, connection.sink.dataOf(1), true, true);
    mesh.settle();
    expect(caller.sink.dataOf(1)).toEqual(body);
  });

  it('applies no mutation to what was never edited: NO_MUTATION leaves raw bytes', () => {
    const mesh = watchLeaks(new IdMesh({ routes: [{ requestMutation: NO_MUTATION }] }));
    const caller = mesh.newCaller();
    caller.call(3n, 'raw', { odd: '', method: 'get' });
    mesh.settle();
    const { connection } = mesh.upstream();
    expect(connection.frames[0]!.head).toBe('odd=\nmethod=get\n');
    connection.answer(connection.takeFrames()[0]!);
    mesh.settle();
  });
});
