/** schemaFaults: all that a schema finds wrong with a value: place, actual and expected value, in the same words everywhere. */
import { z } from 'zod';
import { describe, formatPath, isRecord } from './describe.ts';
import { nearMiss } from './near-miss.ts';

export interface SchemaFault {
  /** `routes[2].match`; '' = the whole. */
  readonly path: string;
  readonly message: string;
}

type Path = readonly PropertyKey[];

const ANY_OBJECT = 'an object';

/** Texts that a schema gives as its own error say what it expects. `show`: how actual values stand in the messages. */
export function schemaFaults(schema: z.ZodType, given: unknown, show = describe): SchemaFault[] {
  const { error } = schema.safeParse(given, { error: expectation });
  return (error?.issues ?? []).flatMap((issue) => {
    const { path } = issue;
    if (issue.code === 'unrecognized_keys') {
      const known = knownKeys(schema, path).join(', ');
      return issue.keys.map((key) => ({
        path: formatPath([...path, key]),
        message: `unknown field, expected one of ${known}${hintFor(schema, path, key)}`,
      }));
    }
    const actual = actualOf(issue, given);
    const known = issue.message === ANY_OBJECT ? knownKeys(schema, path) : [];
    const expected = known.length === 0 ? issue.message : `an object of ${known.join(', ')}`;
    return [{ path: formatPath(path), message: `actual ${show(actual)}, expected ${expected}` }];
  });
}

/** What an issue of `given` is about: a key, or the value at its place. */
export function actualOf({ code, path }: z.core.$ZodIssue, given: unknown): unknown {
  return code === 'invalid_key' ? path.at(-1) : valueAt(given, path);
}

/** What is expected, in words: zod's error map for schemas that do not say it themselves. */
export function expectation(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return TYPE_WORDS.get(issue.expected) ?? issue.expected;
    case 'invalid_value':
      return `one of ${issue.values.map(String).join(', ')}`;
    case 'invalid_key':
      return `a key that is ${issue.issues[0]?.message}`;
    case 'too_small':
      return sized(issue.origin, issue.exact === true ? 'exactly' : 'at least', Number(issue.minimum));
    case 'too_big':
      return sized(issue.origin, issue.exact === true ? 'exactly' : 'at most', Number(issue.maximum));
    default:
      return undefined;
  }
}

const TYPE_WORDS: ReadonlyMap<string, string> = new Map([
  ['string', 'a text'],
  ['int', 'an integer'],
  ['number', 'a number'],
  ['boolean', 'true or false'],
  ['array', 'a list'],
  ['object', ANY_OBJECT],
  ['record', ANY_OBJECT],
]);

function sized(origin: string, word: string, size: number): string {
  if (origin === 'string') return size === 1 ? 'a text that is not empty' : `${word} ${size} characters`;
  if (origin === 'array') return `a list of ${word} ${size} item${size === 1 ? '' : 's'}`;
  return `${word} ${size}`;
}

/** The end of a message about an unknown field: the one that was probably meant. */
export function hintFor(schema: z.ZodType, path: Path, key: string): string {
  const meant = nearMiss(key, knownKeys(schema, path));
  return meant === null ? '' : `; did you mean ${meant}?`;
}

/** Of the objects that may stand at `path`. */
function knownKeys(schema: unknown, path: Path): string[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return knownKeys(schema.unwrap(), path);
  if (schema instanceof z.ZodPipe) return knownKeys(schema.out, path);
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => knownKeys(option, path));
  const [part, ...rest] = path;
  if (schema instanceof z.ZodObject) {
    return part === undefined ? Object.keys(schema.shape) : knownKeys(schema.shape[String(part)], rest);
  }
  if (part === undefined) return [];
  if (schema instanceof z.ZodArray) return knownKeys(schema.element, rest);
  return schema instanceof z.ZodRecord ? knownKeys(schema.valueType, rest) : [];
}

export function valueAt(whole: unknown, path: Path): unknown {
  let at = whole;
  for (const part of path) {
    if (Array.isArray(at) && typeof part === 'number') at = at[part];
    else if (isRecord(at)) at = at[String(part)];
    else return undefined;
  }
  return at;
}
