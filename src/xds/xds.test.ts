import { describe, expect, it } from 'vitest';
import descriptorJson from '#xds-descriptor' with { type: 'json' };
import { buildDescriptor } from '../../scripts/build-descriptor.ts';
import type { JsonObject } from './json.ts';
import type { AnyMessage, VersionedResource, XdsResource } from './resource.ts';
import { TypeUrl } from './type-urls.ts';
import { Xds } from './xds.ts';

const xds = Xds.load();

function encode(resource: XdsResource): VersionedResource {
  const result = xds.encodeResource(resource);
  if (!result.ok) throw new Error(JSON.stringify(result.issues));
  return result.resource;
}

function decode(any: AnyMessage): VersionedResource {
  const result = xds.decodeResource(any);
  if (!result.ok) throw new Error(JSON.stringify(result.issues));
  return result.resource;
}

function cluster(value: JsonObject): XdsResource {
  return { typeUrl: TypeUrl.Cluster, name: 'c', value: { name: 'c', ...value } };
}

function issues(value: JsonObject): string[] {
  const result = xds.encodeResource(cluster(value));
  return result.ok ? [] : result.issues.map((issue) => `${issue.path}: ${issue.message}`);
}

describe('the built descriptor', () => {
  it('is what the script makes of the files as they are now', () => {
    expect(descriptorJson).toEqual(buildDescriptor());
  });

  it('has every resource and filter type that TypeUrl names', () => {
    for (const typeUrl of Object.values(TypeUrl)) expect(xds.descriptor.find(typeUrl), typeUrl).not.toBeNull();
  });
});

describe('encodeResource', () => {
  it('reads durations, wrappers, enums, Any, structs and 64-bit integers, and gives them back in camel case', () => {
    const resource: XdsResource = {
      typeUrl: TypeUrl.Listener,
      name: 'thrift',
      value: {
        name: 'thrift',
        address: { socketAddress: { address: '127.0.0.1', portValue: 9090 } },
        metadata: {
          filterMetadata: { 'meltemi.service_address': { address: '10.0.0.1', ports: [1, null, true, { a: 'b' }] } },
        },
        filterChains: [
          {
            filters: [
              {
                name: 'meta',
                typedConfig: {
                  '@type': TypeUrl.MetaProtocolProxy,
                  rds: { configSource: { ads: {}, initialFetchTimeout: '1.500s' }, routeConfigName: 'thrift_9090' },
                  idleTimeout: '3600s',
                  protocol: {
                    name: 'thrift',
                    codec: {
                      name: 'thrift',
                      config: {
                        '@type': TypeUrl.TypedStruct,
                        typeUrl: 'meltemi/thrift',
                        value: { frameLimitBytes: 1024 },
                      },
                    },
                  },
                },
              },
            ],
          },
        ],
        perConnectionBufferLimitBytes: 65536,
        tcpBacklogSize: 0,
        trafficDirection: 'OUTBOUND',
      },
    };
    expect(decode(encode(resource).any)).toEqual(encode(resource));
    expect(decode(encode(resource).any).value).toEqual(resource.value);
  });

  it('takes snake case and the numbers of enums, and answers the same bytes', () => {
    const camel = encode(
      cluster({
        connectTimeout: '0.25s',
        lbPolicy: 'RING_HASH',
        ringHashLbConfig: { minimumRingSize: '1024' },
        circuitBreakers: { thresholds: [{ maxConnections: 7 }] },
        outlierDetection: { consecutive5xx: 3 },
      }),
    );
    const snake = encode(
      cluster({
        connect_timeout: '0.250s',
        lb_policy: 2,
        ring_hash_lb_config: { minimum_ring_size: 1024 },
        circuit_breakers: { thresholds: [{ priority: 'DEFAULT', max_connections: 7 }] },
        outlier_detection: { consecutive_5xx: 3 },
      }),
    );
    expect(snake.version).toBe(camel.version);
    expect(decode(camel.any).value.ringHashLbConfig).toEqual({ minimumRingSize: '1024' });
  });

  it('gives equal bytes whatever the order of keys, in messages, maps and structs', () => {
    const one = { a: { x: 1, y: [true] }, b: {} };
    const other = { b: {}, a: { y: [true], x: 1 } };
    const first = encode(cluster({ altStatName: 's', metadata: { filterMetadata: one } }));
    const second = encode(cluster({ metadata: { filterMetadata: other }, altStatName: 's' }));
    expect(second.any.value.equals(first.any.value)).toBe(true);
    expect(first.version).toMatch(/^[\w-]{16}$/);
  });

  it('keeps 64-bit integers above 2^53 and a negative duration exact', () => {
    const resource = cluster({
      ringHashLbConfig: { minimumRingSize: '18446744073709551615' },
      connectTimeout: '-0.000000001s',
    });
    expect(decode(encode(resource).any).value).toEqual(resource.value);
  });

  it('collects every fault with its path, actual and expected value', () => {
    expect(
      issues({
        connectTimeout: '5 seconds',
        lbPolicy: 'FASTEST',
        conectTimeout: '1s',
        circuitBreakers: { thresholds: [{ maxConnections: -1 }, { maxConnections: 'many' }] },
        typedExtensionProtocolOptions: {
          'codec.thrift': { '@type': 'type.googleapis.com/nobody.knows.It' },
          other: {},
        },
        loadAssignment: { clusterName: 'c', endpoints: {} },
      }),
    ).toEqual([
      'connectTimeout: "5 seconds" is not a duration such as "1.5s"',
      'lbPolicy: "FASTEST" is not one of ROUND_ROBIN, LEAST_REQUEST, RING_HASH, RANDOM, MAGLEV, CLUSTER_PROVIDED, LOAD_BALANCING_POLICY_CONFIG',
      'conectTimeout: unknown field, envoy.config.cluster.v3.Cluster has no "conectTimeout"',
      'circuitBreakers.thresholds[0].maxConnections: -1 is not a uint32',
      'circuitBreakers.thresholds[1].maxConnections: "many" is not a uint32',
      'typedExtensionProtocolOptions["codec.thrift"]: unknown message type "type.googleapis.com/nobody.knows.It"',
      'typedExtensionProtocolOptions["other"]: an "@type" with the message\'s type URL is missing',
      'loadAssignment.endpoints: {} is not a list',
    ]);
  });

  it('refuses two members of a oneof, both spellings of a field, a second name and endless nesting', () => {
    expect(issues({ type: 'EDS', clusterType: { name: 'x' } })).toEqual([
      ': only one of type, clusterType may be given, not type and clusterType',
    ]);
    expect(issues({ altStatName: 'a', alt_stat_name: 'b' })).toEqual([
      'alt_stat_name: given twice, in both spellings of altStatName',
    ]);
    expect(issues({ name: 'd' })).toEqual([': the resource is called "c" and its value "d"']);
    let nested: JsonObject = {};
    for (let depth = 0; depth < 80; depth++)
      nested = { '@type': 'type.googleapis.com/google.protobuf.Any', value: nested };
    expect(issues({ upstreamConfig: { name: 'x', typedConfig: nested } })[0]).toContain(
      'nested deeper than 64 messages',
    );
  });
});

