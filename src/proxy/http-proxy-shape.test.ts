import { describe, expect, it } from 'vitest';
import { ConfigError } from '../metaprotocol/config-error.ts';
import type { HttpProxyOptions } from './http-proxy-options.ts';
import { planHttpProxy } from './http-proxy-plan.ts';

const GOOD = {
  listen: { host: '127.0.0.1', port: 0 },
  upstreams: { v1: ['https://127.0.0.1:1'] },
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
    planHttpProxy(options as HttpProxyOptions);
  } catch (error) {
    if (error instanceof ConfigError) return error.issues.map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
}

describe('the shape of HttpProxyOptions', () => {
  it('knows the hooks of filters', () => {
    class Late {
      onEnd() {}
      onReqest() {}
      onething() {}
    }
    const hooks =
      'onRequest, onRequestData, onRequestTrailers, onAttempt, onResponse, onResponseData, onResponseTrailers, onEnd';
    expect(faults({ ...GOOD, filters: [{ onRequest() {} }, new Late()] })).toEqual([
      `filters[1].onReqest: unknown field, expected one of ${hooks}; did you mean onRequest?`,
    ]);
  });

  it('takes what the type allows', () => {
    expect(() => planHttpProxy(GOOD as unknown as HttpProxyOptions)).not.toThrow();
  });

  it('tells each name and value that the type does not have, with what was expected', () => {
    expect(faults({ ...GOOD, upstreams: { v1: 'http://127.0.0.1:1' }, timeout: 5, filters: null })).toEqual([
      'upstreams.v1: actual a text, expected a list',
      'filters: actual null, expected a list',
      'timeout: unknown field, expected one of listen, upstreams, upstreamTls, routes, tls, filters, timeouts, codecOptions; did you mean timeouts?',
    ]);
    expect(faults({ ...GOOD, listen: { host: '127.0.0.1', port: '80' } })).toEqual([
      'listen.port: actual a text, expected a whole number from 0 to 65535',
    ]);
    expect(faults({ ...GOOD, routes: [{ pth: '/', to: 'v1', timeoutMs: '5s' }, {}] })).toEqual([
      'routes[0].timeoutMs: actual a text, expected a number of at least 0',
      expect.stringMatching(
        /^routes\[0\]\.pth: unknown field, expected one of name, host, path.*; did you mean path\?$/,
      ),
      "routes[1].to: actual nothing, expected an upstream's name, or weights by name",
    ]);
  });

  it('looks into TLS, and shows no value of it', () => {
    const said = faults({
      ...GOOD,
      tls: { certificates: [{ cert: 'PEM', keys: 'SECRET' }], clientCa: { files: 'SECRET' } },
      upstreamTls: { v1: { verfy: false, certificate: { cert: 1, key: 'SECRET' } } },
    });
    expect(said).toEqual([
      'upstreamTls.v1.certificate.cert: actual 1, expected PEM as text or Buffer, or { file }',
      expect.stringMatching(/^upstreamTls\.v1\.verfy: unknown field, .*; did you mean verify\?$/),
      'tls.certificates[0].key: actual nothing, expected PEM as text or Buffer, or { file }',
      'tls.certificates[0].keys: unknown field, expected one of cert, key; did you mean key?',
      'tls.clientCa: actual an object, expected PEM as text or Buffer, or { file }',
    ]);
    expect(said.join()).not.toContain('SECRET');
  });

  it('wants an object with all that a proxy needs', () => {
    expect(faults(undefined)).toEqual([
      expect.stringMatching(/^: actual nothing, expected an object of listen, upstreams, /),
    ]);
    expect(faults({})).toHaveLength(3);
  });
});
