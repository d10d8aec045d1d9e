/** One assignment swaps the configuration: what runs ends on its own, what is open stays open. */
import { describe, expect, it } from 'vitest';
import { IdMesh, OrderMesh, StreamMesh } from '../../test/harness/toy-mesh.ts';
import { FramePeer } from '../../test/harness/toy-peers.ts';
import { toyStreamRequest, toyStreamResponse } from '../../test/harness/toys/toy-stream-message.ts';
import { watchLeaks } from '../../test/harness/watch-leaks.ts';
import { NO_MUTATION, type RouteDescription, weightedCluster } from './description.ts';
import { Flag } from './message.ts';

const to = (cluster: string): Partial<RouteDescription> => ({
  clusters: [weightedCluster(cluster)],
});
const clusters = { v1: 1, v2: 1 };

describe('swap', () => {
  it('the next request of an open connection takes the new route; one that runs keeps its own', () => {
    const mutation = (value: string) => ({ ...NO_MUTATION, set: [['route', value]] as const });
    const mesh = watchLeaks(
      new IdMesh({ clusters, routes: [{ ...to('v1'), responseMutation: mutation('old'), timeoutMs: 500 }] }),
    );
    const caller = mesh.newCaller();
    caller.call(1n, 'running');
    caller.call(2n, 'hangs');
    mesh.settle();
    mesh.apply(mesh.describe([{ ...to('v2'), responseMutation: mutation('new') }]));
    caller.call(3n, 'next');
    mesh.settle();
    const [v1, v2] = [mesh.upstream(0, 1).connection, mesh.upstream(0, 2).connection];
    expect(v2.frames.map((frame) => frame.body)).toEqual(['next']);
    v2.answer(v2.takeFrames()[0]!);
    v1.answer(v1.takeFrames()[0]!);
    mesh.advance(600);
    const answers = caller.takeFrames().sort((a, b) => Number(a.id - b.id));
    expect(answers.map((frame) => frame.head.split('\n')[0])).toEqual(['route=old', 'error=timeout', 'route=new']);
    expect(caller.closed).toBe(false);
  });

  it('50 swaps under 16 callers: no call fails, no connection closes, upstreams are kept', () => {
    const mesh = watchLeaks(new IdMesh({ clusters, routes: [to('v1')], upstreamPeer: FramePeer.echo }));
    const callers = Array.from({ length: 16 }, () => mesh.newCaller());
    let id = 0n;
    for (let swap = 0; swap < 50; swap++) {
      id++;
      for (const [index, caller] of callers.entries()) caller.call(id, `${index}`);
      // Between the read and its answers.
      mesh.apply(mesh.describe([to(swap % 2 === 0 ? 'v2' : 'v1')]));
      mesh.settle();
      for (const [index, caller] of callers.entries()) expect(caller.takeTexts()).toEqual([`${id} ${index}`]);
    }
    expect(callers.some((caller) => caller.closed)).toBe(false);
    expect([1, 2].map((cluster) => mesh.upstream(0, cluster).connections.length)).toEqual([1, 1]);
  });

  it('an endpoint that is gone gets no new request; what runs there ends, then its connections close', () => {
    const mesh = watchLeaks(new IdMesh({ clusters: { main: 2 } }));
    const caller = mesh.newCaller();
    caller.call(1n, 'a');
    caller.call(2n, 'b');
    mesh.settle();
    const [kept, gone] = [mesh.upstream(0).connection, mesh.upstream(1).connection];
    const description = mesh.describe();
    const [main] = description.clusters;
    mesh.apply({ ...description, clusters: [{ ...main!, endpoints: main!.endpoints.slice(0, 1) }] });
    for (let id = 3n; id <= 6n; id++) caller.call(id);
    mesh.settle();
    expect([kept.frames.length, gone.frames.length]).toEqual([5, 1]);
    expect(gone.closed).toBe(false);
    for (const connection of [kept, gone]) for (const frame of connection.takeFrames()) connection.answer(frame);
    mesh.settle();
    expect(caller.frames.length).toBe(6);
    expect([kept.closed, gone.closed]).toEqual([false, true]);
  });

  it('counts connections over TLS, over a swap too, in a statistic that is there before them', () => {
    const mesh = watchLeaks(new IdMesh());
    const { length } = mesh.stats.definitions;
    const tls = { serverName: null, alpn: null, uriSans: [], version: 'TLSv1.3' };
    const callers = [null, tls, { ...tls, version: null }].map((peer) =>
      mesh.caller((wire) => new FramePeer(wire), peer),
    );
    expect(mesh.stats.definitions.length).toBe(length);
    mesh.apply(mesh.describe([{ timeoutMs: 1 }]));
    expect(mesh.stat('downstream_tls_connections', { listener: 'listener' })).toBe(1);
    for (const caller of callers) caller.wire.break(null);
    mesh.settle();
    expect(mesh.stat('downstream_tls_connections')).toBe(0);
    expect(mesh.stats.definitions.length).toBe(length);
  });

  it('a configuration with faults changes nothing and names them all', () => {
    const mesh = watchLeaks(new IdMesh({ clusters, routes: [to('v1')], upstreamPeer: FramePeer.echo }));
    const bad = mesh.describe([
      {
        name: 'bad',
        match: [{ key: 'k', test: { kind: 'regex', value: '(' }, invert: false, absentIsEmpty: false }],
        clusters: [],
      },
    ]);
    const issues = mesh.plane.apply(bad);
    expect(issues.map((issue) => [issue.kind, issue.name])).toEqual([
      ['routes', 'routes'],
      ['routes', 'routes'],
    ]);
    const caller = mesh.newCaller();
    caller.call(1n, 'still v1');
    mesh.settle();
    expect(caller.takeTexts()).toEqual(['1 still v1']);
    expect(mesh.upstream(0, 1).connections.length).toBe(1);
  });

  it('connections of a listener that is gone end behind their answers', () => {
    const mesh = watchLeaks(new OrderMesh());
    const [busy, idle] = [mesh.newCaller(), mesh.newCaller()];
    busy.sendLines('GET 1');
    mesh.settle();
    mesh.apply({ ...mesh.describe(), listeners: [], version: '2' });
    mesh.settle();
    expect([busy.closed, idle.closed]).toEqual([false, false]);
    mesh.advance(300);
    expect([busy.closed, idle.closed]).toEqual([false, true]);
    mesh.upstream().connection.sendLines('+1');
    mesh.settle();
    expect(busy.takeLines()).toEqual(['>goaway', '+1']);
    mesh.advance(300);
    expect(busy.closed).toBe(true);
    for (const caller of [busy, idle]) caller.end();
    mesh.settle();
  });
});

