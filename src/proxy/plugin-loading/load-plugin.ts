/**
 * loadPlugin: imports an outside plugin from a file or a package, TypeScript or not, without a build step. It runs the plugin's
 * code in this thread: a proxy calls it in the plugin's own worker group only.
 */
import { existsSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { CodecFactory } from '../../metaprotocol/codec.ts';
import type { Plugin } from '../../metaprotocol/plugin.ts';
import type { PluginModules } from './plugin-modules.ts';

/** `reference`: a path (relative to `directory`) or the name of a package that is installed there. Rejects with what is wrong. */
export async function loadPlugin(reference: string, directory: string, modules: PluginModules): Promise<Plugin> {
  const found = await importFrom(reference, directory, modules);
  const plugin = (found as { readonly default?: unknown }).default;
  const missing = whatIsMissing(plugin);
  if (missing !== null)
    throw new Error(`plugin ${reference}: ${missing}; its default export is what defineCodec gives`);
  return plugin as Plugin;
}

async function importFrom(reference: string, directory: string, modules: PluginModules): Promise<unknown> {
  const path = resolve(directory, reference);
  const isPath = reference.startsWith('.') || isAbsolute(reference) || existsSync(path);
  if (isPath && !existsSync(path)) throw new Error(`plugin ${reference}: there is no file ${path}`);
  try {
    if (isPath) return await import(pathToFileURL(path).href);
    return await import(modules.specifierOf(reference, directory));
  } catch (error) {
    throw new Error(`plugin ${reference}: ${textOf(error)}`, { cause: error });
  }
}

/** A syntax error says where it is only in its stack. */
function textOf(error: unknown): string {
  if (error instanceof SyntaxError && error.stack !== undefined) {
    return error.stack.split('\n').slice(0, 5).join('\n');
  }
  return error instanceof Error ? error.message : String(error);
}

function whatIsMissing(plugin: unknown): string | null {
  if (typeof plugin !== 'object' || plugin === null) return 'it has no default export that is an object';
  const { name, version, codecApi, codecs = [], filters = [] } = plugin as Partial<Plugin>;
  for (const [key, value] of Object.entries({ name, version, codecApi })) {
    if (typeof value !== 'string') return `its ${key} is ${JSON.stringify(value)}, not a text`;
  }
  if (!Array.isArray(codecs) || !Array.isArray(filters)) return 'its codecs or filters are no list';
  if (codecs.length + filters.length === 0) return 'it has neither codecs nor filters';
  const unlike = codecs.find((codec: Partial<CodecFactory> | null) => {
    return typeof codec?.manifest?.name !== 'string' || typeof codec.createServerCodec !== 'function';
  });
  return unlike === undefined ? null : 'one of its codecs is no CodecFactory';
}
