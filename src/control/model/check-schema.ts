/**
 * checkSchema: a document against its kind's schema. All faults with their lines; unknown fields are warnings and are left out, unless
 * they are conditions.
 */
import { z } from 'zod';
import { describe, isRecord } from './describe.ts';
import { nearMiss } from './near-miss.ts';
import { type FieldPath, type Finding, findingAt, type ResourceDocument } from './resource.ts';

export interface Checked<T> {
  /** null: refused, the findings hold at least one error. */
  readonly value: T | null;
  readonly findings: readonly Finding[];
}

/** The field of every kind that holds conditions. */
const MATCH = 'match';

export function checkSchema<T>(schema: z.ZodType<T>, document: ResourceDocument): Checked<T> {
  const findings: Finding[] = [];
  const first = schema.safeParse(document.body);
  if (first.success) return { value: first.data, findings };
  let faulty = false;
  let known = structuredClone(document.body);
  for (const issue of first.error.issues) {
    const path = issue.path as FieldPath;
    if (issue.code === 'unrecognized_keys') {
      const unknown = issue.keys.map((key) => unknownField(schema, document, path, key));
      findings.push(...unknown);
      faulty ||= unknown.some(({ level }) => level === 'error');
      known = without(known, path, issue.keys);
    } else {
      faulty = true;
      findings.push(findingAt(document, 'error', path, issueText(issue, valueAt(document.body, path))));
    }
  }
  if (faulty) return { value: null, findings };
  // Only unknown fields: the rest is checked again without them, so that whole-object rules run too.
  const second = schema.safeParse(known);
  if (second.success) return { value: second.data, findings };
  for (const issue of second.error.issues) {
    const path = issue.path as FieldPath;
    findings.push(findingAt(document, 'error', path, issueText(issue, valueAt(known, path))));
  }
  return { value: null, findings };
}

function unknownField(schema: z.ZodType, document: ResourceDocument, path: FieldPath, key: string): Finding {
  const meant = nearMiss(key, knownKeys(schema, path));
  const hint = meant === null ? '' : `; did you mean ${meant}?`;
  return path.includes(MATCH)
    ? findingAt(document, 'error', [...path, key], `unknown condition: without it more would match${hint}`)
    : findingAt(document, 'warning', [...path, key], `unknown field, not applied${hint}`);
}

function knownKeys(schema: z.ZodType, path: FieldPath): string[] {
  let at: unknown = unwrap(schema);
  for (const part of path) {
    if (at instanceof z.ZodObject) at = unwrap(at.shape[String(part)]);
    else if (at instanceof z.ZodArray) at = unwrap(at.element);
    else if (at instanceof z.ZodRecord) at = unwrap(at.valueType);
    else return [];
  }
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

function unwrap(schema: unknown): unknown {
  let at = schema;
  while (at instanceof z.ZodOptional || at instanceof z.ZodNullable) at = at.unwrap();
  return at;
}

function issueText(issue: z.core.$ZodIssue, actual: unknown): string {
  return `actual ${describe(actual)}, expected ${expectation(issue)}`;
}

function expectation(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return TYPE_WORDS.get(issue.expected) ?? issue.expected;
    case 'invalid_value':
      return `one of ${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return sized(issue.origin, issue.exact === true ? 'exactly' : 'at least', Number(issue.minimum));
    case 'too_big':
      return sized(issue.origin, issue.exact === true ? 'exactly' : 'at most', Number(issue.maximum));
    default:
      return issue.message;
  }
}

const TYPE_WORDS: ReadonlyMap<string, string> = new Map([
  ['string', 'a text (quote numbers and booleans)'],
  ['int', 'an integer'],
  ['number', 'a number'],
  ['boolean', 'true or false'],
  ['array', 'a list'],
  ['object', 'a mapping'],
  ['record', 'a mapping'],
]);

function sized(origin: string, word: string, size: number): string {
  if (origin === 'string') return size === 1 ? 'a text that is not empty' : `${word} ${size} characters`;
  if (origin === 'array') return `a list of ${word} ${size} item${size === 1 ? '' : 's'}`;
  return `${word} ${size}`;
}

function valueAt(body: unknown, path: FieldPath): unknown {
  let at = body;
  for (const part of path) {
    if (Array.isArray(at) && typeof part === 'number') at = at[part];
    else if (isRecord(at)) at = at[String(part)];
    else return undefined;
  }
  return at;
}

/** `body` is this function's own clone. */
function without(
  body: Readonly<Record<string, unknown>>,
  path: FieldPath,
  keys: readonly string[],
): Readonly<Record<string, unknown>> {
  const parent = valueAt(body, path);
  if (isRecord(parent)) for (const key of keys) delete parent[key];
  return body;
}
