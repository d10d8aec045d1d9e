/** The Thrift benchmark: framed strict binary, over a pool with one call in flight per connection, and multiplexed. */
import type { EchoBench } from '../echo-bench.ts';
import { thriftProxyFilter } from '../proxies/envoy.ts';

export const thriftBench: EchoBench = {
  protocol: 'thrift',
  policies: {
    'meltemi one in flight': {},
    'meltemi multiplexed': { connectionPool: { http: { maxConcurrentStreams: 1024 } } },
  },
  envoyFilters: (accessLogFile) => ({ 'envoy thrift_proxy': thriftProxyFilter(accessLogFile) }),
  targets: [
    { subject: 'meltemi multiplexed', callers: 64, inFlight: 1, peer: 'envoy tcp_proxy', limit: 1.0 },
    { subject: 'meltemi multiplexed', callers: 64, inFlight: 1, peer: 'envoy thrift_proxy', limit: 0.6 },
    { subject: 'meltemi multiplexed', callers: 16, inFlight: 16, peer: 'envoy thrift_proxy', limit: 0.15 },
    { subject: 'meltemi one in flight', callers: 64, inFlight: 1, peer: 'envoy thrift_proxy', limit: 0.9 },
  ],
};
