/** StoredResources: the resources in use, on disk, so that a control plane that starts with a broken one still has what it had. */
import { join } from 'node:path';
import { StateFile } from '../../state/state-file.ts';
import type { Resource, ResourceDocument } from './resource.ts';

const FORMAT = 1;

/** Of a document that was accepted: it has no faults, and of its lines only the first is kept. */
type Stored = Omit<ResourceDocument, 'faults' | 'textFaults' | 'placeOf'>;

export interface StoreLog {
  warn(fields: object, text: string): void;
}

export class StoredResources {
  readonly #file: StateFile<readonly Stored[]>;
  readonly #log: StoreLog;
  #saved: readonly ResourceDocument[] = [];
  #saving: Promise<void> = Promise.resolve();

  constructor(folder: string, log: StoreLog) {
    this.#file = new StateFile(join(folder, 'good-resources.json'), FORMAT);
    this.#log = log;
  }

  /** As they stood in their files. What cannot be read is said in the log and counts as nothing. */
  async load(): Promise<readonly ResourceDocument[]> {
    try {
      return ((await this.#file.load()) ?? []).map(toDocument);
    } catch (error) {
      this.#log.warn({ error: (error as Error).message }, 'last good resources not usable, starting without them');
      return [];
    }
  }

  /** Written soon, if these are others than before. */
  save(resources: readonly Resource[]): void {
    const documents = resources.map((resource) => resource.document);
    if (documents.length === this.#saved.length && documents.every((each, index) => each === this.#saved[index]))
      return;
    this.#saved = documents;
    this.#saving = this.#file.save(documents.map(toStored)).catch((error: Error) => {
      this.#log.warn({ error: error.message }, 'last good resources not saved');
    });
  }

  /** Resolves when everything that was saved so far is written. */
  settled(): Promise<void> {
    return this.#saving;
  }
}

function toStored({ apiVersion, kind, namespace, name, place, body, savedAtMs }: ResourceDocument): Stored {
  return { apiVersion, kind, namespace, name, place, body, savedAtMs };
}

function toDocument(stored: Stored): ResourceDocument {
  return { ...stored, faults: [], textFaults: () => [], placeOf: () => stored.place };
}
