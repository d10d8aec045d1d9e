/** configFileArguments: options of a command that stand in a YAML file, as the arguments that they would be. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { ParseArgsConfig } from 'node:util';
import { isMap, isScalar, LineCounter, type Pair, parseDocument } from 'yaml';
import { describe, isRecord } from '../schema/describe.ts';
import { nearMiss } from '../schema/near-miss.ts';

type Options = NonNullable<ParseArgsConfig['options']>;

export interface FileArgument {
  readonly name: string;
  /** As on a command line. */
  readonly argument: string;
}

const LIMIT_BYTES = 1_048_576;
const PATHS: ReadonlySet<string> = new Set(['file', 'state-dir', 'access-log']);

/** Throws with every fault of the file, each with its place. Paths in it start at its folder. */
export function configFileArguments(path: string, options: Options): FileArgument[] {
  const text = readFileSync(path);
  if (text.length > LIMIT_BYTES) throw new Error(`${path}: ${text.length} bytes, limit ${LIMIT_BYTES}`);
  const lines = new LineCounter();
  const placeOf = (offset: number | undefined) => `${path}:${lines.linePos(offset ?? 0).line}`;
  const { contents, errors, value: given } = parse(path, text.toString(), lines);
  const faults = errors.map(({ pos, message }) => `${placeOf(pos[0])}: YAML: ${message}`);
  if (faults.length === 0 && given !== null && !isRecord(given))
    faults.push(`${path}:1: actual ${describe(given)}, expected options, as workers: 2`);
  if (faults.length === 0 && isMap(contents) && isRecord(given)) {
    const lineOf = ({ key }: Pair) => placeOf(isScalar(key) ? key.range?.[0] : 0);
    for (const pair of contents.items) {
      const fault = optionFault(String(pair.key), given[String(pair.key)], options);
      if (fault !== null) faults.push(`${lineOf(pair)}: ${String(pair.key)}: ${fault}`);
    }
  }
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return Object.entries(given ?? {}).flatMap(([name, value]) => argumentsOf(name, value, dirname(path)));
}

function parse(path: string, text: string, lineCounter: LineCounter) {
  try {
    const document = parseDocument(text, { lineCounter, prettyErrors: false, logLevel: 'silent' });
    const { contents, errors } = document;
    return { contents, errors, value: errors.length === 0 ? (document.toJS() as unknown) : null };
  } catch (error) {
    // Aliases of nothing, or of too much.
    throw new Error(`${path}: YAML: ${(error as Error).message}`, { cause: error });
  }
}

function optionFault(name: string, given: unknown, options: Options): string | null {
  const known = Object.keys(options).filter((each) => each !== 'config');
  const schema = known.includes(name) ? options[name] : undefined;
  if (schema === undefined) {
    const meant = nearMiss(name, known);
    return `an unknown option${meant === null ? `, expected one of ${known.join(', ')}` : ` (did you mean ${meant}?)`}`;
  }
  const type = schema.type === 'boolean' ? 'boolean' : 'text';
  const typeOf = (value: unknown) => (['string', 'number'].includes(typeof value) ? 'text' : typeof value);
  const values: readonly unknown[] = schema.multiple === true && Array.isArray(given) ? given : [given];
  if (values.every((value) => typeOf(value) === type)) return null;
  const list = schema.multiple === true ? ', or a list of them' : '';
  return `actual ${describe(given)}, expected ${type === 'boolean' ? 'true or false' : `a text or a number${list}`}`;
}

function argumentsOf(name: string, given: unknown, folder: string): FileArgument[] {
  if (typeof given === 'boolean') return given ? [{ name, argument: `--${name}` }] : [];
  return [given].flat().map((value) => {
    const text = String(value);
    // A package stays a name.
    const isPath = PATHS.has(name) || (name === 'plugin' && /^\.|\.[cm]?[jt]s$/.test(text));
    return { name, argument: `--${name}=${isPath ? resolve(folder, text) : text}` };
  });
}
