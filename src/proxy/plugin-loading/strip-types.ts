/** stripTypes: the JavaScript of a TypeScript file. Throws a SyntaxError whose stack begins with the place. */
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { pathToFileURL } from 'node:url';

export function stripTypes(file: string): string {
  const { emitWarning } = process;
  // Node's function calls itself experimental, on the terminal of somebody who did not choose it.
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(readFileSync(file, 'utf8'), { sourceUrl: pathToFileURL(file).href });
  } finally {
    process.emitWarning = emitWarning;
  }
}
