/** KnownManifests: the protocols that are built in or given by the operator, and those that proxies announce. */
import type { ProtocolManifest } from '../../metaprotocol/manifest.ts';
import { manifestSchema } from '../../schema/manifest-schema.ts';
import { schemaFaults } from '../../schema/schema-faults.ts';
import type { NodeInfo } from '../../xds/node.ts';

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
      const faults = schemaFaults(manifestSchema, announced);
      if (faults.length > 0) {
        const texts = faults.map(({ path, message }) => `${path}: ${message}`);
        onFault(`manifest of proxy ${node.id}: ${texts.join('; ')}`);
        continue;
      }
      const manifest = manifestSchema.parse(announced);
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
