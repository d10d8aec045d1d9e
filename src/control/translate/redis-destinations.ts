/** RedisDestination -> UpstreamSettings. */
import { parseDurationMs } from '../model/duration.ts';
import type { RedisDestinationSpec } from '../model/redis-destination.ts';
import { type FieldPath, type Finding, findingAt, type Resource } from '../model/resource.ts';
import type { UpstreamSettings } from './mesh.ts';
import type { MeshIndex } from './mesh-index.ts';
import { credentialsOf } from './redis-auth.ts';
import { REDIS, redisOf } from './redis-services.ts';
import type { Secrets } from './secrets.ts';
import type { Compiled } from './translation-round.ts';

const POOL: FieldPath = ['spec', 'trafficPolicy', 'connectionPool'];

/** With the host that the settings are for. */
export interface HostSettings {
  readonly host: string;
  readonly settings: UpstreamSettings;
}

export function compileRedisDestination(
  resource: Resource<RedisDestinationSpec>,
  index: MeshIndex,
  secrets: Secrets,
): Compiled<HostSettings> {
  const { spec, document, key } = resource;
  const host = spec.host.toLowerCase();
  const findings: Finding[] = [];
  const pool = spec.trafficPolicy?.connectionPool;
  const ports = index.services(host).flatMap((service) => service.ports);
  const speaking = ports.filter(({ protocol }) => redisOf(protocol) !== undefined);
  const lack =
    ports.length === 0
      ? `no service has the host ${host}`
      : speaking.length === 0
        ? `no port of ${host} speaks redis`
        : null;
  if (lack !== null) {
    const message = `${lack}: the destination has no effect`;
    findings.push(findingAt(document, 'warning', ['spec', 'host'], message));
  }
  for (const { number } of speaking.filter(({ protocol }) => protocol.kind === 'detected')) {
    const message = `port ${number} of ${host} detects its protocol, and its connections are made without this`;
    findings.push(findingAt(document, 'notApplied', ['spec', 'host'], message));
  }
  if (pool?.redis?.mode === 'CLUSTER') {
    const message =
      'Redis Cluster is not built yet: the endpoints are used as servers of their own, MOVED and ASK reach the caller';
    findings.push(findingAt(document, 'notApplied', [...POOL, 'redis', 'mode'], message));
  }
  const credentials = credentialsOf(resource, pool?.redis?.auth, [...POOL, 'redis', 'auth'], secrets, findings);
  const codecOptions: Record<string, string> =
    credentials === null ? {} : { upstreamUsername: credentials.username, upstreamPassword: credentials.password };
  const settings: UpstreamSettings = {
    source: key,
    codec: REDIS,
    maxConnections: pool?.tcp?.maxConnections ?? null,
    connectTimeoutMs: pool?.tcp?.connectTimeout ? parseDurationMs(pool.tcp.connectTimeout) : null,
    codecOptions,
  };
  return { findings, make: () => ({ host, settings }) };
}
