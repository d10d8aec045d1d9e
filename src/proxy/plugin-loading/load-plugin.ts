/**
 * loadPlugin: imports an outside plugin from a file or a package, TypeScript or not, without a build step. It runs the plugin's
 * code in this thread: a proxy calls it in the plugin's own worker group only.
 */
import { statSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Plugin } from '../../metaprotocol/plugin.ts';
import { schemaFaults } from '../../schema/schema-faults.ts';
import type { PluginModules } from './plugin-modules.ts';
import { pluginShape } from './plugin-shape.ts';
import { stripTypes } from './strip-types.ts';

const PRODUCT = fileURLToPath(new URL('../../', import.meta.url));

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
  const found = statSync(path, { throwIfNoEntry: false });
  const isPath = /^\.|\.[cm]?[jt]s$/.test(reference) || isAbsolute(reference) || found?.isFile() === true;
  if (isPath && found === undefined) throw new Error(`plugin ${reference}: there is no file ${path}`);
  if (isPath && found?.isDirectory() === true)
    throw new Error(`plugin ${reference}: actual a folder, expected the file in it that exports the plugin`);
  try {
    if (isPath) return await import(pathToFileURL(path).href);
    return await import(modules.specifierOf(reference, directory));
  } catch (error) {
    if (error instanceof Error && isAbsentPackage(error, reference)) {
      throw new Error(`plugin ${reference}: no package of that name is installed for ${directory}`, { cause: error });
    }
    throw new Error(`plugin ${reference}: ${textOf(error, modules.files)}`, { cause: error });
  }
}

function isAbsentPackage(error: NodeJS.ErrnoException, name: string): boolean {
  return error.code === 'ERR_MODULE_NOT_FOUND' && error.message.includes(`package '${name}'`);
}

/** Where it is, is said only in the stack: in front for a syntax error, else by the first call in a file that is not ours. */
function textOf(error: unknown, files: Iterable<string>): string {
  if (!(error instanceof Error)) return `it threw ${String(error)}`;
  const { message, stack = '' } = error;
  if (error instanceof SyntaxError) {
    const text = headOf(stack);
    return text.startsWith('file:') ? text : (misspelled(files) ?? text);
  }
  // A path is what CommonJS has.
  const at = /\(((?:file:|\/)[^)]+)\)|at (file:\S+)/g;
  const places = [...stack.matchAll(at)].map(([, inCall, bare]) => inCall ?? bare!);
  const place = places
    .map((one) => (one.startsWith('/') ? one : fileURLToPath(one)))
    .find((one) => !one.startsWith(PRODUCT));
  return place === undefined ? message : `${message} (${place})`;
}

/** Node tells the place in TypeScript only. JavaScript is read as that. */
function misspelled(files: Iterable<string>): string | null {
  for (const file of files) {
    try {
      stripTypes(file);
    } catch (error) {
      if (error instanceof SyntaxError) return headOf(error.stack ?? '');
    }
  }
  return null;
}

function headOf(stack: string): string {
  return stack.slice(0, stack.indexOf('\n    at '));
}
