import { expect, it } from 'vitest';
import type { JsonObject } from '../../xds/json.ts';
import { TypeUrl } from '../../xds/type-urls.ts';
import { Fixtures } from '../testing/resources.ts';
import { readListener } from './listener.ts';
import { Reader, Report } from './reader.ts';

const fixtures = new Fixtures();

function read(change: JsonObject) {
  const report = new Report();
  const { inspection, chains } = readListener(new Reader(fixtures.listener('L', 1, 'R', change).value, '', report));
  return { inspection, chains, errors: report.errors.map(({ path, message }) => `${path}: ${message}`) };
}

it('has the documented defaults', () => {
  const tlsInspector = [{ name: 'tls', typedConfig: { '@type': TypeUrl.TlsInspector } }];
  for (const change of [{}, { listenerFilters: tlsInspector }]) {
    expect(read(change)).toMatchObject({
      inspection: { detect: [], detectBytes: 1_024, timeoutMs: 10_000, continueOnTimeout: false },
      errors: [],
    });
  }
});

it('detects what listener filters name', () => {
  const { inspection, errors } = read({
    listenerFilters: [
      { name: 'a', typedConfig: { '@type': TypeUrl.ProtocolInspector, protocols: ['thrift', 'redis'], maxBytes: 64 } },
      { name: 'b', typedConfig: { '@type': TypeUrl.HttpInspector } },
    ],
    continueOnListenerFiltersTimeout: true,
  });
  expect(errors).toEqual([]);
  expect(inspection).toEqual({
    detect: [
      { codec: 'thrift', applicationProtocols: ['thrift'] },
      { codec: 'redis', applicationProtocols: ['redis'] },
      { codec: 'http1', applicationProtocols: ['http/1.1', 'http/1.0'] },
    ],
    detectBytes: 64,
    timeoutMs: 5_000,
    continueOnTimeout: true,
  });
  expect(read({ listenerFiltersTimeout: '0.3s' }).inspection.timeoutMs).toBe(300);
});

it('refuses filters that it does not have: connections would mean something else', () => {
  const typeUrl = 'type.googleapis.com/any.ProxyProtocol';
  const listenerFilters = [{ name: 'p', typedConfig: { '@type': TypeUrl.TypedStruct, typeUrl, value: {} } }];
  expect(read({ listenerFilters }).errors).toEqual([
    'listenerFilters[0]: listener filter any.ProxyProtocol is not supported; expected TlsInspector, HttpInspector or ProtocolInspector',
  ]);
});

it('lets the default chain take what no other takes', () => {
  const { filterChains } = fixtures.listener('L', 1, 'R').value as { filterChains: JsonObject[] };
  const match = { serverNames: ['a.example'], transportProtocol: 'tls', applicationProtocols: ['x'] };
  const { chains } = read({
    filterChains: [{ ...filterChains[0], filterChainMatch: match }],
    defaultFilterChain: { ...filterChains[0], name: '' },
  });
  expect(chains.map(({ name, match }) => [name, match.isDefault, match.transport])).toEqual([
    ['main', false, 'tls'],
    ['default', true, null],
  ]);
});
