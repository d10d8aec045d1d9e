/** Secret (Kubernetes core/v1): named texts that other resources refer to, so that they need not hold passwords. */
import { z } from 'zod';
import type { KindDefinition } from './kind.ts';

/** Values are never part of a finding. */
const texts = z.record(z.string(), z.coerce.string()).nullish();

export interface SecretSpec {
  /** By key; decoded. */
  readonly texts: ReadonlyMap<string, string>;
}

const secretSchema = z
  .looseObject({
    apiVersion: z.string(),
    kind: z.string(),
    metadata: z.looseObject({}),
    data: texts,
    stringData: texts,
  })
  .transform(({ data, stringData }): { spec: SecretSpec } => {
    const decoded = Object.entries(data ?? {}).map(([key, value]): [string, string] => {
      return [key, Buffer.from(value, 'base64').toString()];
    });
    return { spec: { texts: new Map([...decoded, ...Object.entries(stringData ?? {})]) } };
  });

export const secretKind: KindDefinition<SecretSpec> = {
  kind: 'Secret',
  // `apiVersion: v1`: the core group has no name of its own.
  group: 'v1',
  versions: [''],
  schema: secretSchema,
  notApplied: [],
  secretFields: ['data', 'stringData'],
};
