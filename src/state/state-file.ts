/** StateFile: one value on disk that outlives its process. Written aside, synced and renamed; a damaged one is told, never used. */
import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

interface Stored<T> {
  readonly format: number;
  /** Of `value` as text: half a file or an edited one is not started from. */
  readonly checksum: string;
  readonly value: T;
}

/** `T` is what JSON gives back as it was. */
export class StateFile<T> {
  readonly path: string;
  readonly #format: number;
  #newest: T | null = null;
  #writing: Promise<void> | null = null;

  /** `format`: a number for the shape of the value; another one is refused. */
  constructor(path: string, format: number) {
    this.path = path;
    this.#format = format;
  }

  /** Written soon; while one write runs, only the newest of the following ones is kept. Rejects like the file system. */
  save(value: T): Promise<void> {
    this.#newest = value;
    this.#writing ??= this.#writeNewest().finally(() => {
      this.#writing = null;
    });
    return this.#writing;
  }

  /** Null when there is none. Throws when there is one that cannot be used. */
  async load(): Promise<T | null> {
    let text: string;
    try {
      text = await readFile(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
    return this.#parse(text);
  }

  #parse(text: string): T {
    let stored: Partial<Stored<T>> | null;
    try {
      stored = JSON.parse(text) as Partial<Stored<T>>;
    } catch (error) {
      throw new Error(`${this.path}: ${(error as Error).message}`);
    }
    if (stored?.format !== this.#format) {
      throw new Error(`${this.path}: format ${stored?.format}, expected ${this.#format}`);
    }
    const actual = checksumOf(JSON.stringify(stored.value ?? null));
    if (actual !== stored.checksum) throw new Error(`${this.path}: checksum ${actual}, expected ${stored.checksum}`);
    return stored.value as T;
  }

  async #writeNewest(): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true });
    while (this.#newest !== null) {
      const text = JSON.stringify(this.#newest);
      this.#newest = null;
      const draft = `${this.path}.${process.pid}`;
      // It may hold keys and passwords.
      const file = await open(draft, 'w', 0o600);
      try {
        await file.writeFile(`{"format":${this.#format},"checksum":"${checksumOf(text)}","value":${text}}\n`);
        // Else a power cut may leave the new name with the old nothing.
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(draft, this.path);
    }
  }
}

function checksumOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
