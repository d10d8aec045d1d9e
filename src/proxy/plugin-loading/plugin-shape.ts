/** pluginShape: what a plugin that somebody wrote by hand must be: whatever the host reads of it later is there. */
import { z } from 'zod';
import { aFunction, codecApi, text } from '../../schema/fields.ts';
import { manifestSchema } from '../../schema/manifest-schema.ts';

/** It travels between threads, and as JSON to the control plane. */
const plainData = z.unknown().superRefine((given, context) => {
  try {
    JSON.stringify(structuredClone(given));
  } catch (error) {
    context.addIssue({ code: 'custom', message: `plain data: ${(error as Error).message}` });
  }
});

const codec = z.looseObject({
  manifest: z.intersection(plainData, manifestSchema),
  alpn: z.array(z.string()),
  replies: z.enum(['in-order', 'any-order']),
  affinity: z.boolean(),
  concurrency: z.looseObject({ downstream: z.number(), upstream: z.number() }),
  parseOptions: aFunction,
  createServerCodec: aFunction,
  createClientCodec: aFunction,
});
const filter = z.looseObject({ name: text, parseOptions: aFunction, create: aFunction });

export const pluginShape = z
  .looseObject({
    name: text,
    version: text,
    codecApi,
    codecs: z.array(codec).optional(),
    filters: z.array(filter).optional(),
  })
  .refine(
    ({ codecs = [], filters = [] }) => codecs.length + filters.length > 0,
    'at least one codec or filter in codecs and filters',
  );
