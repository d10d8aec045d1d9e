/** ServiceEntry (networking.istio.io): a service, where it is addressed and which endpoints it has. */
import { z } from 'zod';
import { exportTo, hostName, ipOrRange, labelSelector, memberName, portNumber } from './fields.ts';
import { type KindDefinition, resourceSchema } from './kind.ts';
import { workloadSchema } from './workload-entry.ts';

const portSchema = z.strictObject({
  number: portNumber,
  name: memberName,
  protocol: z.string().nullish(),
  targetPort: portNumber.nullish(),
});

const specSchema = z
  .strictObject({
    hosts: z
      .array(
        z
          .string()
          .refine(
            (host) => host !== '*' && (hostName.safeParse(host).success || isWildcard(host)),
            'a host name, with a wildcard at most as its first label',
          ),
      )
      .min(1),
    addresses: z.array(ipOrRange).nullish(),
    ports: z.array(portSchema).nullish(),
    location: z.enum(['MESH_EXTERNAL', 'MESH_INTERNAL']).nullish(),
    resolution: z.enum(['NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS']).nullish(),
    endpoints: z.array(workloadSchema).nullish(),
    workloadSelector: labelSelector.nullish(),
    exportTo: exportTo.nullish(),
    subjectAltNames: z.array(z.string()).nullish(),
  })
  .superRefine((spec, context) => {
    const fault = (path: (string | number)[], message: string): void =>
      context.addIssue({ code: 'custom', path, message });
    const ports = spec.ports ?? [];
    const numbers = ports.map((port) => port.number);
    const names = ports.map((port) => port.name);
    ports.forEach((port, index) => {
      if (numbers.indexOf(port.number) !== index) fault(['ports', index, 'number'], 'each port number once');
      if (names.indexOf(port.name) !== index) fault(['ports', index, 'name'], 'each port name once');
    });
    if (spec.endpoints && spec.workloadSelector) fault(['endpoints'], 'either endpoints or workloadSelector, not both');
    const resolution = spec.resolution ?? 'NONE';
    if (resolution === 'NONE' && spec.endpoints?.length)
      fault(['endpoints'], 'no endpoints with resolution NONE (the default): set STATIC or DNS');
    (spec.endpoints ?? []).forEach((endpoint, index) => {
      for (const name of Object.keys(endpoint.ports ?? {})) {
        if (!names.includes(name))
          fault(['endpoints', index, 'ports', name], `one of the service's port names: ${names.join(', ')}`);
      }
      const isAddress = ipOrRange.safeParse(endpoint.address).success;
      if (resolution === 'STATIC' && !isAddress)
        fault(['endpoints', index, 'address'], 'an IP address with resolution STATIC');
    });
  });

function isWildcard(host: string): boolean {
  return host.startsWith('*') && hostName.safeParse(host.replace(/^\*\.?/, '')).success;
}

export type ServiceEntrySpec = z.infer<typeof specSchema>;

export const serviceEntryKind: KindDefinition<ServiceEntrySpec> = {
  kind: 'ServiceEntry',
  group: 'networking.istio.io',
  versions: ['v1', 'v1beta1', 'v1alpha3'],
  schema: resourceSchema(specSchema),
  notApplied: [{ path: 'spec.endpoints[].network', reason: 'one flat network is assumed' }],
};
