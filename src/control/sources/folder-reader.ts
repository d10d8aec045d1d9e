/** FolderReader: the file system as the directory source sees it. */
import { type FSWatcher, watch } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export interface FileStamp {
  readonly inode: bigint;
  readonly sizeBytes: bigint;
  readonly modifiedNs: bigint;
  readonly changedNs: bigint;
}

export interface FolderReader {
  /** All YAML files. Throws when a root cannot be read: nothing is known then, least of all that files are gone. */
  list(): Promise<ReadonlyMap<string, FileStamp>>;
  /** The text and the stamp after reading it; null: gone meanwhile. */
  read(file: string): Promise<{ text: string; stamp: FileStamp } | null>;
  /** Calls back for whatever the system tells, too often rather than too rarely. Returns how to stop. */
  watch(onEvent: () => void): () => void;
}

const MAX_DEPTH = 16;
const MAX_FILES = 10_000;
const MAX_FILE_BYTES = 4 * 1_024 * 1_024;

export class DiskFolderReader implements FolderReader {
  readonly #roots: readonly string[];
  readonly #watchers = new Map<string, FSWatcher>();
  #onEvent: (() => void) | null = null;

  /** Folders, or single files. */
  constructor(roots: readonly string[]) {
    this.#roots = roots;
  }

  async list(): Promise<ReadonlyMap<string, FileStamp>> {
    const files = new Map<string, FileStamp>();
    const folders = new Set<string>();
    for (const root of this.#roots) {
      const entry = await stat(root, { bigint: true });
      if (entry.isDirectory()) await this.#walk(root, 0, files, folders);
      else {
        files.set(root, toStamp(entry));
        folders.add(dirname(root));
      }
    }
    this.#follow(folders);
    return files;
  }

  async read(file: string): Promise<{ text: string; stamp: FileStamp } | null> {
    try {
      const handle = await open(file);
      try {
        const { size } = await handle.stat();
        if (size > MAX_FILE_BYTES) return { text: oversized(size), stamp: toStamp(await stat(file, { bigint: true })) };
        const text = await handle.readFile('utf8');
        return { text, stamp: toStamp(await stat(file, { bigint: true })) };
      } finally {
        await handle.close();
      }
    } catch (error) {
      if (isGone(error)) return null;
      throw error;
    }
  }

  watch(onEvent: () => void): () => void {
    this.#onEvent = onEvent;
    return () => {
      this.#onEvent = null;
      this.#follow(new Set());
    };
  }

  async #walk(folder: string, depth: number, files: Map<string, FileStamp>, folders: Set<string>): Promise<void> {
    if (depth > MAX_DEPTH) throw new Error(`${folder}: more than ${MAX_DEPTH} folders deep (a circle of links?)`);
    folders.add(folder);
    for (const name of (await readdir(folder)).sort()) {
      // Hidden names are editors' swap files and the `..data` of Kubernetes, whose files are linked beside it.
      if (name.startsWith('.') || name === 'node_modules') continue;
      const path = join(folder, name);
      // stat follows links, so a swapped `..data` shows as changed files.
      const entry = await stat(path, { bigint: true }).catch((error) => {
        if (isGone(error)) return null;
        throw error;
      });
      if (entry?.isDirectory()) await this.#walk(path, depth + 1, files, folders);
      else if (entry?.isFile() && /\.ya?ml$/i.test(name)) files.set(path, toStamp(entry));
      if (files.size > MAX_FILES) throw new Error(`${folder}: more than ${MAX_FILES} YAML files`);
    }
  }

  #follow(folders: ReadonlySet<string>): void {
    for (const [folder, watcher] of this.#watchers) {
      if (folders.has(folder) && this.#onEvent !== null) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    if (this.#onEvent === null) return;
    const before = this.#watchers.size;
    for (const folder of folders) {
      if (this.#watchers.has(folder)) continue;
      try {
        const watcher = watch(folder, { persistent: false }, () => this.#onEvent?.());
        // A watcher that dies is replaced at the next look; the poll sees to that.
        watcher.on('error', () => {
          watcher.close();
          this.#watchers.delete(folder);
        });
        this.#watchers.set(folder, watcher);
      } catch {
        // Gone already, or the system has no watches left: the poll still finds changes.
      }
    }
    // What changed between the walk and the watch was told to nobody.
    if (this.#watchers.size > before) this.#onEvent();
  }
}

function toStamp(entry: { ino: bigint; size: bigint; mtimeNs: bigint; ctimeNs: bigint }): FileStamp {
  return { inode: entry.ino, sizeBytes: entry.size, modifiedNs: entry.mtimeNs, changedNs: entry.ctimeNs };
}

/** No resource on purpose: the file is reported as broken, with this text, and its last good content stays. */
function oversized(sizeBytes: number): string {
  return `file of ${sizeBytes} bytes > the limit of ${MAX_FILE_BYTES} bytes`;
}

function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(String(error.code));
}
