/** doubledProtocol: a protocol that two outside plugins provide. Each runs alone, so no registry sees them both. */
import type { ProtocolManifest } from '../../metaprotocol/manifest.ts';

interface Provided {
  /** Of the plugin, as the operator named it. */
  readonly reference: string;
  readonly manifests: readonly ProtocolManifest[];
}

/** In words; null: each protocol has one plugin. */
export function doubledProtocol(plugins: readonly Provided[]): string | null {
  const owners = new Map<string, string>();
  for (const { reference, manifests } of plugins) {
    for (const name of manifests.flatMap((manifest) => [manifest.name, ...manifest.aliases])) {
      const owner = owners.get(name);
      if (owner !== undefined)
        return `protocol ${name} is provided by plugin ${owner} and again by plugin ${reference}`;
      owners.set(name, reference);
    }
  }
  return null;
}
