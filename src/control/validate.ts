/** validate: a folder's resources, judged once and without any proxy. */
import type { ProtocolManifest } from '../metaprotocol/manifest.ts';
import { ResourceStore } from './model/resource-store.ts';
import { DiskFolderReader } from './sources/folder-reader.ts';
import { type FileContent, readYamlDocuments } from './sources/yaml-documents.ts';
import { buildStatus, type StatusReport } from './status/status-report.ts';
import { hasError } from './translate/translation-round.ts';
import { DEFAULT_ROOT_NAMESPACE, Translator } from './translate/translator.ts';

export interface Validation {
  /** No error in any file: everything that is supported would be used. Unsupported kinds are no errors. */
  readonly ok: boolean;
  readonly report: StatusReport;
}

export interface ValidateOptions {
  /** Folders or single files. */
  readonly directories: readonly string[];
  readonly manifests: readonly ProtocolManifest[];
  readonly rootNamespace?: string;
}

/** Rejects when a folder cannot be read. */
export async function validate(options: ValidateOptions): Promise<Validation> {
  const reader = new DiskFolderReader(options.directories);
  const files = new Map<string, FileContent>();
  for (const file of (await reader.list()).keys()) {
    const read = await reader.read(file);
    if (read !== null) files.set(file, readYamlDocuments(file, read.text, 0));
  }
  const translation = new Translator(options.rootNamespace ?? DEFAULT_ROOT_NAMESPACE).translate(
    new ResourceStore().update(files),
    options.manifests,
  );
  const verdicts = [...translation.verdicts.values()];
  const ok = !hasError(translation.faults) && verdicts.every((verdict) => !hasError(verdict.findings));
  return { ok, report: buildStatus(translation, []) };
}
