/** RedisDestination (redis.aeraki.io): how the servers of a Redis service are connected to. */
import { z } from 'zod';
import { duration, hostName, opaque } from './fields.ts';
import { type KindDefinition, resourceSchema } from './kind.ts';
import { redisAuth, SECRET_FIELDS } from './redis-auth.ts';

const specSchema = z.strictObject({
  host: hostName,
  trafficPolicy: z
    .strictObject({
      connectionPool: z
        .strictObject({
          tcp: z
            .strictObject({
              maxConnections: z.int().min(1).max(4_294_967_295).nullish(),
              connectTimeout: duration.nullish(),
              tcpKeepalive: opaque.optional(),
            })
            .nullish(),
          redis: z
            .strictObject({
              mode: z.enum(['PROXY', 'CLUSTER']).nullish(),
              auth: redisAuth.nullish(),
              discoveryEndpoints: opaque.optional(),
            })
            .nullish(),
        })
        .nullish(),
    })
    .nullish(),
});

export type RedisDestinationSpec = z.infer<typeof specSchema>;

const POOL = 'spec.trafficPolicy.connectionPool';

export const redisDestinationKind: KindDefinition<RedisDestinationSpec> = {
  kind: 'RedisDestination',
  group: 'redis.aeraki.io',
  versions: ['v1alpha1'],
  schema: resourceSchema(specSchema),
  secretFields: SECRET_FIELDS,
  notApplied: [
    { path: `${POOL}.tcp.tcpKeepalive`, reason: 'TCP keepalive is not built yet' },
    { path: `${POOL}.redis.discoveryEndpoints`, reason: 'Redis Cluster is not built yet' },
  ],
};
