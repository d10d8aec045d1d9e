/**
 * loadPlugin: imports an outside plugin from a file or a package, TypeScript or not, without a build step. It runs the plugin's
 * code in this thread: a proxy calls it in the plugin's own worker group only.
 */
import { existsSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Plugin } from '../../metaprotocol/plugin.ts';
import { schemaFaults } from '../../schema/schema-faults.ts';
import type { PluginModules } from './plugin-modules.ts';
import { pluginShape } from './plugin-shape.ts';

const PRODUCT = new URL('../../', import.meta.url).href;

/** `reference`: a path (relative to `directory`) or the name of a package that is installed there. Rejects with what is wrong. */
export async function loadPlugin(reference: string, directory: string, modules: PluginModules): Promise<Plugin> {
  const found = await importFrom(reference, directory, modules);
  const plugin = (found as { readonly default?: unknown }).default;
  const faults = schemaFaults(pluginShape, plugin).map(
    ({ path, message }) => `${path || 'its default export'}: ${message}`,
  );
  if (faults.length > 0)
    throw new Error(
      `plugin ${reference}: ${faults.join('; ')}. It exports by default what defineCodec gives, or a Plugin`,
    );
  return plugin as Plugin;
}

async function importFrom(reference: string, directory: string, modules: PluginModules): Promise<unknown> {
  const path = resolve(directory, reference);
  const isPath = /^\.|\.[cm]?[jt]s$/.test(reference) || isAbsolute(reference) || existsSync(path);
  if (isPath && !existsSync(path)) throw new Error(`plugin ${reference}: there is no file ${path}`);
  try {
    if (isPath) return await import(pathToFileURL(path).href);
    return await import(modules.specifierOf(reference, directory));
  } catch (error) {
    const isAbsent = (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND';
    if (isAbsent && (error as Error).message.includes(`package '${reference}'`)) {
      throw new Error(`plugin ${reference}: no package of that name is installed for ${directory}`, { cause: error });
    }
    throw new Error(`plugin ${reference}: ${textOf(error)}`, { cause: error });
  }
}

/** Where it is, is said only in the stack: in front for a syntax error, else by the first call in a file that is not ours. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { message, stack = '' } = error;
  if (error instanceof SyntaxError) return stack.slice(0, stack.indexOf('\n    at '));
  const at = /\((file:[^)]+)\)|at (file:\S+)/g;
  const places = [...stack.matchAll(at)].map(([, inCall, bare]) => inCall ?? bare!);
  const place = places.find((one) => !one.startsWith(PRODUCT));
  return place === undefined ? message : `${message} (${fileURLToPath(place)})`;
}
