/**
 * ResourceStore: the resources of all files by identity. A file that is broken or empty deletes nothing: what it held before
 * stays until the file is readable again or gone.
 */
import { nearMiss } from '../../schema/near-miss.ts';
import type { FileContent } from '../sources/yaml-documents.ts';
import { checkSchema } from './check-schema.ts';
import { type KindDefinition, notAppliedFindings } from './kind.ts';
import { KINDS } from './kinds.ts';
import {
  type Finding,
  findingAt,
  type Metadata,
  type Resource,
  type ResourceDocument,
  resourceKey,
} from './resource.ts';

export interface ResourceEntry {
  readonly key: string;
  readonly document: ResourceDocument;
  /** null: the document is invalid or its kind is not supported. */
  readonly resource: Resource | null;
  readonly supported: boolean;
  readonly findings: readonly Finding[];
}

export interface Inventory {
  readonly entries: ReadonlyMap<string, ResourceEntry>;
  /** Faults that belong to no resource. */
  readonly faults: readonly Finding[];
}

export class ResourceStore {
  #entries: ReadonlyMap<string, ResourceEntry> = new Map();
  /** A file that did not change gives the same documents: they are checked once. */
  readonly #checked = new WeakMap<ResourceDocument, ResourceEntry>();

  /** What an earlier process used, before anything was read. Gives those that are valid still. */
  restore(documents: readonly ResourceDocument[]): Resource[] {
    this.#entries = new Map(
      documents.map((document) => {
        const key = keyOf(document);
        return [key, readResource(key, document)];
      }),
    );
    return [...this.#entries.values()].flatMap(({ resource }) => (resource === null ? [] : [resource]));
  }

  /** `files` is the complete state of the source, by file name. */
  update(files: ReadonlyMap<string, FileContent>): Inventory {
    const entries = new Map<string, ResourceEntry>();
    const faults: Finding[] = [];
    const broken = new Set<string>();
    for (const file of [...files.keys()].sort()) {
      const content = files.get(file)!;
      faults.push(...content.faults);
      if (content.faults.length > 0 || content.documents.length === 0) broken.add(file);
      for (const document of content.documents) this.#add(document, entries, faults);
    }
    for (const entry of this.#entries.values()) {
      if (!broken.has(entry.document.place.file) || entries.has(entry.key)) continue;
      entries.set(entry.key, {
        ...entry,
        findings: [...entry.findings.filter((finding) => finding.message !== HELD), held(entry)],
      });
    }
    this.#entries = entries;
    for (const file of unknownFiles(files, entries)) {
      faults.push({ level: 'warning', place: { file, line: 1 }, path: '', message: UNKNOWN });
    }
    return { entries, faults };
  }

  #add(document: ResourceDocument, entries: Map<string, ResourceEntry>, faults: Finding[]): void {
    const key = keyOf(document);
    const first = entries.get(key);
    if (first !== undefined) {
      const { file, line } = first.document.place;
      faults.push(
        findingAt(document, 'error', [], `${key} stands already in ${file}:${line}, which is used; expected once`),
      );
      return;
    }
    const known = this.#checked.get(document);
    const entry = known ?? readResource(key, document);
    if (known === undefined) this.#checked.set(document, entry);
    entries.set(key, entry);
  }
}

/** Another group's Gateway is not the one that is read here, and takes no name away from it. A slip in a group is no other group. */
function keyOf({ kind, namespace, name, apiVersion }: ResourceDocument): string {
  const [group = ''] = apiVersion.split('/');
  const groups = KINDS.filter((known) => known.kind === kind).map((known) => known.group);
  const isForeign = groups.length > 0 && !groups.includes(group) && nearMiss(group, groups) === null;
  return resourceKey(isForeign ? `${kind}.${group}` : kind, namespace, name);
}

const HELD = 'its file is empty or broken: this version stays until the file is repaired or removed';

const UNKNOWN = 'nothing of this file is used: no earlier version of it is known';

/** Broken ones of which nothing is held. */
function unknownFiles(
  files: ReadonlyMap<string, FileContent>,
  entries: ReadonlyMap<string, ResourceEntry>,
): readonly string[] {
  const known = new Set([...entries.values()].map(({ document }) => document.place.file));
  return [...files].filter(([file, { faults }]) => faults.length > 0 && !known.has(file)).map(([file]) => file);
}

function held(entry: ResourceEntry): Finding {
  return findingAt(entry.document, 'warning', [], HELD);
}

function readResource(key: string, document: ResourceDocument): ResourceEntry {
  const [group = '', version = ''] = document.apiVersion.split('/');
  const definition = KINDS.find((kind) => kind.kind === document.kind && kind.group === group);
  if (definition === undefined) {
    const findings = [...document.faults, ...slipFindings(group, document)];
    return { key, document, resource: null, supported: false, findings };
  }
  const faults = [...document.faults, ...document.textFaults()];
  if (faults.length > 0) return { key, document, resource: null, supported: true, findings: faults };
  if (!definition.versions.includes(version)) {
    const expected = definition.versions.map((known) => `${group}/${known}`).join(', ');
    const finding = findingAt(
      document,
      'error',
      ['apiVersion'],
      `actual ${document.apiVersion}, expected one of ${expected}`,
    );
    return { key, document, resource: null, supported: true, findings: [finding] };
  }
  return checkResource(key, document, definition);
}

/** A slip in a kind's name or group would else pass for a kind that is not built yet. */
function slipFindings(group: string, document: ResourceDocument): Finding[] {
  const { kind, apiVersion } = document;
  const siblings = KINDS.filter((known) => known.group === group).map((known) => known.kind);
  const meant = nearMiss(kind, siblings);
  if (meant !== null) {
    const message = `actual ${kind}, expected one of ${siblings.join(', ')}; did you mean ${meant}?`;
    return [findingAt(document, 'error', ['kind'], message)];
  }
  const namesake = KINDS.find((known) => known.kind === kind);
  if (namesake === undefined) return [];
  return [findingAt(document, 'warning', ['apiVersion'], `actual ${apiVersion}; ${kind} is read of ${namesake.group}`)];
}

function checkResource(key: string, document: ResourceDocument, definition: KindDefinition<unknown>): ResourceEntry {
  const checked = checkSchema(definition.schema, document, definition.secretFields);
  if (checked.value === null) return { key, document, resource: null, supported: true, findings: checked.findings };
  const resource: Resource = {
    kind: document.kind,
    key,
    metadata: readMetadata(document),
    spec: checked.value.spec,
    document,
  };
  const findings = [...checked.findings, ...notAppliedFindings(definition.notApplied, document)];
  return { key, document, resource, supported: true, findings };
}

function readMetadata(document: ResourceDocument): Metadata {
  const metadata = document.body.metadata as Record<string, unknown>;
  const map = (field: unknown): ReadonlyMap<string, string> =>
    new Map(Object.entries((field ?? {}) as Record<string, string>));
  return {
    name: document.name,
    namespace: document.namespace,
    labels: map(metadata.labels),
    annotations: map(metadata.annotations),
    creationTimestamp: typeof metadata.creationTimestamp === 'string' ? metadata.creationTimestamp : '',
  };
}
