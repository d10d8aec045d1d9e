/**
 * A table in which single virtual hosts stay at their last good version. Pure but for the encoder: what runs has bytes and a version
 * like any resource, so that it is reported, stored and compared as one.
 */
import type { RouteTableDescription, VirtualHostDescription } from '../../metaprotocol/description.ts';
import type { JsonObject } from '../../xds/json.ts';
import type { EncodeResult, VersionedResource, XdsResource } from '../../xds/resource.ts';

export type EncodeResource = (resource: XdsResource) => EncodeResult;

interface Merged {
  readonly before: VersionedResource;
  readonly kept: string;
  readonly result: VersionedResource;
}

export class VirtualHostKeeper {
  readonly #encode: EncodeResource;
  /** By the newest version: the same answer is the same object, which nobody reads again. */
  readonly #merged = new WeakMap<VersionedResource, Merged>();

  constructor(encode: EncodeResource) {
    this.#encode = encode;
  }

  /** `newest`, with the virtual hosts named in `kept` as `before` has them. */
  merge(newest: VersionedResource, before: VersionedResource, kept: ReadonlySet<string>): VersionedResource {
    const key = JSON.stringify([...kept].sort());
    const known = this.#merged.get(newest);
    if (known?.kept === key && (known.before === before || known.result === before)) return known.result;
    const old = new Map(hostsOf(before).map((host) => [host.name, host]));
    const taken = new Set(hostsOf(newest).flatMap((host) => (kept.has(host.name) ? [] : host.domains)));
    const virtualHosts = hostsOf(newest).map((host) => {
      const last = kept.has(host.name) ? old.get(host.name) : undefined;
      // A domain that moved to a virtual host which goes on is that one's.
      return last === undefined ? host : { ...last, domains: last.domains.filter((domain) => !taken.has(domain)) };
    });
    const { typeUrl, name, value } = newest;
    const encoded = this.#encode({ typeUrl, name, value: { ...value, virtualHosts } });
    // Both came from such bytes.
    if (!encoded.ok) throw new Error(`${name}: ${JSON.stringify(encoded.issues)}`);
    const result = encoded.resource.version === before.version ? before : encoded.resource;
    this.#merged.set(newest, { before, kept: key, result });
    return result;
  }
}

/** The virtual host of this name in an earlier table, where something of it would be left in the new one. */
export function lastVersionOf(
  host: VirtualHostDescription,
  table: RouteTableDescription,
  before: RouteTableDescription,
): VirtualHostDescription | null {
  const last = before.virtualHosts.find(({ name }) => name === host.name);
  if (last === undefined) return null;
  const others = new Set(table.virtualHosts.flatMap((other) => (other.name === host.name ? [] : other.domains)));
  return last.domains.some((domain) => !others.has(domain)) ? last : null;
}

function hostsOf(table: VersionedResource): (JsonObject & { name: string; domains: string[] })[] {
  return table.value.virtualHosts as (JsonObject & { name: string; domains: string[] })[];
}
