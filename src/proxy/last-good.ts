/** LastGood: the resources that ran last, on disk, so that a proxy starts without its control plane. */
import { join } from 'node:path';
import { StateFile } from '../state/state-file.ts';
import type { VersionedResource } from '../xds/resource.ts';
import type { Xds } from '../xds/xds.ts';
import type { Resources } from './ads-resources.ts';

const FORMAT = 2;

interface Stored {
  readonly node: string;
  readonly resources: readonly { readonly typeUrl: string; readonly value: string }[];
}

export class LastGood {
  readonly #node: string;
  readonly #file: StateFile<Stored>;

  /** One folder may serve several proxies: each has a file of its own. */
  constructor(folder: string, node: string) {
    this.#node = node;
    this.#file = new StateFile(join(folder, `last-good-${node.replace(/[^a-zA-Z0-9._-]/g, '_')}.json`), FORMAT);
  }

  get path(): string {
    return this.#file.path;
  }

  /** As `StateFile.save`. */
  save(resources: Resources): Promise<void> {
    const list = [...resources.values()].flatMap((byName) =>
      [...byName.values()].map(({ typeUrl, any }) => ({ typeUrl, value: any.value.toString('base64') })),
    );
    return this.#file.save({ node: this.#node, resources: list });
  }

  /** Null when there is none. Throws when there is one that cannot be used. */
  async load(xds: Xds): Promise<Resources | null> {
    const stored = await this.#file.load();
    if (stored === null) return null;
    if (stored.node !== this.#node) throw new Error(`${this.path}: of proxy ${stored.node}, this is ${this.#node}`);
    const resources = new Map<string, Map<string, VersionedResource>>();
    for (const { typeUrl, value } of stored.resources) {
      const decoded = xds.decodeResource({ typeUrl, value: Buffer.from(value, 'base64') });
      if (!decoded.ok) throw new Error(`${this.path}: ${typeUrl} ${decoded.name}: ${JSON.stringify(decoded.issues)}`);
      const byName = resources.get(typeUrl) ?? new Map<string, VersionedResource>();
      resources.set(typeUrl, byName.set(decoded.resource.name, decoded.resource));
    }
    return resources;
  }
}
