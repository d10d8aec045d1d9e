/** The version of this product, and the Node that it needs, as its package says. */
import { readFileSync } from 'node:fs';

interface Package {
  readonly version: string;
  readonly engines: { readonly node: string };
}

export function productVersion(): string {
  return readPackage().version;
}

/** What the package expects, as `>=24`, when `actual` is older; else null. */
export function neededNode(actual: string): string | null {
  const { node } = readPackage().engines;
  return Number.parseInt(actual, 10) < Number.parseInt(node.replace('>=', ''), 10) ? node : null;
}

/** The package's file lies two folders up both of src/cli and of dist/cli. */
function readPackage(): Package {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as Package;
}
