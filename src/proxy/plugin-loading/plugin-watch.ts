/** PluginWatch: tells when a source file of a plugin was saved. It looks at folders, because editors replace files. */
import { existsSync, type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** A save is often several events, and the first may see half a file. */
const SETTLE_MS = 50;

export class PluginWatch {
  readonly #onChange: () => void;
  readonly #watchers = new Map<string, FSWatcher>();
  #files: ReadonlySet<string> = new Set();
  #timer: NodeJS.Timeout | null = null;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** From now on these files. */
  follow(files: readonly string[]): void {
    this.#files = new Set(files);
    const folders = new Set(files.map((file) => dirname(file)).filter((folder) => existsSync(folder)));
    for (const [folder, watcher] of this.#watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of folders) if (!this.#watchers.has(folder)) this.#watchers.set(folder, this.#watch(folder));
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #watch(folder: string): FSWatcher {
    return watch(folder, (_event, name) => {
      const isOurs = [...this.#files].some((file) => dirname(file) === folder && basename(file) === name);
      if (!isOurs) return;
      if (this.#timer !== null) clearTimeout(this.#timer);
      this.#timer = setTimeout(this.#onChange, SETTLE_MS);
    });
  }
}
