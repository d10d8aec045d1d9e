/**
 * checkSchema: a document against its kind's schema. All faults with their lines; unknown fields are warnings and are left out, unless
 * they are conditions.
 */
import type { z } from 'zod';
import { describe, describeKind, isRecord } from '../../schema/describe.ts';
import { actualOf, expectation, hintFor, valueAt } from '../../schema/schema-faults.ts';
import { type FieldPath, type Finding, findingAt, type ResourceDocument } from './resource.ts';

export interface Checked<T> {
  /** null: refused, the findings hold at least one error. */
  readonly value: T | null;
  readonly findings: readonly Finding[];
}

/** The field of every kind that holds conditions. */
const MATCH = 'match';

export function checkSchema<T>(
  schema: z.ZodType<T>,
  document: ResourceDocument,
  secretFields: readonly string[] = [],
): Checked<T> {
  const findings: Finding[] = [];
  const fault = (issue: z.core.$ZodIssue, body: unknown): Finding => {
    const path = issue.path as FieldPath;
    const actual = actualOf(issue, body);
    // A list or an object from further up may hold such a field.
    const hides =
      secretFields.length > 0 && (typeof actual === 'object' || path.some((part) => secretFields.includes(`${part}`)));
    return findingAt(document, 'error', path, issueText(issue.message, actual, hides ? describeKind : describe));
  };
  const first = schema.safeParse(document.body, { error: expectation });
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
      findings.push(fault(issue, document.body));
    }
  }
  if (faulty) return { value: null, findings };
  // Only unknown fields: the rest is checked again without them, so that whole-object rules run too.
  const second = schema.safeParse(known, { error: expectation });
  if (second.success) return { value: second.data, findings };
  for (const issue of second.error.issues) findings.push(fault(issue, known));
  return { value: null, findings };
}

function unknownField(schema: z.ZodType, document: ResourceDocument, path: FieldPath, key: string): Finding {
  const hint = hintFor(schema, path, key);
  return path.includes(MATCH)
    ? findingAt(document, 'error', [...path, key], `unknown condition: without it more would match${hint}`)
    : findingAt(document, 'warning', [...path, key], `unknown field, not applied${hint}`);
}

function issueText(expected: string, actual: unknown, shown: (value: unknown) => string): string {
  const hint =
    expected === 'a text' && ['number', 'boolean'].includes(typeof actual) ? ' (quote numbers and booleans)' : '';
  return `actual ${shown(actual)}, expected ${expected}${hint}`;
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
