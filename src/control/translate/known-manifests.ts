/** KnownManifests: the protocols that are built in or given by the operator, and those that proxies announce. */
import { z } from 'zod';
import type { ProtocolManifest } from '../../metaprotocol/manifest.ts';
import type { NodeInfo } from '../../xds/node.ts';

const mutation = z.union([
  z.boolean(),
  z.object({ option: z.string(), always: z.array(z.string()), sometimes: z.array(z.string()) }),
]);

/** What a peer says is checked for the fields that the control plane reads. */
const manifestSchema = z.object({
  name: z.string().min(1),
  version: z.string(),
  aliases: z.array(z.string()),
  family: z.string(),
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
      default: z.union([z.string(), z.number(), z.boolean()]),
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

export class KnownManifests {
  readonly #given: readonly ProtocolManifest[];
  readonly #announced = new Map<string, ProtocolManifest>();

  constructor(given: readonly ProtocolManifest[]) {
    this.#given = given;
  }

  /** Given ones first: a proxy cannot change what the operator's own protocols mean. */
  all(): ProtocolManifest[] {
    return [...this.#given, ...this.#announced.values()];
  }

  /**
   * True when a protocol is new or changed. Of several manifests with one name the newest counts, so that proxies of two versions
   * do not take turns. `onFault` is told of manifests that cannot be read.
   */
  learn(node: NodeInfo, onFault: (message: string) => void): boolean {
    let changed = false;
    for (const announced of node.manifests) {
      const read = manifestSchema.safeParse(announced);
      if (!read.success) {
        const faults = read.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
        onFault(`manifest of proxy ${node.id}: ${faults.join('; ')}`);
        continue;
      }
      const manifest = read.data;
      if (
        this.#given.some((given) => given.name === manifest.name) ||
        !isNewer(manifest, this.#announced.get(manifest.name))
      )
        continue;
      this.#announced.set(manifest.name, manifest);
      changed = true;
    }
    return changed;
  }
}

function isNewer(manifest: ProtocolManifest, known: ProtocolManifest | undefined): boolean {
  if (known === undefined) return true;
  const byVersion = manifest.version.localeCompare(known.version, 'en', { numeric: true });
  return byVersion > 0 || (byVersion === 0 && JSON.stringify(manifest) > JSON.stringify(known));
}