describe('decodeResource', () => {
  it('reports unknown fields and message types by path, and keeps the bytes', () => {
    const resource = encode(
      cluster({
        transportSocket: {
          name: 'tls',
          typedConfig: { '@type': 'type.googleapis.com/nobody.knows.It', value: 'AQID' },
        },
      }),
    );
    // Field 999, a varint, behind a valid cluster.
    const bytes = Buffer.concat([resource.any.value, Buffer.from([0xb8, 0x3e, 0x01])]);
    const result = xds.decodeResource({ typeUrl: TypeUrl.Cluster, value: bytes });
    expect(result).toMatchObject({
      ok: true,
      unknown: [
        { path: '', message: 'unknown field number 999 of envoy.config.cluster.v3.Cluster' },
        { path: 'transportSocket.typedConfig', message: 'unknown message type "type.googleapis.com/nobody.knows.It"' },
      ],
    });
    if (result.ok) {
      expect(result.resource.any.value).toBe(bytes);
      expect(result.resource.value.transportSocket).toEqual({
        name: 'tls',
        typedConfig: { '@type': 'type.googleapis.com/nobody.knows.It', value: 'AQID' },
      });
    }
  });

  it('says what is wrong with bytes that are no such message, and whose they are', () => {
    const good = encode(cluster({ altStatName: 'stat' })).any.value;
    const broken = xds.decodeResource({
      typeUrl: TypeUrl.Cluster,
      value: Buffer.concat([good, Buffer.from([0x22, 0x01, 0x08])]),
    });
    expect(broken).toMatchObject({ ok: false, name: 'c' });
    expect(xds.decodeResource({ typeUrl: TypeUrl.Cluster, value: Buffer.from([0xff]) })).toMatchObject({
      ok: false,
      name: '',
    });
    expect(xds.decodeResource({ typeUrl: TypeUrl.Cluster, value: Buffer.alloc(0) })).toMatchObject({
      ok: false,
      issues: [{ path: 'name', message: 'a resource must have a name' }],
    });
    expect(xds.decodeResource({ typeUrl: TypeUrl.TcpProxy, value: Buffer.alloc(0) })).toMatchObject({ ok: false });
  });

  it('keeps keys of maps that are names on the object prototype', () => {
    const resource = cluster({ metadata: { filterMetadata: JSON.parse('{"__proto__": {"constructor": "x"}}') } });
    expect(JSON.stringify(decode(encode(resource).any).value)).toBe(
      '{"name":"c","metadata":{"filterMetadata":{"__proto__":{"constructor":"x"}}}}',
    );
  });
});
