import { describe, expect, it } from 'vitest';
import { HttpMesh } from '../../test/harness/http/http-mesh.ts';
import { watchLeaks } from '../../test/harness/watch-leaks.ts';
import { ConfigError } from '../metaprotocol/config-error.ts';
import type { RouteDescription } from '../metaprotocol/description.ts';
import { httpFilter } from './http-filter.ts';
import { parseHttpRouteOptions } from './http-route-options.ts';

function meshWith(http: unknown, route: Partial<RouteDescription> = {}): HttpMesh {
  const filterOptions = http === undefined ? {} : { http };
  return watchLeaks(
    new HttpMesh({ builtIns: [{ factory: httpFilter, options: undefined }], routes: [{ ...route, filterOptions }] }),
  );
}

/** The head that the upstream got. */
function forwarded(http: unknown, request: string): string {
  const mesh = meshWith(http);
  const caller = mesh.newCaller();
  caller.send(request);
  mesh.settle();
  const head = mesh.upstream().connection.take().toString();
  mesh.upstream().connection.send('HTTP/1.1 204 No Content\r\n\r\n');
  mesh.settle();
  return head;
}

/** The answer that came without an upstream. */
function answered(http: unknown, request: string): string {
  const mesh = meshWith(http);
  const caller = mesh.newCaller();
  caller.send(request);
  mesh.settle();
  expect(mesh.upstream().connections).toEqual([]);
  const text = caller.text;
  if (caller.closed) {
    caller.end();
    mesh.settle();
  }
  return text;
}

const GET = (path: string, fields = ''): string => `GET ${path} HTTP/1.1\r\nHost: h:8080\r\n${fields}\r\n`;

describe('every request', () => {
  it('gets an id and its scheme, where it has none', () => {
    const head = forwarded(undefined, GET('/'));
    expect(head).toMatch(/\r\nx-request-id: [0-9a-f-]{36}\r\nx-forwarded-proto: http\r\n/);
    const named = forwarded(undefined, GET('/', 'X-Request-Id: mine\r\nX-Forwarded-Proto: https\r\n'));
    expect(named).toBe(GET('/', 'X-Request-Id: mine\r\nX-Forwarded-Proto: https\r\n'));
  });

  it('that names no host, as in HTTP/1.0, is for the address that its caller connected to', () => {
    const head = forwarded(undefined, 'GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    expect(head).toMatch(/^GET \/health HTTP\/1\.1\r\n(.*\r\n)*host: 10\.0\.0\.1:80\r\n/);
  });

  it('that is CONNECT is refused', () => {
    expect(answered(undefined, 'CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n')).toMatch(/^HTTP\/1.1 404 /);
  });
});

describe('rewrites', () => {
  it.each([
    [{ prefix: '/api', to: '/v2' }, '/api/users?a=b', '/v2/users?a=b'],
    [{ prefix: '/foo', to: '/' }, '/foo/bar', '//bar'],
    [{ to: '/whole' }, '/a/b?c', '/whole?c'],
    [{ to: '/whole?d' }, '/a/b?c', '/whole?d'],
    [{ regex: '^/u/(\\d+)', to: '/users/$1' }, '/u/42/x?y', '/users/42/x?y'],
    [{ regex: '/(a)', to: '/\\$$1\\\\' }, '/a/b', '/$a\\/b'],
  ])('%j makes %s to %s', (path, from, to) => {
    expect(forwarded({ path }, GET(from))).toContain(`GET ${to} HTTP/1.1\r\n`);
  });

  it('change the authority', () => {
    const head = forwarded({ authority: 'other' }, GET('/'));
    expect(head).toContain('\r\nhost: other\r\n');
    expect(head).not.toContain('Host: h');
  });
});

describe('answers of the route itself', () => {
  it.each([
    [{ status: 301, path: { to: '/new' } }, '/old?q', 'http://h:8080/new?q'],
    [{ status: 301, path: { to: '/new#top' } }, '/old?q', 'http://h:8080/new?q#top'],
    [{ status: 302, scheme: 'https' }, '/a', 'https://h:8080/a'],
    [{ status: 307, authority: 'other' }, '/a', 'http://other/a'],
    [{ status: 308, port: '80' }, '/a', 'http://h/a'],
    [{ status: 303, port: '443', scheme: 'https' }, '/a', 'https://h/a'],
    [{ status: 301, port: '8443' }, '/a', 'http://h:8443/a'],
    [{ status: 301, path: { prefix: '/a', to: '/b' } }, '/a/c', 'http://h:8080/b/c'],
  ])('redirect %j', (redirect, path, location) => {
    const answer = answered({ redirect }, GET(path));
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${redirect.status} `));
    expect(answer).toContain(`\r\nlocation: ${location}\r\n`);
    expect(answer).toContain('\r\ncontent-length: 0\r\n');
  });

  it('redirect to another scheme without the port of the first one', () => {
    const request = GET('/a').replace('h:8080', 'h:80');
    expect(answered({ redirect: { status: 301, scheme: 'https' } }, request)).toContain(
      '\r\nlocation: https://h/a\r\n',
    );
  });

  it('get what the route does to responses', () => {
    const mesh = meshWith(
      { direct: { status: 200, bytes: 'iVBO/4A=' } },
      { responseMutation: { set: [['content-type', 'image/png']], add: [['x-a', 'b']], remove: [] } },
    );
    const caller = mesh.newCaller();
    caller.send(GET('/'));
    mesh.settle();
    const answer = caller.take();
    expect(answer.toString('latin1')).toContain(' GMT\r\ncontent-type: image/png\r\nx-a: b\r\n\r\n');
    expect(answer.subarray(-5).toString('base64')).toBe('iVBO/4A=');
  });

  it('respond directly', () => {
    expect(answered({ direct: { status: 418, body: 'tea' } }, GET('/'))).toMatch(
      /^HTTP\/1.1 418 I'm a Teapot\r\n.*\r\n\r\ntea$/s,
    );
  });
});

describe('options', () => {
  it('are checked, all of them', () => {
    const fault = (raw: unknown): string[] => {
      try {
        parseHttpRouteOptions(raw);
      } catch (error) {
        if (error instanceof ConfigError) return error.issues.map((issue) => `${issue.path}: ${issue.message}`);
        throw error;
      }
      return [];
    };
    expect(
      fault({
        path: { regex: '(' },
        authority: 'a b',
        redirect: { status: 300, scheme: 'ftp', port: '0', path: { regex: 'a(b)', to: '/ $2' } },
        direct: { status: 99, body: '', bytes: '' },
        x: 1,
      }),
    ).toEqual([
      expect.stringMatching(/^path.regex: "\(" is not RE2/),
      'authority: "a b" is not a host and port',
      'redirect.port: 0 is not a port',
      'redirect.status: 300 is not one of 301, 302, 303, 307, 308',
      'redirect.scheme: ftp is not http or https',
      'redirect.path.to: "/ $2" is no path of visible ASCII',
      'redirect.path.to: $2 is no group, expected $0 to $1 or \\$',
      'direct.status: 99 is not an integer from 200 to 599',
      'direct.bytes: is given beside body, expected one of them',
      'x: is not an option of the http filter',
    ]);
    expect(fault('x')).toEqual([': "x" is not an object']);
  });
});
