import { expect, it } from 'vitest';
import { cluster, listener, routes } from '../../test/harness/xds-resources.ts';
import type { JsonObject } from './json.ts';
import { endpointsOf, referencesOf } from './references.ts';
import { TypeUrl } from './type-urls.ts';

function names(typeUrl: string, value: JsonObject): Record<string, string[]> {
  const references = referencesOf({ typeUrl, name: 'x', value: { name: 'x', ...value } });
  return Object.fromEntries(
    Object.entries(references).flatMap(([kind, set]) => (set.size === 0 ? [] : [[kind, [...set]]])),
  );
}

it('a route names clusters as destination, by weight, as mirror and in a filter of its own', () => {
  const value: JsonObject = {
    virtualHosts: [
      {
        routes: [
          { route: { cluster: 'one', requestMirrorPolicies: [{ cluster: 'mirror' }] } },
          { route: { weightedClusters: { clusters: [{ name: 'heavy' }, { name: 'light' }] } } },
          {
            typedPerFilterConfig: {
              limit: { rateLimitService: { grpcService: { envoyGrpc: { clusterName: 'limiter' } } } },
            },
          },
        ],
      },
    ],
  };
  expect(names(TypeUrl.RouteConfiguration, value)).toEqual({
    clusters: ['one', 'mirror', 'heavy', 'light', 'limiter'],
  });
});

it('a listener names routes, secrets, and the cluster of a TCP proxy, but not what its metadata mentions', () => {
  expect(referencesOf(listener('web', 'web_80')).routes).toEqual(new Set(['web_80']));
  const value: JsonObject = {
    metadata: { filterMetadata: { 'meltemi.service_address': { cluster: 'no' } } },
    filterChains: [
      {
        filters: [{ name: 'tcp', typedConfig: { cluster: 'db' } }],
        transportSocket: {
          name: 'tls',
          typedConfig: {
            commonTlsContext: {
              tlsCertificateSdsSecretConfigs: [{ name: 'certificate' }],
              validationContextSdsSecretConfig: { name: 'roots' },
            },
          },
        },
      },
    ],
  };
  expect(names(TypeUrl.Listener, value)).toEqual({ clusters: ['db'], secrets: ['certificate', 'roots'] });
});

it('a cluster names its endpoints where EDS serves them', () => {
  expect(endpointsOf(cluster('c'))).toBe('c');
  expect(names(TypeUrl.Cluster, { type: 'EDS', edsClusterConfig: { serviceName: 's' } })).toEqual({ endpoints: ['s'] });
  expect(names(TypeUrl.Cluster, { type: 'STATIC', loadAssignment: { clusterName: 'x' } })).toEqual({});
  expect(names(TypeUrl.RouteConfiguration, routes('r', 'c').value)).toEqual({ clusters: ['c'] });
});
