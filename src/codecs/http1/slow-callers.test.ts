/** HTTP callers that are too slow: 408 where they owe the rest of a request, 504 where the upstream owes its answer. */
import { describe, expect, it } from 'vitest';
import { HttpMesh } from '../../../test/harness/http/http-mesh.ts';
import type { RawPeer } from '../../../test/harness/raw-peer.ts';
import { watchLeaks } from '../../../test/harness/watch-leaks.ts';
import type { CallerTimeouts } from '../../metaprotocol/description.ts';

const GET = 'GET / HTTP/1.1\r\nHost: h\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

function start(timeouts: Partial<CallerTimeouts>): { mesh: HttpMesh; caller: RawPeer } {
  const mesh = watchLeaks(new HttpMesh({ timeouts, routes: [{ timeoutMs: 0 }] }));
  return { mesh, caller: mesh.newCaller() };
}

function expectRefused(mesh: HttpMesh, caller: RawPeer, status: number, detail: string): void {
  expect(caller.take().toString()).toMatch(
    new RegExp(`^HTTP/1.1 ${status} [^]*\r\nconnection: close\r\n\r\ntimeout: ${detail}`),
  );
  expect(caller.closed).toBe(true);
  caller.end();
  mesh.settle();
}

describe('a slow caller', () => {
  it('of a head gets 408, however its bytes drip', () => {
    const { mesh, caller } = start({ headMs: 1_000 });
    for (let at = 0; at < 10; at++) {
      caller.send(GET.slice(at, at + 1));
      mesh.advance(100);
    }
    mesh.advance(20);
    expectRefused(mesh, caller, 408, 'http1: a head was not whole within 1000 ms of its first byte at byte 0\n');
    expect(mesh.upstream().connections).toEqual([]);
  });

  it('of a second head gets 408 behind its first answer', () => {
    const { mesh, caller } = start({ headMs: 1_000 });
    caller.send(GET + GET.slice(0, 10));
    // The second head is not looked at before the first one is answered.
    mesh.advance(3_000);
    mesh.upstream().connection.send(OK);
    mesh.settle();
    expect(caller.take().toString()).toBe(OK);
    mesh.advance(1_030);
    expectRefused(mesh, caller, 408, 'http1: a head');
  });

  it('that says nothing is no slow one', () => {
    const { mesh, caller } = start({ headMs: 1_000 });
    mesh.advance(5_000);
    caller.send(GET);
    mesh.settle();
    mesh.upstream().connection.send(OK);
    mesh.advance(5_000);
    expect([caller.text, caller.closed]).toEqual([OK, false]);
    caller.end();
    mesh.settle();
  });

  it.each([
    ['Content-Length: 100\r\n\r\nabc', { streamIdleMs: 1_000 }, 'nothing moved either way for 1000 ms'],
    ['Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n', { streamIdleMs: 1_000 }, 'nothing moved either way for 1000 ms'],
    ['Content-Length: 100\r\n\r\nabc', { requestMs: 1_000 }, 'the request did not end within 1000 ms'],
  ])('of a body (%j) gets 408', (rest, timeouts, detail) => {
    const { mesh, caller } = start(timeouts);
    caller.send(`POST / HTTP/1.1\r\nHost: h\r\n${rest}`);
    mesh.advance(990);
    expect(caller.text).toBe('');
    mesh.advance(300);
    expectRefused(mesh, caller, 408, detail);
    expect(mesh.upstream().connection.wire.destroyed).toBe(true);
  });

  it('of a body whose answer began is cut', () => {
    const { mesh, caller } = start({ streamIdleMs: 1_000 });
    caller.send('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc');
    mesh.settle();
    mesh.upstream().connection.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc');
    mesh.advance(1_300);
    expect(caller.take().toString()).toMatch(/abc$/);
    expect(caller.closed).toBe(true);
    caller.end();
    mesh.settle();
  });
});

describe('a slow upstream', () => {
  it('makes it 504, and the caller’s connection goes on', () => {
    const { mesh, caller } = start({ streamIdleMs: 1_000 });
    caller.send(GET);
    mesh.advance(1_300);
    expect(caller.take().toString()).toMatch(/^HTTP\/1.1 504 .*nothing moved either way for 1000 ms\n$/s);
    expect([caller.closed, mesh.upstream().connection.wire.destroyed]).toEqual([false, true]);
    caller.send(GET);
    mesh.settle();
    mesh.upstream().connections[1]!.send(OK);
    mesh.settle();
    expect(caller.text).toBe(OK);
    caller.end();
    mesh.settle();
  });

  it('that says 1xx now and then is none', () => {
    const { mesh, caller } = start({ streamIdleMs: 1_000 });
    caller.send(GET);
    mesh.settle();
    for (let step = 0; step < 6; step++) {
      mesh.upstream().connection.send('HTTP/1.1 102 Processing\r\n\r\n');
      mesh.advance(500);
    }
    mesh.upstream().connection.send(OK);
    mesh.settle();
    expect(caller.text.endsWith(OK)).toBe(true);
    caller.end();
    mesh.settle();
  });
});

describe('a tunnel', () => {
  it('has a limit of its own', () => {
    const { mesh, caller } = start({ streamIdleMs: 1_000, tunnelIdleMs: 10_000 });
    caller.send('GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    mesh.settle();
    const upstream = mesh.upstream().connection;
    upstream.send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    mesh.advance(9_000);
    upstream.send('ping');
    mesh.advance(9_000);
    expect(caller.closed).toBe(false);
    mesh.advance(4_000);
    expect([caller.closed, upstream.wire.destroyed]).toEqual([true, true]);
    caller.end();
    mesh.settle();
  });
});
