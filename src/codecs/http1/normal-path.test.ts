import { describe, expect, it } from 'vitest';
import { HttpMesh } from '../../../test/harness/http/http-mesh.ts';
import { watchLeaks } from '../../../test/harness/watch-leaks.ts';
import { mayBeUnnormal, normalTarget } from './normal-path.ts';

function normal(target: string): string | null {
  const bytes = Buffer.from(target, 'latin1');
  return mayBeUnnormal(bytes, 0, bytes.length) ? normalTarget(target) : target;
}

describe('normalization of paths', () => {
  it.each([
    ['/harbour/../quay', '/quay'],
    ['/harbour/..', '/'],
    ['/harbour/.', '/harbour/'],
    ['/harbour/./quay/', '/harbour/quay/'],
    ['/../../quay', '/quay'],
    ['/harbour//../quay', '/harbour/quay'],
    ['/harbour/%2e%2E/quay', '/quay'],
    ['/harbour/.%2e/quay', '/quay'],
    ['/harbour\\..\\quay', '/quay'],
    ['/%71uay%7E%2D%5f%30', '/quay~-_0'],
    ['/harbour/../quay?a=/../%2e\\', '/quay?a=/../%2e\\'],
    ['/?/../%2e', '/?/../%2e'],
    ['/harbour%00', null],
    ['/?%00', '/?%00'],
    ['/harbour/%2%65%2%65/quay', null],
    ['/%%32e', null],
  ])('makes %s %s', (target, expected) => {
    expect(normal(target)).toBe(expected);
  });

  it.each([
    '/',
    '//quay//',
    '/quay.html',
    '/.well-known/a',
    '/...',
    '/a..b',
    '/%2Fquay%5c',
    '/%252e%252e/quay',
    '/%c3%bc',
    '/%',
    '/%zz',
  ])('leaves %s', (target) => {
    expect(normal(target)).toBe(target);
  });

  it('is what routes, upstreams and absolute targets get, where the codec is told to', () => {
    const asked = (target: string, codecOptions?: object): string => {
      const mesh = watchLeaks(new HttpMesh({ codecOptions }));
      const caller = mesh.newCaller();
      caller.send(`GET ${target} HTTP/1.1\r\nHost: h\r\n\r\n`);
      mesh.settle();
      const upstream = mesh.upstream().connections[0];
      upstream?.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      mesh.settle();
      const seen = upstream?.text ?? caller.text;
      caller.end();
      mesh.settle();
      return seen.split('\r\n')[0]!;
    };
    const base = { pathNormalization: 'base' };
    expect(asked('/a/../b?c')).toBe('GET /a/../b?c HTTP/1.1');
    expect(asked('/a/../b?c', base)).toBe('GET /b?c HTTP/1.1');
    expect(asked('http://h/a/%2e./b', base)).toBe('GET /b HTTP/1.1');
    expect(asked('/a%00', base)).toBe('HTTP/1.1 400 Bad Request');
    expect(asked('/a.b', base)).toBe('GET /a.b HTTP/1.1');
  });
});
