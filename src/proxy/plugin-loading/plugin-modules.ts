/**
 * PluginModules: how the modules of outside plugins are found in this thread. `meltemi/codec` is this very product, wherever the plugin's
 * file lies; a package is looked up where the operator stands; TypeScript works inside node_modules too.
 */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { stripTypes } from './strip-types.ts';

const ENDING = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const OWN = new Map(
  [
    ['meltemi', 'index'],
    ['meltemi/codec', 'sdk/codec'],
    ['meltemi/conformance', 'conformance/conformance'],
  ].map(([name, file]) => [name!, new URL(`../../${file}.${ENDING}`, import.meta.url).href]),
);
const SCHEME = 'meltemi-plugin:';

export class PluginModules {
  /** Files that were read for plugins or were not there, packages' own left out: a change of one changes the plugin. */
  readonly files = new Set<string>();
  readonly #hooks;
  readonly #parents = new Map<string, string>();

  constructor() {
    const product = new URL('../../', import.meta.url).href;
    this.#hooks = registerHooks({
      resolve: (specifier, context, next) => {
        const own = OWN.get(specifier);
        if (own !== undefined) return { url: own, shortCircuit: true };
        if (!specifier.startsWith(SCHEME)) {
          try {
            return next(specifier, context);
          } catch (error) {
            this.#noteMissing(error);
            throw error;
          }
        }
        const parentURL = this.#parents.get(specifier)!;
        return next(specifier.slice(SCHEME.length), { ...context, parentURL });
      },
      load: (url, context, next) => {
        const isPackages = url.includes('/node_modules/');
        const isOutside = url.startsWith('file:') && !url.startsWith(product);
        if (isOutside && !isPackages) this.files.add(fileURLToPath(url));
        if (isPackages && /\.m?ts$/.test(url)) {
          return { format: 'module', source: stripTypes(fileURLToPath(url)), shortCircuit: true };
        }
        const { format } = context;
        if (!isOutside || format?.startsWith('commonjs') !== true || !isModule(url)) return next(url, context);
        return next(url, { ...context, format: format.replace('commonjs', 'module') });
      },
    });
  }

  /** What to import for the package `name` as it is installed for `directory`. */
  specifierOf(name: string, directory: string): string {
    const specifier = `${SCHEME}${name}`;
    this.#parents.set(specifier, pathToFileURL(join(directory, 'plugin.js')).href);
    return specifier;
  }

  #noteMissing(error: unknown): void {
    const { code, url } = Object(error) as { readonly code?: unknown; readonly url?: unknown };
    if (code === 'ERR_MODULE_NOT_FOUND' && typeof url === 'string' && url.startsWith('file:')) {
      this.files.add(fileURLToPath(url));
    }
  }

  close(): void {
    this.#hooks.deregister();
  }
}

/** `npm init` writes `"type": "commonjs"` where nobody asked for it; a file itself says better what it is. */
function isModule(url: string): boolean {
  return /^\s*(?:import\s*[\w{*'"]|export\s*[\w{*])/m.test(readFileSync(fileURLToPath(url), 'utf8'));
}