describe('drain', () => {
  it('asks callers to go, lets what runs finish, then is done', async () => {
    const mesh = watchLeaks(new StreamMesh());
    const caller = mesh.newCaller();
    caller.codec.encode(1, toyStreamRequest({ method: 'get' }, Flag.End));
    mesh.settle();
    let done = false;
    const drained = mesh.plane.drain(10_000).then(() => {
      done = true;
    });
    expect(caller.sink.goneAway).toBe(false);
    mesh.advance(120);
    expect(caller.sink.goneAway).toBe(true);
    const refused = mesh.newCaller();
    expect(refused.closed).toBe(true);
    const { connection } = mesh.upstream();
    connection.codec.encode(1, toyStreamResponse({ status: '0' }, Flag.End), null);
    mesh.settle();
    expect(caller.sink.heads.length).toBe(1);
    caller.end();
    for (let turn = 0; turn < 20 && !done; turn++) {
      mesh.advance(50);
      await Promise.resolve();
    }
    await drained;
    expect(mesh.world.clock.nowMs()).toBeLessThan(1_000);
  });

  it('closes what did not finish by its deadline', async () => {
    const mesh = watchLeaks(new IdMesh());
    const caller = mesh.newCaller();
    caller.call(1n, 'hangs');
    mesh.settle();
    let done = false;
    const drained = mesh.plane.drain(1_000).then(() => {
      done = true;
    });
    for (let turn = 0; turn < 100 && !done; turn++) {
      mesh.advance(50);
      await Promise.resolve();
    }
    await drained;
    expect(caller.closed).toBe(true);
    expect(mesh.world.clock.nowMs()).toBeLessThan(2_000);
  });

  it('an idle caller is asked to go after the idle timeout', () => {
    const mesh = watchLeaks(new OrderMesh({ timeouts: { idleMs: 5_000 } }));
    const [idle, active] = [mesh.newCaller(), mesh.newCaller()];
    for (let second = 0; second < 8; second++) {
      active.sendLines('PING');
      mesh.advance(1_000);
    }
    expect(idle.lines).toEqual(['>goaway']);
    expect([idle.closed, active.closed]).toEqual([true, false]);
    idle.end();
    mesh.settle();
  });
});
