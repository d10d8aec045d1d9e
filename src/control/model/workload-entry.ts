/** WorkloadEntry (networking.istio.io): one workload, picked up by the workloadSelector of ServiceEntries. */
import { z } from 'zod';
import { hostName, ipAddress, portNumber, stringMap } from './fields.ts';
import { type KindDefinition, resourceSchema } from './kind.ts';

const address = z
  .string()
  .refine(
    (text) => ipAddress.safeParse(text).success || hostName.safeParse(text).success,
    'an IP address or a host name (unix sockets are not supported)',
  );

/** Also the shape of ServiceEntry.endpoints[]. */
export const workloadSchema = z.strictObject({
  address,
  ports: z.record(z.string(), portNumber).nullish(),
  labels: stringMap.nullish(),
  network: z.string().nullish(),
  locality: z.string().nullish(),
  /** Absent and 0 mean 1. */
  weight: z.int().min(0).max(1_000_000).nullish(),
  serviceAccount: z.string().nullish(),
});

export type WorkloadSpec = z.infer<typeof workloadSchema>;

export const workloadEntryKind: KindDefinition<WorkloadSpec> = {
  kind: 'WorkloadEntry',
  group: 'networking.istio.io',
  versions: ['v1', 'v1beta1', 'v1alpha3'],
  schema: resourceSchema(workloadSchema),
  notApplied: [{ path: 'spec.network', reason: 'one flat network is assumed' }],
};
