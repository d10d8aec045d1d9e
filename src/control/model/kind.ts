/** KindDefinition: what the control plane knows of one kind of resource, apart from what it does with it. */
import { z } from 'zod';
import { isRecord } from '../../schema/describe.ts';
import { namespace, resourceName } from './fields.ts';
import { type FieldPath, type Finding, findingAt, type ResourceDocument } from './resource.ts';

/** A field that the schema accepts and nothing acts on yet. */
export interface NotApplied {
  /** `spec.subsets[].trafficPolicy.tls`; `[]` stands for every item of a list. */
  readonly path: string;
  readonly reason: string;
}

export interface KindDefinition<S> {
  readonly kind: string;
  readonly group: string;
  readonly versions: readonly string[];
  readonly schema: z.ZodType<{ spec: S }>;
  readonly notApplied: readonly NotApplied[];
  /** Fields at any depth whose content no finding shows. */
  readonly secretFields?: readonly string[];
}

const metadataSchema = z.looseObject({
  name: resourceName,
  namespace: namespace.nullish(),
  labels: z.record(z.string(), z.string()).nullish(),
  annotations: z.record(z.string(), z.string()).nullish(),
  creationTimestamp: z.string().nullish(),
});

/** The frame of every kind around its spec. */
export function resourceSchema<S extends z.ZodType>(spec: S) {
  return z.strictObject({
    apiVersion: z.string(),
    kind: z.string(),
    metadata: metadataSchema,
    spec,
    status: z.unknown().optional(),
  });
}

export function notAppliedFindings(fields: readonly NotApplied[], document: ResourceDocument): Finding[] {
  const findings: Finding[] = [];
  for (const field of fields) {
    visit(document.body, field.path.split(/\.|(?=\[\])/), [], (path) =>
      findings.push(findingAt(document, 'notApplied', path, field.reason)),
    );
  }
  return findings;
}

function visit(value: unknown, parts: readonly string[], path: FieldPath, onHit: (path: FieldPath) => void): void {
  const [part, ...rest] = parts;
  if (value === undefined || value === null) return;
  if (part === undefined) onHit(path);
  else if (part === '[]') {
    if (Array.isArray(value)) for (const [index, item] of value.entries()) visit(item, rest, [...path, index], onHit);
  } else if (isRecord(value) && Object.hasOwn(value, part)) visit(value[part], rest, [...path, part], onHit);
}
