/** LastGood: the resources that ran last, on disk, so that a proxy starts without its control plane. */
import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { VersionedResource } from '../xds/resource.ts';
import type { Xds } from '../xds/xds.ts';
import type { Resources } from './ads-resources.ts';

const FORMAT = 1;

interface Stored {
  readonly format: typeof FORMAT;
  readonly node: string;
  /** Of `resources` as text: half a file or an edited one is not started from. */
  readonly checksum: string;
  readonly resources: readonly { readonly typeUrl: string; readonly value: string }[];
}

export class LastGood {
  readonly path: string;
  readonly #node: string;
  #newest: Resources | null = null;
  #writing: Promise<void> | null = null;

  /** One folder may serve several proxies: each has a file of its own. */
  constructor(folder: string, node: string) {
    this.#node = node;
    this.path = join(folder, `last-good-${node.replace(/[^a-zA-Z0-9._-]/g, '_')}.json`);
  }

  /** Written soon; while one write runs, only the newest of the following ones is kept. Rejects like the file system. */
  save(resources: Resources): Promise<void> {
    this.#newest = resources;
    this.#writing ??= this.#writeNewest().finally(() => {
      this.#writing = null;
    });
    return this.#writing;
  }

  /** Null when there is none. Throws when there is one that cannot be used. */
  async load(xds: Xds): Promise<Resources | null> {
    let text: string;
    try {
      text = await readFile(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
    const stored = parse(text, this.path);
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

  async #writeNewest(): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true });
    while (this.#newest !== null) {
      const text = stringify(this.#newest, this.#node);
      this.#newest = null;
      const draft = `${this.path}.${process.pid}`;
      const file = await open(draft, 'w', 0o600);
      try {
        await file.writeFile(text);
        // Else a power cut may leave the new name with the old nothing.
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(draft, this.path);
    }
  }
}

function stringify(resources: Resources, node: string): string {
  const list = [...resources.values()].flatMap((byName) =>
    [...byName.values()].map(({ typeUrl, any }) => ({ typeUrl, value: any.value.toString('base64') })),
  );
  const stored: Stored = { format: FORMAT, node, checksum: checksumOf(list), resources: list };
  return `${JSON.stringify(stored)}\n`;
}

function parse(text: string, path: string): Stored {
  let stored: Partial<Stored>;
  try {
    stored = JSON.parse(text) as Partial<Stored>;
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`);
  }
  if (stored?.format !== FORMAT) throw new Error(`${path}: format ${stored?.format}, expected ${FORMAT}`);
  const actual = checksumOf(stored.resources ?? []);
  if (actual !== stored.checksum) throw new Error(`${path}: checksum ${actual}, expected ${stored.checksum}`);
  return stored as Stored;
}

function checksumOf(resources: Stored['resources']): string {
  return createHash('sha256').update(JSON.stringify(resources)).digest('hex');
}
