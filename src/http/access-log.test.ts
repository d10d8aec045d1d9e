import { describe, expect, it } from 'vitest';
import { HttpMesh } from '../../test/harness/http/http-mesh.ts';
import { accessLogFilter } from '../metaprotocol/filters/access-log/access-log-filter.ts';

describe('the access log of HTTP', () => {
  it('shows heads as they came, also when their bytes are gone', () => {
    const options = {
      path: 'log',
      format: '%REQ(:method)% %REQ(:path)% "%REQ(x-user)%" %RESPONSE_CODE% "%RESP(server)%"',
    };
    const mesh = new HttpMesh({ builtIns: [{ factory: accessLogFilter, options }] });
    const caller = mesh.newCaller();
    caller.send('POST /a HTTP/1.1\r\nHost: h\r\nX-User: ann\r\nContent-Length: 4\r\n\r\nab');
    mesh.settle();
    caller.send('cd');
    mesh.settle();
    const upstream = mesh.upstream().connection;
    upstream.send('HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 4\r\n\r\nab');
    mesh.settle();
    upstream.send('cd');
    mesh.settle();
    expect(mesh.lines).toEqual(['POST /a "ann" 200 "s"']);
  });

  it('lets no value end its line or its quotes, whether it came as bytes or was set', () => {
    const format =
      '%REQ(:path)% "%REQ(:authority)%" "%REQ(a)%" "%REQ(b)%" "%REQ(c)%" "%REQ(D)%" "%REQ(?q)%" "%REQ(none)%" "%RESP(e)%"';
    const mesh = new HttpMesh({ builtIns: [{ factory: accessLogFilter, options: { path: 'log', format } }] });
    const ask = (head: string) => {
      const caller = mesh.newCaller();
      caller.send(Buffer.from(`${head}\r\n\r\n`, 'latin1'));
      mesh.settle();
      mesh.upstream().connection.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nE: "\r\n\r\n');
      mesh.settle();
    };
    ask('GET /a"b\\c?q="1 HTTP/1.1\r\nHost: h\r\nA:  plain \r\nB: "x\\\r\nC: 1\r\nc: "\r\nd: tab\there \xe9\x85\xff');
    ask('OPTIONS http://other HTTP/1.1\r\nHost: other\r\nA:');
    expect(mesh.lines).toEqual([
      String.raw`/a\x22b\x5cc?q=\x221 "h" "plain" "\x22x\x5c" "1,\x22" "tab\x09here \xe9\x85\xff" "\x221" "-" "\x22"`,
      String.raw`* "other" "" "-" "-" "-" "-" "-" "\x22"`,
    ]);
  });

  it('shows UTF-8 as its text', () => {
    const options = { path: 'log', format: '"%REQ(city)%" "%REQ(tail)%"' };
    const mesh = new HttpMesh({ builtIns: [{ factory: accessLogFilter, options }] });
    mesh.newCaller().send('GET / HTTP/1.1\r\nHost: h\r\nCity: Zürich "東京"\r\nTail: x\u0085\r\n\r\n');
    mesh.settle();
    mesh.upstream().connection.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    mesh.settle();
    expect(mesh.lines).toEqual([String.raw`"Zürich \x22東京\x22" "x\x85"`]);
  });

  it('says why a request was refused before it had a route, and what its answer weighs', () => {
    const options = { path: 'log', format: '%STATUS% %RESPONSE_CODE% %BYTES_SENT% "%RESPONSE_DETAILS%"' };
    const mesh = new HttpMesh({ builtIns: [{ factory: accessLogFilter, options }] });
    const caller = mesh.newCaller();
    caller.send('GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n');
    mesh.settle();
    const detail = 'http1: 2 Host headers, expected one at byte 0';
    expect(mesh.lines).toEqual([`malformed 400 ${Buffer.byteLength(`malformed: ${detail}\n`)} "${detail}"`]);
    expect(mesh.stat('downstream_requests_total', { result: 'malformed' })).toBe(1);
  });

  it('is JSON where it is told so, with each value rendered by itself', () => {
    const jsonFormat = { what: '%REQ(:method)% %REQ(:path)%', code: '%RESPONSE_CODE%', bytes: '%BYTES_SENT%' };
    const mesh = new HttpMesh({ builtIns: [{ factory: accessLogFilter, options: { path: 'log', jsonFormat } }] });
    const caller = mesh.newCaller();
    for (const path of ['/a', '/b']) {
      caller.send(`GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`);
      mesh.settle();
      mesh.upstream().connection.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      mesh.settle();
    }
    expect(mesh.lines.map((line) => JSON.parse(line))).toEqual([
      { what: 'GET /a', code: '200', bytes: '2' },
      { what: 'GET /b', code: '200', bytes: '2' },
    ]);
  });
});
