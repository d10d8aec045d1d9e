/** Rule 7: everything that waits is bounded, and who is slow holds back only himself. */
import { describe, expect, it } from 'vitest';
import { IdMesh, OrderMesh, StreamMesh } from '../../../test/harness/toy-mesh.ts';
import { FramePeer } from '../../../test/harness/toy-peers.ts';
import { toyStreamRequest, toyStreamResponse } from '../../../test/harness/toys/toy-stream-message.ts';
import { watchLeaks } from '../../../test/harness/watch-leaks.ts';
import { Flag } from '../message.ts';
import { Status } from '../status.ts';

const MEBIBYTE = 1024 * 1024;

describe('rule 7: streams', () => {
  it('a caller that takes nothing stops its own stream upstream, and no other', () => {
    const mesh = watchLeaks(new StreamMesh({ codecOptions: { windowBytes: 2_000, connectionWindowBytes: 8_000 } }));
    const [slow, quick] = [mesh.newCaller({ windowBytes: 1_000 }), mesh.newCaller({ windowBytes: 1_000 })];
    slow.crediting = false;
    for (const caller of [slow, quick]) caller.codec.encode(1, toyStreamRequest({ method: 'get' }, Flag.End));
    mesh.settle();
    const { connection } = mesh.upstream();
    expect(connection.sink.headIds).toEqual([1, 2]);
    const body = Buffer.alloc(20_000, 'x');
    for (const id of [1, 2]) {
      connection.codec.encode(id, toyStreamResponse({ status: '0' }), null);
      connection.codec.data(id, body, true, true);
    }
    mesh.settle();
    expect(quick.sink.dataOf(1).length).toBe(20_000);
    expect(slow.sink.dataOf(1).length).toBe(1_000);
    // What the proxy holds for the slow one: at most the upstream stream's window.
    const writable = connection.sink.events.filter((event) => event.kind === 'writable');
    expect(writable.map((event) => event.id)).toEqual([2]);
    expect(mesh.world.wires.some((wire) => wire.paused)).toBe(false);
    slow.crediting = true;
    slow.codec.credit(1, 1_000);
    mesh.settle();
    expect(slow.sink.dataOf(1).length).toBe(20_000);
  });

  it('an upstream that takes nothing stops its own stream at the caller, and no other', () => {
    const mesh = watchLeaks(new StreamMesh({ clusters: { main: 2 }, codecOptions: { windowBytes: 2_000 } }));
    const caller = mesh.newCaller();
    const body = Buffer.alloc(50_000, 'x');
    for (const id of [1, 2]) caller.codec.encode(id, toyStreamRequest({ method: 'put' }));
    mesh.settle();
    const [slow, quick] = [mesh.upstream(0).connection, mesh.upstream(1).connection];
    slow.crediting = false;
    for (const id of [1, 2]) expect(caller.codec.data(id, body, true, true)).toBe(false);
    mesh.settle();
    expect(quick.sink.dataOf(1).length).toBe(50_000);
    // The peer's window, and what the proxy took before it knew.
    expect(slow.sink.dataOf(1).length).toBe(4_096);
    expect(caller.sink.events.filter((event) => event.kind === 'writable').map((event) => event.id)).toEqual([2]);
    slow.crediting = true;
    slow.codec.credit(1, 4_096);
    mesh.settle();
    expect(slow.sink.dataOf(1).length).toBe(50_000);
    slow.codec.encode(1, toyStreamResponse({ status: '0' }, Flag.End), null);
    quick.codec.encode(1, toyStreamResponse({ status: '0' }, Flag.End), null);
    mesh.settle();
    expect(caller.sink.heads.length).toBe(2);
  });

  it('data of a stream that was given up is dropped and stalls nobody', () => {
    const mesh = watchLeaks(new StreamMesh({ codecOptions: { windowBytes: 4_000, connectionWindowBytes: 4_000 } }));
    const caller = mesh.newCaller();
    for (const id of [1, 2]) caller.codec.encode(id, toyStreamRequest({ method: 'get' }, Flag.End));
    mesh.settle();
    const { connection } = mesh.upstream();
    connection.reading = false;
    caller.codec.reset(1, Status.downstream_reset);
    mesh.settle();
    // It has not heard of the reset and fills the window of the whole connection.
    connection.codec.encode(1, toyStreamResponse({ status: '0' }), null);
    connection.codec.data(1, Buffer.alloc(4_000), true, true);
    mesh.settle();
    connection.reading = true;
    connection.codec.encode(2, toyStreamResponse({ status: '0' }), null);
    connection.codec.data(2, Buffer.alloc(4_000), true, true);
    mesh.settle();
    expect(caller.sink.dataOf(2).length).toBe(4_000);
    expect(caller.sink.headIds).toEqual([2]);
    mesh.expectQuiet();
  });
});

