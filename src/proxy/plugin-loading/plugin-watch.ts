/** PluginWatch: tells when a source file of a plugin was saved. It looks at folders, because editors replace files. */
import { existsSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Clock, TimerHandle } from '../../metaprotocol/clock.ts';

export interface PluginWatchOptions {
  /** Not called again before it is done; then once, however often was saved meanwhile. */
  readonly onChange: () => Promise<void>;
  readonly clock: Clock;
  /** Tests have their own. `onEvent` gets the name of a file in the folder. */
  readonly watchFolder?: (folder: string, onEvent: (name: string | null) => void) => FolderWatcher;
}

interface FolderWatcher {
  close(): void;
}

/** A save is often several events, and the first may see half a file. */
const SETTLE_MS = 50;

export class PluginWatch {
  readonly #options: PluginWatchOptions;
  readonly #watchers = new Map<string, FolderWatcher>();
  #files: ReadonlySet<string> = new Set();
  #timer: TimerHandle | null = null;
  #isBusy = false;
  #closed = false;

  constructor(options: PluginWatchOptions) {
    this.#options = options;
  }

  /** From now on these files. */
  follow(files: readonly string[]): void {
    if (this.#closed) return;
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
    this.#closed = true;
    this.#timer?.cancel();
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #watch(folder: string): FolderWatcher {
    const { watchFolder = watchOnDisk } = this.#options;
    return watchFolder(folder, (name) => {
      const isOurs = [...this.#files].some((file) => dirname(file) === folder && basename(file) === name);
      if (isOurs) this.#settle();
    });
  }

  #settle(): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    this.#timer = this.#options.clock.setTimer(SETTLE_MS, () => void this.#tell());
  }

  async #tell(): Promise<void> {
    if (this.#isBusy) return this.#settle();
    this.#isBusy = true;
    await this.#options.onChange();
    this.#isBusy = false;
  }
}

function watchOnDisk(folder: string, onEvent: (name: string | null) => void): FolderWatcher {
  return watch(folder, (_event, name) => onEvent(name));
}
