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
});
