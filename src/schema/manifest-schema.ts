/** manifestSchema: a ProtocolManifest from elsewhere, a plugin or a proxy that announces it. */
import { z } from 'zod';
import type { ProtocolManifest } from '../metaprotocol/manifest.ts';
import { protocolName, text } from './fields.ts';

const mutation = z.union(
  [z.boolean(), z.object({ option: z.string(), always: z.array(z.string()), sometimes: z.array(z.string()) })],
  'true, false or { option, always, sometimes }',
);

export const manifestSchema = z.object({
  name: protocolName,
  version: text,
  aliases: z.array(z.string()),
  family: text,
  attributes: z.object({
    fixed: z.array(z.object({ key: z.string(), description: z.string(), mutable: z.boolean() })),
    open: z.object({ description: z.string(), mutable: z.boolean() }).nullable(),
    keyCase: z.enum(['sensitive', 'insensitive']),
    hostKey: z.string().nullable(),
    placementKey: z.string().exactOptional(),
  }),
  codes: z.array(z.object({ name: z.string(), code: z.number() })),
  options: z.array(
    z.object({
      key: z.string(),
      type: z.enum(['integer', 'boolean', 'string']),
      values: z.array(z.string()).exactOptional(),
      minimum: z.number().exactOptional(),
      maximum: z.number().exactOptional(),
      default: z.union([z.string(), z.number(), z.boolean()], 'a text, a number, true or false'),
      needs: z.object({ option: z.string(), value: z.string() }).exactOptional(),
      description: z.string(),
    }),
  ),
  capabilities: z.object({
    requestMutation: mutation,
    responseMutation: mutation,
    oneway: z.boolean(),
    streaming: z.boolean(),
    errorReply: z.boolean(),
    idempotencyHint: z.boolean(),
    serverFirst: z.boolean(),
    multiplexing: z.boolean(),
  }),
}) satisfies z.ZodType<ProtocolManifest>;
