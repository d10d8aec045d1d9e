/** Checks attribute keys against a protocol's schema: what routes, hash policies and mutations may name. */
import type { ProtocolManifest } from '../../metaprotocol/manifest.ts';
import { nearMiss, nearMissHint } from '../../schema/near-miss.ts';
import type { CodecOptions } from './mesh.ts';

export interface AttributeFault {
  readonly level: 'error' | 'warning';
  readonly message: string;
}

/** The key in the case that the protocol compares in. */
export function canonicalKey(manifest: ProtocolManifest, key: string): string {
  return manifest.attributes.keyCase === 'insensitive' ? key.toLowerCase() : key;
}

/** null when the protocol knows the key, or may carry it in its open namespace. */
export function unknownKey(manifest: ProtocolManifest, key: string): AttributeFault | null {
  const { fixed, open } = manifest.attributes;
  const known = fixed.map((attribute) => attribute.key);
  const wanted = canonicalKey(manifest, key);
  if (known.some((each) => canonicalKey(manifest, each) === wanted)) return null;
  if (open === null) {
    const expected =
      known.length === 0
        ? 'it has none that routes may name'
        : `expected one of ${known.join(', ')}${nearMissHint(key, known)}`;
    return { level: 'error', message: `${manifest.name} has no attribute ${key}, ${expected}` };
  }
  const meant = nearMiss(key, known);
  if (meant === null) return null;
  return {
    level: 'warning',
    message: `${key} is close to the attribute ${meant} of ${manifest.name}; as it stands it means ${open.description}`,
  };
}

/** null when a route may set or remove the key. */
export function immutableKey(manifest: ProtocolManifest, key: string): AttributeFault | null {
  const { fixed, open } = manifest.attributes;
  const wanted = canonicalKey(manifest, key);
  const attribute = fixed.find((each) => canonicalKey(manifest, each.key) === wanted);
  if (attribute === undefined) {
    const unknown = unknownKey(manifest, key);
    if (unknown !== null) return unknown;
    return open?.mutable === true ? null : { level: 'error', message: `${manifest.name} cannot change ${key}` };
  }
  if (attribute.mutable) return null;
  const mutable = fixed.filter((each) => each.mutable).map((each) => each.key);
  if (open?.mutable === true) mutable.push(open.description);
  return {
    level: 'error',
    message: `${manifest.name} cannot change its attribute ${key}, expected one of ${mutable.join(', ') || 'none'}`,
  };
}

/** null when the codec, with these options, carries mutations in this direction. */
export function mutationFault(
  manifest: ProtocolManifest,
  options: CodecOptions,
  direction: 'request' | 'response',
): AttributeFault | null {
  const capability =
    direction === 'request' ? manifest.capabilities.requestMutation : manifest.capabilities.responseMutation;
  if (capability === true) return null;
  if (capability === false) return { level: 'error', message: `${manifest.name} cannot carry ${direction} mutations` };
  const { option, always, sometimes } = capability;
  const value = String(options[option] ?? manifest.options.find((each) => each.key === option)?.default);
  if (always.includes(value)) return null;
  if (sometimes.includes(value)) {
    return {
      level: 'warning',
      message: `with ${option} ${value}, ${manifest.name} carries ${direction} mutations on some messages only; those that cannot are counted`,
    };
  }
  return {
    level: 'error',
    message: `actual ${option} ${value}, which cannot carry ${direction} mutations; expected ${[...always, ...sometimes].join(' or ')} (options of an ApplicationProtocol)`,
  };
}
