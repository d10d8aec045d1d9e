/** Sidecar (networking.istio.io): which inbound listeners a workload's proxy opens, and where they forward to. */
import { isIP } from 'node:net';
import { z } from 'zod';
import { dnsLabel, ipAddress, labelSelector, opaque, portNumber } from './fields.ts';
import { type KindDefinition, resourceSchema } from './kind.ts';

const defaultEndpoint = z.string().refine((text) => {
  const split = text.lastIndexOf(':');
  const port = text.slice(split + 1);
  const host = text.slice(0, Math.max(split, 0)).replace(/^\[(.*)\]$/, '$1');
  return isIP(host) !== 0 && /^\d{1,5}$/.test(port) && portNumber.safeParse(Number(port)).success;
}, 'address:port, such as 127.0.0.1:8080');

const specSchema = z.strictObject({
  workloadSelector: labelSelector.nullish(),
  ingress: z
    .array(
      z.strictObject({
        port: z.strictObject({
          number: portNumber,
          name: dnsLabel,
          protocol: z.string().nullish(),
          targetPort: opaque.optional(),
        }),
        bind: ipAddress.nullish(),
        captureMode: z.enum(['DEFAULT', 'IPTABLES', 'NONE']).nullish(),
        defaultEndpoint: defaultEndpoint.nullish(),
        tls: opaque.optional(),
        connectionPool: opaque.optional(),
      }),
    )
    .superRefine((list, context) => {
      const numbers = list.map((ingress) => ingress.port.number);
      numbers.forEach((number, index) => {
        if (numbers.indexOf(number) !== index)
          context.addIssue({ code: 'custom', path: [index, 'port', 'number'], message: 'each port number once' });
      });
    })
    .nullish(),
  egress: opaque.optional(),
  outboundTrafficPolicy: opaque.optional(),
  inboundConnectionPool: opaque.optional(),
});

export type SidecarSpec = z.infer<typeof specSchema>;

export const sidecarKind: KindDefinition<SidecarSpec> = {
  kind: 'Sidecar',
  group: 'networking.istio.io',
  versions: ['v1', 'v1beta1', 'v1alpha3'],
  schema: resourceSchema(specSchema),
  notApplied: [
    { path: 'spec.egress', reason: 'every proxy gets all services that are exported to its namespace' },
    { path: 'spec.outboundTrafficPolicy', reason: 'without interception there is no unknown outbound traffic' },
    { path: 'spec.inboundConnectionPool', reason: 'inbound connection limits are not built yet' },
    { path: 'spec.ingress[].captureMode', reason: 'interception is not built yet' },
    { path: 'spec.ingress[].tls', reason: 'inbound TLS is not built yet' },
    { path: 'spec.ingress[].connectionPool', reason: 'inbound connection limits are not built yet' },
  ],
};
