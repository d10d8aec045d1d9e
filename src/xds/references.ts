/** Which resources a resource names: what make-before-break and validity per resource are computed from. */
import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';
import type { XdsResource } from './resource.ts';
import { TypeUrl } from './type-urls.ts';

export interface References {
  readonly clusters: ReadonlySet<string>;
  readonly routes: ReadonlySet<string>;
  readonly endpoints: ReadonlySet<string>;
  readonly secrets: ReadonlySet<string>;
}

/**
 * Walks the whole value, so a reference in a filter that this build does not act on counts too: for keeping a cluster alive,
 * one name too many is harmless and one too few drops calls.
 */
export function referencesOf(resource: XdsResource): References {
  const found = {
    clusters: new Set<string>(),
    routes: new Set<string>(),
    endpoints: new Set<string>(),
    secrets: new Set<string>(),
  };
  if (resource.typeUrl === TypeUrl.Cluster) {
    const service = endpointsOf(resource);
    if (service !== null) found.endpoints.add(service);
  }
  walk(resource.value, found);
  return found;
}

/** What each resource names, found out once. */
export class KnownReferences {
  readonly #known = new WeakMap<XdsResource, References>();

  of(resource: XdsResource): References {
    let references = this.#known.get(resource);
    if (references === undefined) {
      references = referencesOf(resource);
      this.#known.set(resource, references);
    }
    return references;
  }
}

/** The name under which EDS serves a cluster's endpoints; null: not an EDS cluster. */
export function endpointsOf(cluster: XdsResource): string | null {
  if (cluster.value.type !== 'EDS') return null;
  const config = cluster.value.edsClusterConfig;
  const service = isJsonObject(config) ? config.serviceName : undefined;
  return typeof service === 'string' && service !== '' ? service : cluster.name;
}

type Found = { clusters: Set<string>; routes: Set<string>; secrets: Set<string> };

function walk(value: JsonValue, found: Found): void {
  if (Array.isArray(value)) {
    for (const item of value) walk(item, found);
    return;
  }
  if (!isJsonObject(value)) return;
  for (const [key, child] of Object.entries(value)) {
    // Free-form JSON of operators names nothing of ours, and a cluster's own endpoints only the cluster itself.
    if (key === 'metadata' || key === 'filterMetadata' || key === 'loadAssignment') continue;
    if (key === 'cluster' || key === 'clusterName') addText(child, found.clusters);
    else if (key === 'routeConfigName') addText(child, found.routes);
    else if (key === 'weightedClusters' && isJsonObject(child)) addNames(child.clusters, found.clusters);
    else if (/sdsSecretConfigs?$/i.test(key)) addNames(child, found.secrets);
    walk(child, found);
  }
}

function addText(value: JsonValue, names: Set<string>): void {
  if (typeof value === 'string' && value !== '') names.add(value);
}

function addNames(value: JsonValue | undefined, names: Set<string>): void {
  for (const item of Array.isArray(value) ? value : [value]) {
    if (isJsonObject(item)) addText((item as JsonObject).name ?? '', names);
  }
}
