/** Reads the YAML text of one file into resource documents with line numbers; every fault is reported, none is thrown. */
import {
  type Document,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  visit,
  type YAMLError,
} from 'yaml';
import { describe, formatPath, isRecord } from '../../schema/describe.ts';
import type { FieldPath, Finding, Place, ResourceDocument } from '../model/resource.ts';

export interface FileContent {
  readonly documents: readonly ResourceDocument[];
  /** Faults of documents whose kind and name cannot be read. */
  readonly faults: readonly Finding[];
}

/** Bounds what a small file with aliases can unfold into. */
const MAX_ALIASES = 1_000;
const UNICODE = 'expected Unicode: there is half of a surrogate pair';
const PLACEHOLDER = /\$\{[A-Za-z_]\w*\}/;

/** `savedAtMs`: wall clock of the file's last change. */
export function readYamlDocuments(file: string, text: string, savedAtMs: number): FileContent {
  const lines = new LineCounter();
  const documents: ResourceDocument[] = [];
  const faults: Finding[] = [];
  try {
    const parsed = parseAllDocuments(text, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: true,
      merge: true,
      logLevel: 'silent',
    });
    for (const document of Array.isArray(parsed) ? parsed : []) {
      if (isEmpty(document)) continue;
      readDocument(new DocumentReader(file, document, lines, savedAtMs), documents, faults);
    }
  } catch (error) {
    // Nesting without end overflows the parser's stack: the file's fault, not ours.
    faults.push({ level: 'error', place: { file, line: 1 }, path: '', message: `YAML: ${String(error)}` });
  }
  return { documents, faults };
}

function isEmpty({ contents, errors }: Document.Parsed): boolean {
  return errors.length === 0 && (contents === null || (isScalar(contents) && contents.value === null));
}

function readDocument(reader: DocumentReader, documents: ResourceDocument[], faults: Finding[]): void {
  const own = reader.faults();
  const body = reader.body(own);
  if (body === null) {
    faults.push(...own);
    return;
  }
  const items = body.kind === 'List' && Array.isArray(body.items) ? body.items : null;
  if (items === null) {
    addResource(reader, [], body, own, documents, faults);
    return;
  }
  items.forEach((item, index) => {
    const base = ['items', index];
    if (isRecord(item)) addResource(reader, base, item, own, documents, faults);
    else faults.push(reader.finding(base, `actual ${describe(item)}, expected a resource`));
  });
}

function addResource(
  reader: DocumentReader,
  base: FieldPath,
  body: Readonly<Record<string, unknown>>,
  own: readonly Finding[],
  documents: ResourceDocument[],
  faults: Finding[],
): void {
  if (body.apiVersion === undefined && body.kind === undefined) {
    const nothing = reader.finding(base, 'actual an object without apiVersion and kind, expected a resource');
    faults.push(...(own.length > 0 ? own : [nothing]));
    return;
  }
  const metadata = isRecord(body.metadata) ? body.metadata : {};
  const missing: Finding[] = [];
  const required = (value: unknown, path: FieldPath): string => {
    if (typeof value === 'string' && value !== '') return value;
    missing.push(reader.finding([...base, ...path], `actual ${describe(value)}, expected a text that is not empty`));
    return '';
  };
  const apiVersion = required(body.apiVersion, ['apiVersion']);
  const kind = required(body.kind, ['kind']);
  const name = required(metadata.name, ['metadata', 'name']);
  if (missing.length > 0) {
    faults.push(...own, ...missing);
    return;
  }
  const declared = metadata.namespace;
  documents.push({
    apiVersion,
    kind,
    name,
    namespace: typeof declared === 'string' && declared !== '' ? declared : 'default',
    place: reader.placeOf(base),
    body,
    savedAtMs: reader.savedAtMs,
    faults: own,
    textFaults: () => reader.textFaults(base),
    placeOf: (path) => reader.placeOf([...base, ...path]),
  });
}

class DocumentReader {
  readonly #file: string;
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;
  readonly savedAtMs: number;

  constructor(file: string, document: Document.Parsed, lines: LineCounter, savedAtMs: number) {
    this.savedAtMs = savedAtMs;
    this.#file = file;
    this.#document = document;
    this.#lines = lines;
  }

