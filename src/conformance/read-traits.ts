/** readTraits: `protocol.json` of a folder of samples. It is checked: a word that nobody reads would leave a check out unseen. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProtocolTraits } from './sample.ts';

export const TRAITS_FILE = 'protocol.json';

type Shape = { readonly [Key in keyof ProtocolTraits]-?: (value: unknown) => string | null };

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isKeys = (value: unknown) => Array.isArray(value) && value.every((key) => typeof key === 'string');

/** What is expected; null: the value is good. */
const SHAPE: Shape = {
  codecOptions: (value) => (isObject(value) ? null : 'an object of codec options'),
  followers: (value) =>
    isObject(value) && Object.values(value).every(isKeys) ? null : 'an object of lists of attributes',
  dropsHalfRequests: (value) => (typeof value === 'boolean' ? null : 'true or false'),
};

/** undefined: there is no such file. Throws an error that names it. */
export async function readTraits(directory: string): Promise<ProtocolTraits | undefined> {
  const file = join(directory, TRAITS_FILE);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  let traits: unknown;
  try {
    traits = JSON.parse(text);
  } catch (error) {
    throw new Error(`${file}: ${(error as Error).message}`);
  }
  if (!isObject(traits)) throw new Error(`${file}: expected an object with ${Object.keys(SHAPE).join(', ')}`);
  for (const [key, value] of Object.entries(traits)) {
    if (!Object.hasOwn(SHAPE, key)) throw new Error(`${file}: ${key} is not one of ${Object.keys(SHAPE).join(', ')}`);
    const expected = SHAPE[key as keyof ProtocolTraits](value);
    if (expected !== null) throw new Error(`${file}: ${key}: ${JSON.stringify(value)} is not ${expected}`);
  }
  return traits;
}
