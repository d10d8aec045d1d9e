/** Rule 12: ProxyStatus goes from the core to the codec, `outcome` from the codec to the core; they are never mixed. */
import { describe, expect, it } from 'vitest';
import { IdMesh, OrderMesh, ScriptedFilter, StreamMesh } from '../../../test/harness/toy-mesh.ts';
import { codeOf } from '../../../test/harness/toys/toy-codes.ts';
import {
  toyStreamRequest,
  toyStreamResponse,
  toyStreamTrailers,
} from '../../../test/harness/toys/toy-stream-message.ts';
import { watchLeaks } from '../../../test/harness/watch-leaks.ts';
import { FilterStatus } from '../filter.ts';
import { Flag } from '../message.ts';
import { type ProxyStatus, Status, type StatusName, statusOf } from '../status.ts';

const NAMES = (Object.keys(Status) as StatusName[]).filter((name) => name !== 'no_error');

function replying(status: ProxyStatus): ScriptedFilter {
  const filter = new ScriptedFilter();
  filter.request = (stream) => {
    stream.reply(status);
    return FilterStatus.Stop;
  };
  return filter;
}

describe('rule 12: two vocabularies', () => {
  it.each(NAMES)('%s is said in the words of each protocol', (name) => {
    const filter = replying(Status[name]);
    const ids = watchLeaks(new IdMesh({ filters: [filter] }));
    const idCaller = ids.newCaller();
    idCaller.call(1n);
    ids.settle();
    expect(idCaller.frames).toMatchObject([{ id: 1n, status: codeOf(Status[name]) }]);
    const order = watchLeaks(new OrderMesh({ filters: [filter] }));
    const lineCaller = order.newCaller();
    lineCaller.sendLines('GET 1');
    order.settle();
    expect(lineCaller.lines).toEqual([`-${name} ${Status[name].detail}`]);
    const streams = watchLeaks(new StreamMesh({ filters: [filter] }));
    const streamCaller = streams.newCaller();
    streamCaller.codec.encode(1, toyStreamRequest({ method: 'get' }, Flag.End));
    streams.settle();
    expect(streamCaller.sink.heads.map((head) => head.get('error'))).toEqual([name]);
    expect(filter.ended).toEqual([name, name, name]);
  });

  it('a named code of the protocol goes before its own mapping', () => {
    const mesh = watchLeaks(new IdMesh({ filters: [replying(statusOf(Status.fault, 'injected', 77))] }));
    const caller = mesh.newCaller();
    caller.call(1n);
    mesh.settle();
    expect(caller.frames).toMatchObject([{ status: 77 }]);
  });

  it("an upstream's error is delivered as it is: an outcome, counted, but no status of the proxy", () => {
    const filter = new ScriptedFilter();
    const mesh = watchLeaks(new IdMesh({ filters: [filter], routes: [{ retry: { retries: 2 } }] }));
    const caller = mesh.newCaller();
    caller.call(1n);
    caller.call(2n);
    mesh.settle();
    const { connection } = mesh.upstream();
    const [first, second] = connection.takeFrames();
    connection.answer(first!, { status: 9 });
    connection.answer(second!);
    mesh.settle();
    expect(caller.frames.map((frame) => frame.status)).toEqual([9, 0]);
    expect(filter.ended).toEqual(['no_error', 'no_error']);
    expect(mesh.stat('upstream_responses_total', { outcome: 'error' })).toBe(1);
    expect(mesh.stat('upstream_responses_total', { outcome: 'ok' })).toBe(1);
  });

  it('an outcome may come as late as the trailers', () => {
    const mesh = watchLeaks(new StreamMesh());
    const caller = mesh.newCaller();
    for (const id of [1, 2]) caller.codec.encode(id, toyStreamRequest({ method: 'get' }, Flag.End));
    mesh.settle();
    const { connection } = mesh.upstream();
    for (const id of [1, 2]) {
      connection.codec.encode(id, toyStreamResponse({ kind: 'stream' }), null);
      connection.codec.data(id, Buffer.from('x'), false, true);
      connection.codec.trailers(id, toyStreamTrailers({ status: id === 1 ? '0' : '13' }));
    }
    mesh.settle();
    expect(caller.sink.events.filter((event) => event.kind === 'trailers').length).toBe(2);
    expect(mesh.stat('upstream_responses_total', { outcome: 'error' })).toBe(1);
    expect(mesh.stat('upstream_responses_total', { outcome: 'ok' })).toBe(1);
  });

  it('what the proxy itself has to say, it says with the right status', () => {
    const said = (frames: readonly { head: string }[]) => frames.map(({ head }) => /^error=(.*)$/m.exec(head)?.[1]);
    const cases: [StatusName, IdMesh, (mesh: IdMesh) => void][] = [
      ['no_route', new IdMesh({ routes: [] }), () => {}],
      ['no_healthy_endpoint', new IdMesh({ clusters: { main: 0 } }), () => {}],
      ['no_cluster', new IdMesh({ clusters: { other: 1 } }), () => {}],
      ['timeout', new IdMesh({ routes: [{ timeoutMs: 50 }] }), (mesh) => mesh.advance(100)],
      ['upstream_reset', new IdMesh(), (mesh) => mesh.upstream().connection.wire.break()],
      ['overloaded', new IdMesh({ pool: { maxPending: 0 } }), () => {}],
    ];
    for (const [status, mesh, act] of cases) {
      watchLeaks(mesh);
      const caller = mesh.newCaller();
      caller.call(1n);
      mesh.settle();
      act(mesh);
      mesh.settle();
      expect(said(caller.frames)).toEqual([status]);
    }
  });
});