  /** Every key that stands twice, but of other faults the first: those behind it mostly follow from it. */
  faults(): Finding[] {
    const others = this.#document.errors.filter((error) => error.code !== 'DUPLICATE_KEY');
    const told = this.#document.errors.filter((error) => error.code === 'DUPLICATE_KEY' || error === others[0]);
    return told.map((error) => this.#syntaxFault(error));
  }

  /** Variables that somebody's script replaces before the file is applied, and what no protobuf text can be. */
  textFaults(base: FieldPath): Finding[] {
    const faults: Finding[] = [];
    const node = base.length === 0 ? this.#document.contents : this.#document.getIn(base, true);
    this.#findTextFaults(node, base, faults);
    return faults;
  }

  /** null when the document is no mapping that could be a resource. */
  body(faults: Finding[]): Record<string, unknown> | null {
    let body: unknown;
    try {
      body = this.#document.toJS({ maxAliasCount: MAX_ALIASES });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      faults.push({
        level: 'error',
        place: this.#placeAt(this.#danglingAlias()),
        path: '',
        message: `YAML: ${message}`,
      });
      return null;
    }
    if (isRecord(body)) return body;
    if (faults.length === 0)
      faults.push(this.finding([], `actual ${describe(body)}, expected a resource with apiVersion and kind`));
    return null;
  }

  finding(path: FieldPath, message: string): Finding {
    return { level: 'error', place: this.placeOf(path), path: formatPath(path), message };
  }

  placeOf(path: FieldPath): Place {
    let node: unknown = this.#document.contents;
    let offset = startOf(node) ?? this.#document.range[0];
    for (const part of path) {
      if (isMap(node)) {
        const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(part));
        if (pair === undefined) break;
        offset = startOf(pair.key) ?? offset;
        node = pair.value;
      } else if (isSeq(node) && typeof part === 'number' && part < node.items.length) {
        node = node.items[part];
        offset = startOf(node) ?? offset;
      } else break;
    }
    return this.#placeAt(offset);
  }

  /** Where the first alias without an anchor is; without any, where the document begins. */
  #danglingAlias(): number {
    const document = this.#document;
    let offset = startOf(document.contents) ?? document.range[0];
    visit(document, {
      Alias: (_, alias) => {
        if (alias.resolve(document) !== undefined) return undefined;
        offset = startOf(alias) ?? offset;
        return visit.BREAK;
      },
    });
    return offset;
  }

  #placeAt(offset: number): Place {
    return { file: this.#file, line: Math.max(1, this.#lines.linePos(offset).line) };
  }

  #syntaxFault(error: YAMLError): Finding {
    const message =
      error.code === 'DUPLICATE_KEY'
        ? `the key ${this.#keyAt(error.pos[0])} stands twice in one mapping, expected once`
        : error.message;
    return { level: 'error', place: this.#placeAt(error.pos[0]), path: '', message: `YAML: ${message}` };
  }

  #keyAt(offset: number): string {
    let key = '';
    visit(this.#document, {
      Pair: (_, pair) => {
        if (startOf(pair.key) === offset && isScalar(pair.key)) key = String(pair.key.value);
      },
    });
    return key;
  }

  #findTextFaults(node: unknown, path: FieldPath, faults: Finding[]): void {
    if (isMap(node)) {
      for (const pair of node.items) {
        const key = isScalar(pair.key) ? String(pair.key.value) : '';
        if (key === '__proto__')
          faults.push(this.finding([...path, key], 'actual the key __proto__, expected a field name'));
        if (!key.isWellFormed()) faults.push(this.finding(path, `actual the key ${describe(key)}, ${UNICODE}`));
        this.#findTextFaults(pair.value, [...path, key], faults);
      }
    } else if (isSeq(node)) {
      for (const [index, item] of node.items.entries()) this.#findTextFaults(item, [...path, index], faults);
    } else if (isScalar(node) && typeof node.value === 'string') {
      if (!node.value.isWellFormed()) faults.push(this.finding(path, `actual ${describe(node.value)}, ${UNICODE}`));
      const found = PLACEHOLDER.exec(node.value);
      if (found !== null)
        faults.push(this.finding(path, `actual the placeholder ${found[0]}, expected its value: substitute it first`));
    }
  }
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}
