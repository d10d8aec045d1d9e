/** Callers of a proxy that stops, or of a listener that is gone: whoever asks in time is answered, and hears that it is the last time. */
import { describe, expect, it } from 'vitest';
import { HttpMesh } from '../../../test/harness/http/http-mesh.ts';
import { watchLeaks } from '../../../test/harness/watch-leaks.ts';

const GET = 'GET / HTTP/1.1\r\nHost: h\r\n\r\n';
const answer = (own = '') => `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${own}\r\nok`;
const LAST = answer('connection: close\r\n');

describe.each([
  ['a proxy stops', (mesh: HttpMesh) => void mesh.plane.drain(10_000)],
  ['a listener goes', (mesh: HttpMesh) => mesh.apply({ ...mesh.describe(), listeners: [], version: '2' })],
])('where %s', (_what, stop) => {
  it('the answer that runs is the last one, a request on its way is answered, and the quiet are closed', () => {
    const mesh = watchLeaks(new HttpMesh());
    const [busy, late, half, idle] = [mesh.newCaller(), mesh.newCaller(), mesh.newCaller(), mesh.newCaller()];
    mesh.advance(5_000);
    busy.send(GET);
    mesh.settle();
    stop(mesh);
    mesh.advance(120);
    mesh.upstream().connection.send(answer());
    mesh.settle();
    expect([busy.text, busy.closed]).toEqual([LAST, true]);
    mesh.advance(20);
    late.send(GET);
    half.send(GET.slice(0, 20));
    mesh.settle();
    mesh.upstream().connection.send(answer());
    mesh.settle();
    expect([late.text, late.closed, idle.closed]).toEqual([LAST, true, false]);
    mesh.advance(150);
    expect([idle.closed, idle.wire.resetSent, half.closed]).toEqual([true, false, false]);
    half.send(GET.slice(20));
    mesh.settle();
    mesh.upstream().connection.send(answer());
    mesh.settle();
    expect([half.text, half.closed]).toEqual([LAST, true]);
    for (const caller of [busy, late, half, idle]) caller.end();
    mesh.settle();
  });
});
