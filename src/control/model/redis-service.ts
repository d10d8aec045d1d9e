/** RedisService (redis.aeraki.io): where the keys of a Redis service are, and how its callers are treated. */
import { z } from 'zod';
import { duration, hostName, nonEmpty, opaque, portNumber } from './fields.ts';
import { type KindDefinition, resourceSchema } from './kind.ts';
import { redisAuth, SECRET_FIELDS } from './redis-auth.ts';

const percentage = z.strictObject({ value: z.number().min(0).max(100).nullish() }).nullish();
const destination = z.strictObject({ host: hostName, port: portNumber.nullish() });

const route = z.strictObject({
  match: z
    .strictObject({
      key: z.strictObject({ prefix: nonEmpty, removePrefix: z.boolean().nullish() }).nullish(),
    })
    .nullish(),
  route: destination,
  mirror: z
    .array(z.strictObject({ route: destination, percentage, excludeReadCommands: z.boolean().nullish() }))
    .nullish(),
});

const fault = z
  .strictObject({
    type: z.enum(['DELAY', 'ERROR']),
    percentage,
    delay: duration.nullish(),
    commands: z.array(nonEmpty).nullish(),
  })
  .refine((value) => value.type !== 'DELAY' || Boolean(value.delay), { message: 'a delay', path: ['delay'] });

const specSchema = z.strictObject({
  host: z.array(hostName).min(1),
  settings: z
    .strictObject({
      auth: redisAuth.nullish(),
      caseInsensitive: z.boolean().nullish(),
      opTimeout: duration.nullish(),
      enableCommandStats: opaque.optional(),
      maxBufferSizeBeforeFlush: opaque.optional(),
      bufferFlushTimeout: opaque.optional(),
      maxUpstreamUnknownConnections: opaque.optional(),
      enableHashtagging: z.boolean().nullish(),
      enableRedirection: opaque.optional(),
      readPolicy: z.enum(['MASTER', 'PREFER_MASTER', 'REPLICA', 'PREFER_REPLICA', 'ANY']).nullish(),
    })
    .nullish(),
  redis: z.array(route).nullish(),
  faults: z.array(fault).nullish(),
});

export type RedisServiceSpec = z.infer<typeof specSchema>;
export type RedisRouteSpec = z.infer<typeof route>;

export const redisServiceKind: KindDefinition<RedisServiceSpec> = {
  kind: 'RedisService',
  group: 'redis.aeraki.io',
  versions: ['v1alpha1'],
  schema: resourceSchema(specSchema),
  secretFields: SECRET_FIELDS,
  notApplied: [
    { path: 'spec.settings.enableCommandStats', reason: 'statistics per command are not built yet' },
    { path: 'spec.settings.maxBufferSizeBeforeFlush', reason: 'what a turn of the event loop writes is sent together' },
    { path: 'spec.settings.bufferFlushTimeout', reason: 'what a turn of the event loop writes is sent together' },
    { path: 'spec.settings.maxUpstreamUnknownConnections', reason: 'Redis Cluster is not built yet' },
    {
      path: 'spec.settings.enableRedirection',
      reason: 'Redis Cluster is not built yet: MOVED and ASK reach the caller',
    },
  ],
};
