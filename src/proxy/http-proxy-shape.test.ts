import { describe, expect, it } from 'vitest';
import { ConfigError } from '../metaprotocol/config-error.ts';
import { checkShape } from './http-proxy-shape.ts';

const GOOD = {
  listen: { host: '127.0.0.1', port: 0 },
  upstreams: { v1: ['http://127.0.0.1:1'] },
  routes: [
    { path: /\/x/, headers: { a: true, b: { prefix: 'c' } }, to: { v1: 1 } },
    { path: { exact: '/' }, to: 'v1' },
  ],
  filters: [new (class Filter {})()],
  tls: { certificates: [{ cert: 'PEM', key: { file: '/key' } }], clientCa: Buffer.from('PEM') },
  upstreamTls: { v1: { verify: false, certificate: { cert: 'PEM', key: 'PEM' } } },
  timeouts: undefined,
};

function faults(options: unknown): readonly string[] {
  try {
    checkShape(options);
  } catch (error) {
    if (error instanceof ConfigError) return error.issues.map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
}

describe('checkShape', () => {
  it('knows the hooks of filters', () => {
    class Late {
      onEnd() {}
      onReqest() {}
      onething() {}
    }
    const hooks =
      'onRequest, onRequestData, onRequestTrailers, onAttempt, onResponse, onResponseData, onResponseTrailers, onEnd';
    expect(faults({ ...GOOD, filters: [{ onRequest() {} }, new Late()] })).toEqual([
      `filters[1].onReqest: is no hook, expected one of ${hooks}`,
    ]);
  });

  it('takes what the type allows', () => {
    expect(() => checkShape(GOOD)).not.toThrow();
  });

  it('tells each name and value that the type does not have, with what was expected', () => {
    expect(faults({ ...GOOD, upstreams: { v1: 'http://127.0.0.1:1' }, timeout: 5, filters: null })).toEqual([
      'upstreams: is an object, expected lists of URLs by name',
      'filters: is null, expected a list of objects',
      'timeout: is no option, expected one of listen, upstreams, upstreamTls, routes, tls, filters, timeouts, codecOptions',
    ]);
    expect(faults({ ...GOOD, listen: { host: '127.0.0.1', port: '80' } })).toEqual([
      'listen: is an object, expected { host, port } with a port of 0 to 65535',
    ]);
    expect(faults({ ...GOOD, routes: [{ pth: '/', to: 'v1', timeoutMs: '5s' }, {}] })).toEqual([
      expect.stringMatching(/^routes\[0\]\.pth: is no option, expected one of name, host, path/),
      'routes[0].timeoutMs: is a string, expected a number of at least 0',
      "routes[1].to: is missing, expected an upstream's name, or weights by name",
    ]);
  });

  it('looks into TLS, and shows no value of it', () => {
    const said = faults({
      ...GOOD,
      tls: { certificates: [{ cert: 'PEM', keys: 'SECRET' }] },
      upstreamTls: { v1: { verfy: false, certificate: { cert: 1, key: 'SECRET' } } },
    });
    expect(said).toEqual([
      expect.stringMatching(/^upstreamTls\.v1\.verfy: is no option/),
      'upstreamTls.v1.certificate.cert: is a number, expected PEM as text or Buffer, or { file }',
      'tls.certificates[0].key: is missing, expected PEM as text or Buffer, or { file }',
      'tls.certificates[0].keys: is no option, expected one of cert, key',
    ]);
    expect(said.join()).not.toContain('SECRET');
  });

  it('wants an object with all that a proxy needs', () => {
    expect(faults(undefined)).toEqual([': expected an object of options']);
    expect(faults({})).toHaveLength(3);
  });
});
