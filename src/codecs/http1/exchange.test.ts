import { describe, expect, it } from 'vitest';
import { HttpMesh } from '../../../test/harness/http/http-mesh.ts';
import type { RawPeer } from '../../../test/harness/raw-peer.ts';
import { watchLeaks } from '../../../test/harness/watch-leaks.ts';

const GET = (path: string, fields = ''): string => `GET ${path} HTTP/1.1\r\nHost: h\r\n${fields}\r\n`;
const OK = (body: string, fields = ''): string =>
  `HTTP/1.1 200 OK\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;

function start(codecOptions?: unknown): { mesh: HttpMesh; caller: RawPeer } {
  const mesh = watchLeaks(new HttpMesh({ codecOptions }));
  return { mesh, caller: mesh.newCaller() };
}

/** The proxy closed; then the caller does. */
function expectLeft(mesh: HttpMesh, caller: RawPeer): void {
  expect(caller.closed).toBe(true);
  caller.end();
  mesh.settle();
}

describe('requests and answers', () => {
  it('pass with what is theirs, without what was the connection’s', () => {
    const { mesh, caller } = start();
    caller.send(GET('/a?b', 'Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nX:  y\r\nTE: trailers\r\n'));
    mesh.settle();
    const upstream = mesh.upstream().connection;
    expect(upstream.take().toString()).toBe('GET /a?b HTTP/1.1\r\nHost: h\r\nX:  y\r\n\r\n');
    upstream.send('HTTP/1.1 200 Fine\r\nConnection: keep-alive\r\nServer: s\r\nContent-Length: 2\r\n\r\nok');
    mesh.settle();
    expect(caller.take().toString()).toBe('HTTP/1.1 200 Fine\r\nServer: s\r\nContent-Length: 2\r\n\r\nok');
    expect(caller.closed).toBe(false);
    // Head and body in one system call.
    expect(caller.wire.writes).toBe(1);
  });

  it.each([
    ['OPTIONS http://h', 'OPTIONS *'],
    ['OPTIONS http://h/', 'OPTIONS /'],
    ['OPTIONS http://h?a', 'OPTIONS /?a'],
    ['GET http://h', 'GET /'],
  ])('%s goes on as %s', (asked, sent) => {
    const { mesh, caller } = start();
    caller.send(`${asked} HTTP/1.1\r\nHost: h\r\n\r\n`);
    mesh.settle();
    expect(mesh.upstream().connection.take().toString()).toBe(`${sent} HTTP/1.1\r\nHost: h\r\n\r\n`);
    mesh.upstream().connection.send(OK(''));
    mesh.settle();
  });

  it('are pipelined one after the other, over one upstream connection', () => {
    const { mesh, caller } = start();
    caller.send(GET('/1') + GET('/2') + GET('/3'), [7, 30]);
    mesh.settle();
    const upstream = mesh.upstream().connection;
    for (const number of [1, 2, 3]) {
      expect(upstream.take().toString()).toBe(GET(`/${number}`));
      upstream.send(OK(`${number}`));
      mesh.settle();
    }
    expect(caller.text).toBe(OK('1') + OK('2') + OK('3'));
  });

  it('stream chunked bodies both ways, with trailers', () => {
    const { mesh, caller } = start();
    caller.send('POST / HTTP/1.1\r\nHost: h\r\ntransfer-encoding: chunked\r\n\r\n3;x\r\nabc\r\n');
    mesh.settle();
    const upstream = mesh.upstream().connection;
    const head = 'POST / HTTP/1.1\r\nHost: h\r\ntransfer-encoding: chunked\r\n\r\n';
    expect(upstream.take().toString()).toBe(`${head}3\r\nabc\r\n`);
    caller.send('0\r\nX: y\r\n\r\n');
    mesh.settle();
    expect(upstream.take().toString()).toBe('0\r\nX: y\r\n\r\n');
    upstream.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nT: u\r\n\r\n');
    mesh.settle();
    expect(caller.text).toBe('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nT: u\r\n\r\n');
  });

  it('pass 1xx on, and Expect with them', () => {
    const { mesh, caller } = start();
    caller.send('POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n');
    mesh.settle();
    const upstream = mesh.upstream().connection;
    expect(upstream.take().toString()).toContain('Expect: 100-continue');
    upstream.send('HTTP/1.1 100 Continue\r\n\r\n');
    mesh.settle();
    expect(caller.take().toString()).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    caller.send('abc');
    mesh.settle();
    upstream.send(`HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${OK('ok')}`);
    mesh.settle();
    expect(caller.text).toBe(`HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${OK('ok')}`);
  });

  it('pass 1xx on up to a number, since a caller may read none of them', () => {
    const { mesh, caller } = start();
    caller.send(GET('/'));
    mesh.settle();
    const hint = 'HTTP/1.1 103 Early Hints\r\n\r\n';
    mesh.upstream().connection.send(hint.repeat(100));
    mesh.settle();
    expect(caller.take().toString()).toBe(hint.repeat(100));
    mesh.upstream().connection.send(hint);
    mesh.settle();
    expect(caller.text).toMatch(/^HTTP\/1.1 502 /);
    expect(caller.text).toContain('more than 100 informational responses before the response');
  });

  it.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n'],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
  ])('%s with an answer that has no body keeps the connection', (method, answer) => {
    const { mesh, caller } = start();
    const request = `${method} / HTTP/1.1\r\nHost: h\r\n\r\n`;
    caller.send(request);
    mesh.settle();
    mesh.upstream().connection.send(answer);
    mesh.settle();
    expect(caller.take().toString()).toBe(answer);
    caller.send(request);
    mesh.settle();
    expect(mesh.upstream().connection.take().toString()).toBe(request + request);
    mesh.upstream().connection.send(answer);
    mesh.settle();
    expect(caller.text).toBe(answer);
  });

  it('end with the connection where the upstream says so, and become chunks for the caller', () => {
    const { mesh, caller } = start();
    caller.send(GET('/'));
    mesh.settle();
    const upstream = mesh.upstream().connection;
    upstream.send('HTTP/1.0 200 OK\r\n\r\nhello');
    upstream.end();
    mesh.settle();
    expect(caller.text).toBe('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n');
    expect(caller.closed).toBe(false);
  });

  it('reach HTTP/1.0 callers without chunks, and without 1xx', () => {
    const { mesh, caller } = start();
    caller.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    mesh.settle();
    const upstream = mesh.upstream().connection;
    expect(upstream.take().toString()).toBe('GET / HTTP/1.1\r\nhost: \r\n\r\n');
    upstream.send(`HTTP/1.1 103 Early Hints\r\n\r\n${OK('ok')}`);
    mesh.settle();
    expect(caller.take().toString()).toBe('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nconnection: keep-alive\r\n\r\nok');
    caller.send('GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n');
    mesh.settle();
    upstream.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n');
    mesh.settle();
    expect(caller.text).toBe('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok');
    expectLeft(mesh, caller);
  });

  it('close where the caller asked for it', () => {
    const { mesh, caller } = start();
    caller.send(GET('/', 'Connection: close\r\n') + GET('/never'));
    mesh.settle();
    mesh.upstream().connection.send(OK('ok'));
    mesh.settle();
    expect(caller.text).toBe('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nconnection: close\r\n\r\nok');
    expectLeft(mesh, caller);
    expect(mesh.upstream().connection.text).not.toContain('never');
  });
});

describe('answers of the proxy itself', () => {
  it('say when they were made, whoever refused', () => {
    const { mesh, caller } = start();
    const dateOf = (text: string) => /\r\ndate: (.*?)\r\n/.exec(text)?.[1];
    caller.send(GET('/'));
    mesh.settle();
    mesh.upstream().connection.send('nonsense\r\n\r\n');
    mesh.settle();
    expect(dateOf(caller.take().toString())).toBe('Tue, 03 Feb 2026 12:00:00 GMT');
    mesh.advance(1_500);
    caller.send('nonsense\r\n\r\n');
    mesh.settle();
    expect(caller.text).toMatch(/^HTTP\/1.1 400 /);
    expect(dateOf(caller.text)).toBe('Tue, 03 Feb 2026 12:00:01 GMT');
    expectLeft(mesh, caller);
  });
});

describe('upstream connections', () => {
  it.each([
    ['Connection: close', OK('ok', 'Connection: close\r\n')],
    ['a byte behind the answer', `${OK('ok')}x`],
    ['a second answer', OK('ok') + OK('evil')],
  ])('are not used again after %s', (_what, answer) => {
    const { mesh, caller } = start();
    caller.send(GET('/1') + GET('/2'));
    mesh.settle();
    mesh.upstream().connections[0]!.send(answer);
    mesh.settle();
    expect(mesh.upstream().connections.length).toBe(2);
    mesh.upstream().connections[1]!.send(OK('2'));
    mesh.settle();
    expect(caller.text).toBe(OK('ok') + OK('2'));
    expect(mesh.upstream().connections[0]!.wire.destroyed).toBe(true);
  });

  it.each(['HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n', 'HTTP/1.1 200 ', 'H', '\r\n'])(
    'that say %j before anybody asked are closed',
    (unasked) => {
      const { mesh, caller } = start();
      caller.send(GET('/1'));
      mesh.settle();
      mesh.upstream().connection.send(OK('1'));
      mesh.settle();
      mesh.upstream().connection.send(unasked);
      mesh.settle();
      expect(mesh.upstream().connection.wire.destroyed).toBe(true);
      caller.send(GET('/2'));
      mesh.settle();
      mesh.upstream().connections[1]!.send(OK('2'));
      mesh.settle();
      expect(caller.text).toBe(OK('1') + OK('2'));
    },
  );

  it('that went stale cost no idempotent request, and a POST only if it left', () => {
    const { mesh, caller } = start();
    caller.send(GET('/1'));
    mesh.settle();
    mesh.upstream().connection.send(OK('1'));
    mesh.settle();
    caller.send(GET('/2'));
    mesh.settle();
    mesh.upstream().connection.end();
    mesh.settle();
    mesh.upstream().connections[1]!.send(OK('2'));
    mesh.settle();
    expect(caller.take().toString()).toBe(OK('1') + OK('2'));
    caller.send('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok');
    mesh.settle();
    mesh.upstream().connections[1]!.end();
    mesh.settle();
    expect(caller.text).toMatch(/^HTTP\/1.1 503 .*upstream_reset/s);
  });

  it('that went stale cost no small PUT, and a large one if it left', () => {
    const { mesh, caller } = start();
    const put = (bytes: number) => `PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: ${bytes}\r\n\r\n`;
    caller.send(GET('/1'));
    mesh.settle();
    mesh.upstream().connection.send(OK('1'));
    mesh.settle();
    caller.take();
    caller.send(`${put(2)}a`);
    mesh.settle();
    mesh.upstream().connection.end();
    mesh.settle();
    caller.send('b');
    mesh.settle();
    expect(mesh.upstream().connections[1]!.text).toBe(`${put(2)}ab`);
    mesh.upstream().connections[1]!.send(OK('2'));
    mesh.settle();
    expect(caller.take().toString()).toBe(OK('2'));
    caller.send(put(100_001));
    caller.send('x'.repeat(100_000));
    mesh.settle();
    mesh.upstream().connections[1]!.end();
    mesh.settle();
    expect(caller.text).toMatch(/^HTTP\/1.1 503 .*upstream_reset/s);
    caller.end();
    mesh.settle();
  });

  it.each([
    ['both lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok'],
    ['bare LF', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok'],
    ['a folded line', 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n'],
    ['no status', 'HTTP/1.1 OK\r\n\r\n'],
    ['HTTP/2', 'HTTP/2 200 OK\r\n\r\n'],
    ['an unasked upgrade', 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'],
    ['a coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'],
  ])('that send %s fail with 502', (_what, answer) => {
    const { mesh, caller } = start();
    caller.send(GET('/'));
    mesh.settle();
    mesh.upstream().connection.send(answer);
    mesh.settle();
    expect(caller.text).toMatch(/^HTTP\/1.1 502 Bad Gateway\r\n.*upstream_malformed: http1: /s);
    expect(mesh.upstream().connection.wire.destroyed).toBe(true);
  });

  it('that end in the middle of an answer cut the caller’s', () => {
    const { mesh, caller } = start();
    caller.send(GET('/'));
    mesh.settle();
    mesh.upstream().connection.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n');
    mesh.upstream().connection.end();
    mesh.settle();
    expect(caller.text).toBe('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n');
    expectLeft(mesh, caller);
  });
});

describe('callers that go', () => {
  it('take their request with them', () => {
    const { mesh, caller } = start();
    caller.send(GET('/'));
    mesh.settle();
    caller.end();
    mesh.settle();
    expect(mesh.upstream().connection.wire.destroyed).toBe(true);
    expect(caller.closed).toBe(true);
  });

  it('only end their sending where that is configured', () => {
    const { mesh, caller } = start({ halfClose: 'answer' });
    caller.send(GET('/1') + GET('/2'));
    caller.end();
    mesh.settle();
    mesh.upstream().connection.send(OK('1'));
    mesh.settle();
    mesh.upstream().connection.send(OK('2'));
    mesh.settle();
    expect(caller.text).toBe(OK('1') + OK('2'));
    expect(caller.closed).toBe(true);
  });

  it('get the early answer while they still send', () => {
    const { mesh, caller } = start();
    caller.send('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nabc');
    mesh.settle();
    mesh.upstream().connection.send('HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig');
    mesh.settle();
    expect(caller.text).toMatch(/^HTTP\/1.1 413 [^\r]*\r\nContent-Length: 3\r\nconnection: close\r\n\r\nbig$/);
    expect(mesh.upstream().connection.wire.destroyed).toBe(true);
    // FIN, not RST: what it goes on sending is read and dropped.
    caller.send('d'.repeat(900));
    mesh.settle();
    expect(caller.wire.ended).toBe(true);
    expect(caller.wire.destroyed).toBe(false);
    expect(caller.wire.resetSent).toBe(false);
    caller.end();
    mesh.settle();
    expect(caller.wire.destroyed).toBe(true);
  });

  it('that send a malformed body hear of it before the answer began, and are cut afterwards', () => {
    const { mesh, caller } = start();
    const head = 'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n';
    caller.send(`${head}3\r\nabc\r\n`);
    mesh.settle();
    caller.send('zzz\r\n');
    mesh.settle();
    expect(caller.text).toMatch(/^HTTP\/1.1 400 Bad Request\r\n.*byte 0x7a: a chunk without a size/s);
    expectLeft(mesh, caller);
    // No last chunk: the upstream never takes it for a whole request.
    expect(mesh.upstream().connection.text).not.toContain('0\r\n\r\n');
    expect(mesh.upstream().connection.wire.destroyed).toBe(true);
  });
});

describe('tunnels', () => {
  const UPGRADE = GET('/ws', 'Connection: Upgrade\r\nUpgrade: websocket\r\n');

  it('open to no other protocol than the caller asked for', () => {
    const { mesh, caller } = start();
    caller.send(UPGRADE);
    mesh.settle();
    mesh.upstream().connection.send('HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n');
    mesh.settle();
    expect(caller.text).toMatch(/^HTTP\/1.1 502 .*status 101 to x, expected websocket/s);
  });

  it.each(['websocket', 'spdy/3.1'])('open by 101 only to %s, both ways, and end when both ends did', (protocol) => {
    const { mesh, caller } = start();
    caller.send(`${UPGRADE.replace('websocket', protocol)}early`);
    mesh.settle();
    const upstream = mesh.upstream().connection;
    expect(upstream.take().toString()).toBe(
      `GET /ws HTTP/1.1\r\nHost: h\r\nupgrade: ${protocol}\r\nconnection: upgrade\r\n\r\n`,
    );
    upstream.send(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\nhi`);
    mesh.settle();
    expect(caller.take().toString()).toBe(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: ${protocol}\r\nconnection: upgrade\r\n\r\nhi`,
    );
    expect(upstream.take().toString()).toBe('early');
    caller.send('GET / HTTP/1.1\r\n\r\n');
    caller.end();
    mesh.settle();
    expect(upstream.take().toString()).toBe('GET / HTTP/1.1\r\n\r\n');
    expect(upstream.wire.ended).toBe(true);
    upstream.send('bye');
    mesh.settle();
    expect(caller.take().toString()).toBe('bye');
    upstream.end();
    mesh.settle();
    expect([caller.closed, upstream.wire.destroyed]).toEqual([true, true]);
  });

  it('are asked for again where the connection had gone stale', () => {
    const { mesh, caller } = start();
    caller.send(GET('/'));
    mesh.settle();
    mesh.upstream().connection.send(OK('ok'));
    mesh.settle();
    caller.send(UPGRADE);
    mesh.settle();
    mesh.upstream().connection.end();
    mesh.settle();
    const upstream = mesh.upstream().connections[1]!;
    upstream.send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi');
    mesh.settle();
    caller.send('there');
    mesh.settle();
    expect(caller.text).toMatch(/ 101 .*hi$/s);
    expect(upstream.text).toMatch(/there$/);
    caller.end();
    upstream.end();
    mesh.settle();
  });

  it('that are refused leave nothing of what was sent into them to be read as requests', () => {
    const { mesh, caller } = start();
    caller.send(UPGRADE + GET('/smuggled'));
    mesh.settle();
    mesh.upstream().connection.send(OK('no'));
    mesh.settle();
    expect(caller.text).toBe('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nconnection: close\r\n\r\nno');
    expectLeft(mesh, caller);
    expect(mesh.upstream().connection.text).not.toContain('smuggled');
  });

  it('that are refused keep the connection where nothing was sent into them', () => {
    const { mesh, caller } = start();
    caller.send(UPGRADE);
    mesh.settle();
    mesh.upstream().connection.send(OK('no'));
    mesh.settle();
    expect(caller.take().toString()).toBe(OK('no'));
    caller.send(GET('/next'));
    mesh.settle();
    mesh.upstream().connection.send(OK('next'));
    mesh.settle();
    expect(caller.text).toBe(OK('next'));
  });

  it('open for CONNECT by 2xx', () => {
    const { mesh, caller } = start();
    caller.send('CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\nhello');
    mesh.settle();
    const upstream = mesh.upstream().connection;
    expect(upstream.take().toString()).toBe('CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n');
    upstream.send('HTTP/1.1 200 Established\r\nContent-Length: 5\r\n\r\nworld');
    mesh.settle();
    expect(caller.text).toBe('HTTP/1.1 200 Established\r\n\r\nworld');
    expect(upstream.text).toBe('hello');
    caller.end();
    upstream.end();
    mesh.settle();
  });

  it('close after a refused CONNECT', () => {
    const { mesh, caller } = start();
    caller.send(`CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n${GET('/smuggled')}`);
    mesh.settle();
    mesh.upstream().connection.send('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
    mesh.settle();
    expect(caller.text).toBe('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nconnection: close\r\n\r\nno');
    expectLeft(mesh, caller);
  });
});

describe('limits, by default', () => {
  const status = (request: string, sizes: readonly number[] = []): string => {
    const { mesh, caller } = start();
    caller.send(request, sizes);
    mesh.settle();
    const [connection] = mesh.upstream().connections;
    connection?.send(OK('ok'));
    mesh.settle();
    const text = caller.take().toString();
    caller.end();
    mesh.settle();
    return text.slice(9, 12);
  };
  const fields = (count: number): string => Array.from({ length: count }, (_, at) => `x${at}: y\r\n`).join('');
  const padded = (bytes: number): string => GET('/', `x: ${'y'.repeat(bytes - GET('/', 'x: \r\n').length)}\r\n`);
  const chunked = 'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n';

  it.each([
    ['100 headers', GET('/', fields(99)), '200'],
    ['101 headers', GET('/', fields(100)), '431'],
    ['a head of 60 KiB', padded(61_440), '200'],
    ['a head of one byte more', padded(61_441), '431'],
    ['a target of more than 60 KiB', GET(`/${'a'.repeat(61_440)}`), '414'],
    ['100 trailers', `${chunked}0\r\n${fields(100)}\r\n`, '200'],
    ['101 trailers', `${chunked}0\r\n${fields(101)}\r\n`, '400'],
    ['a chunk line of 256 bytes', `${chunked}1;${'e'.repeat(252)}\r\nx\r\n0\r\n\r\n`, '200'],
    ['a chunk line without an end', `${chunked}1;${'e'.repeat(300)}`, '400'],
  ])('%s', (_what, request, expected) => {
    expect([status(request), status(request, [17, 4_000, 30_000])]).toEqual([expected, expected]);
  });
});

describe('windows', () => {
  it('stop the reading of an upload that the upstream does not take', () => {
    const { mesh, caller } = start({ windowBytes: 2_048 });
    caller.send('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000\r\n\r\n');
    mesh.settle();
    const upstream = mesh.upstream().connection;
    upstream.reading = false;
    upstream.wire.capacityBytes = 1_000;
    let sent = 0;
    for (; sent < 4_000_000 && !caller.wire.paused; sent += 20_000) {
      caller.send(Buffer.alloc(20_000, 'x'));
      mesh.settle();
    }
    expect(caller.wire.paused).toBe(true);
    expect(sent).toBeLessThan(600_000);
    upstream.reading = true;
    upstream.wire.capacityBytes = Number.POSITIVE_INFINITY;
    mesh.settle();
    for (; sent < 4_000_000; sent += 20_000) {
      caller.send(Buffer.alloc(20_000, 'x'));
      mesh.settle();
    }
    upstream.send(OK('ok'));
    mesh.settle();
    expect(upstream.received.length).toBeGreaterThan(4_000_000);
    expect(caller.text).toBe(OK('ok'));
  });

  it('stop the reading of an answer that the caller does not take', () => {
    const { mesh, caller } = start({ windowBytes: 2_048 });
    caller.send(GET('/'));
    mesh.settle();
    caller.reading = false;
    caller.wire.capacityBytes = 1_000;
    const upstream = mesh.upstream().connection;
    upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n');
    let sent = 0;
    for (; sent < 2_000_000 && !upstream.wire.paused; sent += 20_000) {
      upstream.send(Buffer.alloc(20_000, 'x'));
      mesh.settle();
    }
    expect(sent).toBeLessThan(600_000);
    caller.reading = true;
    caller.wire.capacityBytes = Number.POSITIVE_INFINITY;
    mesh.settle();
    expect(upstream.wire.paused).toBe(false);
    for (; sent < 2_000_000; sent += 20_000) {
      upstream.send(Buffer.alloc(20_000, 'x'));
      mesh.settle();
    }
    expect(caller.received.length).toBeGreaterThan(2_000_000);
  });

  it('are not left shut on a connection that goes back to the pool: a caller that took the last bytes late harms nobody', () => {
    const { mesh, caller } = start({ windowBytes: 2_048 });
    caller.send(GET('/large'));
    mesh.settle();
    caller.reading = false;
    caller.wire.capacityBytes = 1_000;
    const upstream = mesh.upstream().connection;
    const body = 280_000;
    upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body}\r\n\r\n`);
    for (let sent = 0; sent < body; sent += 20_000) {
      upstream.send(Buffer.alloc(20_000, 'x'));
      mesh.settle();
    }
    caller.reading = true;
    caller.wire.capacityBytes = Number.POSITIVE_INFINITY;
    mesh.settle();
    expect([caller.take().length > body, upstream.wire.paused]).toEqual([true, false]);
    caller.send(GET('/next'));
    mesh.settle();
    upstream.send(OK('next'));
    mesh.settle();
    expect(caller.text).toBe(OK('next'));
  });
});
