/** The version of this product, as its package says. */
import { readFileSync } from 'node:fs';

/** The package's file lies two folders up both of src/cli and of dist/cli. */
export function productVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
