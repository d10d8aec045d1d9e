/** ApplicationProtocol (metaprotocol.aeraki.io): a name for port names, the codec behind it and the codec's options. */
import { z } from 'zod';
import { dnsLabel, nonEmpty } from './fields.ts';
import { type KindDefinition, resourceSchema } from './kind.ts';

const option = z.custom<string | number | boolean>(
  (value) => ['string', 'number', 'boolean'].includes(typeof value),
  'a text, a number, true or false',
);

const specSchema = z.strictObject({
  protocol: dnsLabel,
  codec: nonEmpty,
  /** Ours: options of the codec, checked against its manifest. */
  options: z.record(z.string(), option).nullish(),
});

export type ApplicationProtocolSpec = z.infer<typeof specSchema>;

export const applicationProtocolKind: KindDefinition<ApplicationProtocolSpec> = {
  kind: 'ApplicationProtocol',
  group: 'metaprotocol.aeraki.io',
  versions: ['v1alpha1'],
  schema: resourceSchema(specSchema),
  notApplied: [],
};
