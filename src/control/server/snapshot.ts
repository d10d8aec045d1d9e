/** The resources one client should have, by type and name; the encoded form of what a generator returned. */
import type { FieldIssue } from '../../xds/descriptor.ts';
import type { VersionedResource, XdsResource } from '../../xds/resource.ts';
import { resourceTypeUrls } from '../../xds/type-urls.ts';
import type { ResourceEncoder } from './resource-encoder.ts';

export type ResourceMap = ReadonlyMap<string, VersionedResource>;
export type Snapshot = ReadonlyMap<string, ResourceMap>;

/** A resource that cannot be sent. Its last good version stays. */
export interface UnsendableResource {
  readonly typeUrl: string;
  readonly name: string;
  readonly issues: readonly FieldIssue[];
}

export interface SnapshotResult {
  readonly snapshot: Snapshot;
  readonly unsendable: readonly UnsendableResource[];
}

export function emptySnapshot(): Snapshot {
  return new Map(resourceTypeUrls.map((typeUrl) => [typeUrl, new Map()]));
}

/**
 * Encodes what a generator returned. A resource whose bytes did not change is the object `previous` had, and a faulty one stays
 * as `previous` had it. Of two with one name the first counts and the second is told as unsendable.
 */
export function buildSnapshot(
  encoder: ResourceEncoder,
  resources: readonly XdsResource[],
  previous: Snapshot,
): SnapshotResult {
  const snapshot = new Map<string, Map<string, VersionedResource>>(
    resourceTypeUrls.map((typeUrl) => [typeUrl, new Map()]),
  );
  const unsendable: UnsendableResource[] = [];
  for (const resource of resources) {
    const { typeUrl, name } = resource;
    const resourcesOfType = snapshot.get(typeUrl);
    if (resourcesOfType === undefined) {
      unsendable.push({ typeUrl, name, issues: [{ path: '', message: `ADS carries no "${typeUrl}"` }] });
      continue;
    }
    if (resourcesOfType.has(name)) {
      unsendable.push({ typeUrl, name, issues: [{ path: '', message: 'generated twice; the first one is sent' }] });
      continue;
    }
    const old = previous.get(typeUrl)?.get(name);
    const encoded = encoder.encode(resource);
    if (!encoded.ok) unsendable.push({ typeUrl, name, issues: encoded.issues });
    const next = encoded.ok && encoded.resource.version !== old?.version ? encoded.resource : old;
    if (next !== undefined) resourcesOfType.set(name, next);
  }
  return { snapshot, unsendable };
}
