/** The Dubbo benchmark: hessian2, over the protocol's own shared connections. */
import type { EchoBench } from '../echo-bench.ts';
import { dubboProxyFilter, genericProxyDubboFilter } from './envoy-filters.ts';

const subject = 'meltemi';

export const dubboBench: EchoBench = {
  protocol: 'dubbo',
  policies: { [subject]: {} },
  envoyFilters: (accessLogFile) => ({
    'envoy dubbo_proxy': dubboProxyFilter,
    'envoy generic_proxy': genericProxyDubboFilter(accessLogFile),
  }),
  targets: ['envoy dubbo_proxy', 'envoy generic_proxy'].flatMap((peer) => [
    { subject, callers: 64, inFlight: 1, peer, limit: 0.6 },
    { subject, callers: 16, inFlight: 16, peer, limit: 0.2 },
  ]),
};