describe('rule 7: whole messages', () => {
  it('one read of 4,000 tiny requests meets the stream limit; all are answered, in order', () => {
    const mesh = watchLeaks(new OrderMesh({ maxStreams: 100, pool: { maxConnections: 1, maxPending: 100 } }));
    const caller = mesh.newCaller();
    caller.sendLines(...Array.from({ length: 4_000 }, (_, index) => `GET ${index}`));
    mesh.settle();
    expect(mesh.taken.streams).toBe(100);
    expect(caller.wire.paused).toBe(true);
    const { connection } = mesh.upstream();
    connection.respond = (line) => `+${line.slice(4)}`;
    for (const line of connection.lines) connection.sendLines(`+${line.slice(4)}`);
    mesh.settle();
    expect(caller.takeLines()).toEqual(Array.from({ length: 4_000 }, (_, index) => `+${index}`));
    expect(caller.wire.paused).toBe(false);
  });

  it('one read of 4,000 tiny requests that the codec answers itself', () => {
    const mesh = watchLeaks(new OrderMesh({ maxStreams: 10 }));
    const caller = mesh.newCaller();
    caller.sendLines(...Array.from({ length: 4_000 }, () => 'PING'));
    mesh.settle();
    expect(caller.takeLines().length).toBe(4_000);
  });

  it('one read of 4,000 tiny requests without a route', () => {
    const mesh = watchLeaks(new IdMesh({ routes: [], maxStreams: 10 }));
    const caller = mesh.newCaller();
    for (let id = 0n; id < 4_000n; id++) caller.call(id);
    mesh.settle();
    expect(caller.frames.length).toBe(4_000);
  });

  it('writes a burst of answers in few system calls', () => {
    const mesh = watchLeaks(new IdMesh({ upstreamPeer: FramePeer.echo }));
    const caller = mesh.newCaller();
    caller.call(0n);
    mesh.settle();
    const { writes } = caller.wire;
    const upstreamWrites = mesh.upstream().connection.wire.writes;
    const calls: Buffer[] = [];
    for (let id = 1n; id <= 50n; id++) calls.push(frame(id));
    caller.send(Buffer.concat(calls));
    mesh.settle();
    expect(caller.frames.length).toBe(51);
    expect(mesh.upstream().connection.wire.writes - upstreamWrites).toBe(1);
    expect(caller.wire.writes - writes).toBeLessThanOrEqual(2);
  });

  it('a caller that does not read its answers is not read above the soft limit, and goes on later', () => {
    const mesh = watchLeaks(new IdMesh({ codecOptions: { frameLimitBytes: MEBIBYTE }, upstreamPeer: FramePeer.echo }));
    const [slow, quick] = [mesh.newCaller(), mesh.newCaller()];
    slow.reading = false;
    slow.wire.capacityBytes = 65_536;
    let sent = 0n;
    while (!slow.wire.paused && sent < 100n) {
      slow.call(sent++, 'x'.repeat(100_000));
      mesh.settle();
    }
    expect(slow.wire.paused).toBe(true);
    expect(slow.wire.queuedBytes).toBeGreaterThan(MEBIBYTE);
    expect(slow.wire.queuedBytes).toBeLessThan(2 * MEBIBYTE);
    for (let more = 0; more < 10; more++) slow.call(sent++, 'x'.repeat(100_000));
    quick.call(1n, 'quick');
    mesh.settle();
    expect(quick.takeTexts()).toEqual(['1 quick']);
    expect(slow.wire.unreadBytes).toBeGreaterThan(900_000);
    slow.reading = true;
    slow.wire.capacityBytes = Number.POSITIVE_INFINITY;
    mesh.settle();
    expect(slow.takeFrames().length).toBe(Number(sent));
    expect(slow.wire.paused).toBe(false);
  });

  it('a caller whose answers grow above the hard limit is closed as a slow consumer', () => {
    const mesh = watchLeaks(
      new IdMesh({ codecOptions: { frameLimitBytes: 8 * MEBIBYTE }, maxStreams: 1_000, pool: { concurrency: 1_000 } }),
    );
    const [slow, other] = [mesh.newCaller(), mesh.newCaller()];
    slow.reading = false;
    slow.wire.capacityBytes = 0;
    for (let id = 0n; id < 20n; id++) slow.call(id);
    other.call(1n, 'other');
    mesh.settle();
    const body = 'x'.repeat(6 * MEBIBYTE);
    const { connection } = mesh.upstream();
    for (const frame of connection.takeFrames()) {
      connection.answer(frame, frame.body === 'other' ? {} : { body });
      mesh.settle();
    }
    expect(slow.wire.destroyed).toBe(true);
    expect(mesh.stat('downstream_slow_consumers_total')).toBe(1);
    expect(other.takeTexts()).toEqual(['1 other']);
    expect(connection.closed).toBe(false);
  });

  it('parked answers that wait for an earlier one count as well', () => {
    const mesh = watchLeaks(
      new OrderMesh({ clusters: { main: 2 }, codecOptions: { lineLimitBytes: 400_000 }, maxStreams: 1_000 }),
    );
    const caller = mesh.newCaller();
    caller.sendLines('GET blocked', 'GET 1');
    mesh.settle();
    const [blocked, other] = [mesh.upstream(0).connection, mesh.upstream(1).connection];
    other.respond = () => `+${'x'.repeat(300_000)}`;
    other.sendLines(`+${'x'.repeat(300_000)}`);
    mesh.settle();
    let asked = 2;
    while (!caller.wire.paused && asked < 40) {
      caller.sendLines(`GET ${asked++}`);
      mesh.settle();
    }
    expect(caller.wire.paused).toBe(true);
    expect(asked).toBeLessThan(20);
    expect(caller.lines).toEqual([]);
    for (const line of blocked.lines) blocked.sendLines(`+${line}`);
    mesh.settle();
    expect(caller.takeLines().length).toBe(asked);
    expect(caller.wire.paused).toBe(false);
  });
});

function frame(id: bigint): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32BE(12, 0);
  bytes.writeBigUInt64BE(id, 6);
  return bytes;
}
