/** Registry: the protocols and filters of one process, by name. An instance, made at start; there is no global one. */

import type { CodecFactory } from './codec.ts';
import { CODEC_API_VERSION } from './codec.ts';
import { ConfigError } from './config-error.ts';
import type { FilterFactory } from './filter.ts';
import type { ProtocolManifest } from './manifest.ts';
import type { Plugin } from './plugin.ts';

export class Registry {
  readonly #codecs = new Map<string, CodecFactory>();
  readonly #filters = new Map<string, FilterFactory>();
  readonly #owners = new Map<string, string>();

  constructor(plugins: readonly Plugin[]) {
    for (const plugin of plugins) this.#register(plugin);
  }

  /** Factory by protocol name or alias. */
  codec(name: string): CodecFactory | undefined {
    return this.#codecs.get(name);
  }

  filter(name: string): FilterFactory | undefined {
    return this.#filters.get(name);
  }

  /** One for each protocol (aliases are inside), sorted by name: what a proxy tells its control plane. */
  manifests(): ProtocolManifest[] {
    return [...new Set(this.#codecs.values())]
      .map((codec) => codec.manifest)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #register(plugin: Plugin): void {
    if (!acceptsVersion(plugin.codecApi, CODEC_API_VERSION)) {
      throw new ConfigError([
        {
          path: plugin.name,
          message: `plugin ${plugin.name} ${plugin.version} was written for codec API ${plugin.codecApi}, this is ${CODEC_API_VERSION}`,
        },
      ]);
    }
    for (const codec of plugin.codecs ?? []) {
      for (const name of [codec.manifest.name, ...codec.manifest.aliases]) {
        this.#claim(`protocol ${name}`, plugin);
        this.#codecs.set(name, codec);
      }
    }
    for (const filter of plugin.filters ?? []) {
      this.#claim(`filter ${filter.name}`, plugin);
      this.#filters.set(filter.name, filter);
    }
  }

  #claim(what: string, plugin: Plugin): void {
    const owner = this.#owners.get(what);
    if (owner !== undefined) {
      throw new ConfigError([{ path: plugin.name, message: `${what} is already provided by plugin ${owner}` }]);
    }
    this.#owners.set(what, plugin.name);
  }
}

/** `^1.2.0` or an exact `1.2.0`: the same major, and at least that minor and patch. */
function acceptsVersion(range: string, version: string): boolean {
  const wanted = /^(\^?)(\d+)\.(\d+)\.(\d+)$/.exec(range);
  if (wanted === null) return false;
  if (wanted[1] === '') return range === version;
  const [major, minor, patch] = version.split('.').map(Number) as [number, number, number];
  if (major !== Number(wanted[2])) return false;
  const wantedMinor = Number(wanted[3]);
  return minor > wantedMinor || (minor === wantedMinor && patch >= Number(wanted[4]));
}
