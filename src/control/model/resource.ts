/** Resource: one YAML document of a known identity, and the findings that were made about it. */
import { formatPath } from '../../schema/describe.ts';

export interface Place {
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/**
 * `error`: the resource is not used in this version. `warning`: used, but look. `notApplied`: accepted, has no effect yet.
 * `shadowed`: another resource takes precedence.
 */
export type FindingLevel = 'error' | 'warning' | 'notApplied' | 'shadowed';

export interface Finding {
  readonly level: FindingLevel;
  readonly place: Place;
  /** `spec.routes[0].match`; '' = the whole resource. */
  readonly path: string;
  readonly message: string;
}

export type FieldPath = readonly (string | number)[];

/** One document as it stands in a file, before any schema was asked. */
export interface ResourceDocument {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly place: Place;
  readonly body: Readonly<Record<string, unknown>>;
  /** Wall clock of its file's last change. */
  readonly savedAtMs: number;
  /** Duplicate keys and bad syntax, in a document whose identity is still readable. */
  readonly faults: readonly Finding[];
  /** `${NAME}` that nobody replaced, and text that is no Unicode. */
  textFaults(): readonly Finding[];
  /** The place of a field, or of its nearest parent that exists. */
  placeOf(path: FieldPath): Place;
}

export interface Metadata {
  readonly name: string;
  readonly namespace: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly annotations: ReadonlyMap<string, string>;
  /** '' for files; orders conflicts before names do. */
  readonly creationTimestamp: string;
}

/** A document that its kind's schema accepted. */
export interface Resource<S = unknown> {
  readonly kind: string;
  /** `Kind/namespace/name`. */
  readonly key: string;
  readonly metadata: Metadata;
  readonly spec: S;
  readonly document: ResourceDocument;
}

export function resourceKey(kind: string, namespace: string, name: string): string {
  return `${kind}/${namespace}/${name}`;
}

export function findingAt(document: ResourceDocument, level: FindingLevel, path: FieldPath, message: string): Finding {
  return { level, place: document.placeOf(path), path: formatPath(path), message };
}

/** Oldest first, then by name and namespace: who wins a conflict does not depend on the order of files. */
export function byPrecedence(a: Resource, b: Resource): number {
  const [ageA, ageB] = [a.metadata.creationTimestamp || '9999', b.metadata.creationTimestamp || '9999'];
  return (
    compare(ageA, ageB) ||
    compare(a.metadata.name, b.metadata.name) ||
    compare(a.metadata.namespace, b.metadata.namespace)
  );
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
