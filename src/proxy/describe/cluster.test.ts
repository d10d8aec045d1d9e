import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../xds/json.ts';
import { TypeUrl } from '../../xds/type-urls.ts';
import { Fixtures, wired } from '../testing/resources.ts';
import { readCluster } from './cluster.ts';
import { readEndpoints } from './endpoints.ts';
import { Reader, Report } from './reader.ts';

const fixtures = new Fixtures();

function read(change: JsonObject) {
  const report = new Report();
  const plan = readCluster(new Reader(fixtures.cluster('c', change).value, '', report));
  return { ...plan, ...report };
}

const assignment = (address: string) => ({
  clusterName: 'c',
  endpoints: [{ lbEndpoints: [{ endpoint: { address: { socketAddress: { address, portValue: 9 } } } }] }],
});

describe('a cluster', () => {
  it('has the documented defaults', () => {
    expect(read({})).toMatchObject({
      name: 'c',
      discovery: { kind: 'eds', assignment: 'c' },
      balancer: { policy: 'round_robin' },
      connectTimeoutMs: 5_000,
      pool: {
        concurrency: null,
        minConnections: 1,
        maxConnections: 1_024,
        maxPending: 1_024,
        maxInFlightPerCaller: 256,
        maxBound: 1_024,
      },
      errors: [],
      notes: [],
    });
  });

  it('says of a ring that would be too large that it is not', () => {
    const { balancer, errors, notes } = read({
      lbPolicy: 'RING_HASH',
      ringHashLbConfig: { minimumRingSize: '8388608', maximumRingSize: '8388608' },
    });
    expect([errors, balancer.policy]).toEqual([[], 'ring_hash']);
    expect(notes.map(({ message }) => message)).toEqual([
      'minimumRingSize 8388608 is not applied: a ring has 262144 points at most',
    ]);
  });

  it('reads the pool from circuit breakers, HTTP/2 options and metadata', () => {
    const read1 = read({
      connectTimeout: '0.25s',
      circuitBreakers: { thresholds: [{ maxConnections: 7, maxPendingRequests: 0 }] },
      typedExtensionProtocolOptions: {
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
          '@type': TypeUrl.HttpProtocolOptions,
          explicitHttpConfig: { http2ProtocolOptions: { maxConcurrentStreams: 64 } },
        },
      },
      metadata: {
        filterMetadata: {
          'meltemi.pool': { minConnections: 2, maxInFlightPerCaller: 9, maxBound: 3, idleTimeoutMs: 5 },
        },
      },
    });
    expect(read1).toMatchObject({ errors: [], notes: [], connectTimeoutMs: 250 });
    expect(read1.pool).toEqual({
      concurrency: 64,
      minConnections: 2,
      maxConnections: 7,
      maxPending: 0,
      maxInFlightPerCaller: 9,
      maxBound: 3,
      idleTimeoutMs: 5,
    });
    expect(read({ http2ProtocolOptions: { maxConcurrentStreams: 8 } }).pool.concurrency).toBe(8);
  });

  it('reads each balancer and refuses others', () => {
    expect(read({ lbPolicy: 'RANDOM' }).balancer).toEqual({ policy: 'random' });
    expect(read({ lbPolicy: 'LEAST_REQUEST', leastRequestLbConfig: { choiceCount: 3 } }).balancer).toEqual({
      policy: 'least_request',
      choiceCount: 3,
    });
    expect(read({ lbPolicy: 'RING_HASH', ringHashLbConfig: { minimumRingSize: '64' } }).balancer).toMatchObject({
      minimumRingSize: 64,
    });
    expect(read({ lbPolicy: 'MAGLEV' }).errors).toMatchObject([{ path: 'lbPolicy' }]);
  });

  it('takes names for DNS and addresses for the rest', () => {
    expect(
      read({ type: 'STRICT_DNS', dnsRefreshRate: '2s', loadAssignment: assignment('db.local') }).discovery,
    ).toMatchObject({
      kind: 'dns',
      endpoints: [{ host: 'db.local', port: 9 }],
      refreshMs: 2_000,
    });
    expect(read({ type: 'STATIC', loadAssignment: assignment('10.0.0.1') }).errors).toEqual([]);
    expect(read({ type: 'STATIC', loadAssignment: assignment('db.local') }).errors).toEqual([
      {
        path: 'loadAssignment.endpoints[0].lbEndpoints[0].endpoint.address.socketAddress.address',
        message: '"db.local" is not an IP address',
      },
    ]);
  });

  it('notes what has no effect', () => {
    const { errors, notes } = read({
      circuitBreakers: { thresholds: [{ maxRetries: 3 }, { priority: 'HIGH', maxConnections: 1 }] },
      http2ProtocolOptions: { maxConcurrentStreams: 2, allowConnect: true },
      respectDnsTtl: true,
    });
    expect(errors).toEqual([]);
    expect(notes.map(({ path }) => path).sort()).toEqual([
      'circuitBreakers.thresholds[0].maxRetries',
      'circuitBreakers.thresholds[1]',
      'http2ProtocolOptions.allowConnect',
      'respectDnsTtl',
    ]);
  });
});

describe('endpoints', () => {
  it('have place, weight, health and labels', () => {
    const report = new Report();
    const socketAddress = { address: '::1', portValue: 9 };
    const value = wired(fixtures.xds, TypeUrl.ClusterLoadAssignment, {
      clusterName: 'c',
      endpoints: [
        {
          locality: { region: 'r', zone: 'z' },
          priority: 1,
          loadBalancingWeight: 5,
          lbEndpoints: [
            {
              endpoint: { address: { socketAddress } },
              loadBalancingWeight: 3,
              metadata: { filterMetadata: { 'envoy.lb': { version: 'v1' } } },
            },
            { endpoint: { address: { socketAddress } }, healthStatus: 'UNHEALTHY' },
          ],
        },
      ],
    }).value;
    const endpoints = readEndpoints(new Reader(value, '', report), 'address');
    const place = { host: '::1', port: 9, locality: 'r/z', priority: 1 };
    expect(endpoints).toEqual([
      { ...place, weight: 3, labels: { version: 'v1' }, healthy: true },
      { ...place, weight: 1, labels: {}, healthy: false },
    ]);
    expect(report).toEqual({ errors: [], notes: [] });
  });
});
