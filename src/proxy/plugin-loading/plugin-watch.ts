/** PluginWatch: tells when a source file of a plugin was saved. It looks at folders, because editors replace files. */
import { statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Clock, TimerHandle } from '../../metaprotocol/clock.ts';
import type { Log } from '../../metaprotocol/core.ts';

export interface PluginWatchOptions {
  /** Not called again before it is done; then once, however often was saved meanwhile. */
  readonly onChange: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
  /** Tests have their own. `onEvent` gets the name of a file in the folder. */
  readonly watchFolder?: (folder: string, onEvent: (name: string | null) => void) => FolderWatcher;
}

interface FolderWatcher {
  close(): void;
}

interface WatchedFolder {
  readonly watcher: FolderWatcher;
  /** A folder that was removed and made again is another one. */
  readonly inode: number;
}

/** A save is often several events, and the first may see half a file. */
const SETTLE_MS = 50;

export class PluginWatch {
  readonly #options: PluginWatchOptions;
  readonly #watched = new Map<string, WatchedFolder>();
  /** By folder: what an event must name. */
  #names: ReadonlyMap<string, ReadonlySet<string>> = new Map();
  #timer: TimerHandle | null = null;
  #isBusy = false;
  #closed = false;

  constructor(options: PluginWatchOptions) {
    this.#options = options;
  }

  /** From now on these files. */
  follow(files: readonly string[]): void {
    if (this.#closed) return;
    const names = new Map<string, Set<string>>();
    const inodes = new Map<string, number>();
    for (const file of files) {
      const { folder, name, inode } = nearestFolder(file);
      names.set(folder, (names.get(folder) ?? new Set()).add(name));
      inodes.set(folder, inode);
    }
    this.#names = names;
    // Those that stay are not opened anew: events that are on their way would be lost.
    for (const [folder, { watcher, inode }] of this.#watched) {
      if (inodes.get(folder) === inode) continue;
      watcher.close();
      this.#watched.delete(folder);
    }
    for (const [folder, inode] of inodes) if (!this.#watched.has(folder)) this.#watch(folder, inode);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    for (const { watcher } of this.#watched.values()) watcher.close();
    this.#watched.clear();
  }

  #watch(folder: string, inode: number): void {
    const { watchFolder = watchOnDisk, log } = this.#options;
    try {
      const watcher = watchFolder(folder, (name) => {
        if (name !== null && this.#names.get(folder)?.has(name) === true) this.#settle();
      });
      this.#watched.set(folder, { watcher, inode });
    } catch (error) {
      log.warn(
        { folder, reason: (error as Error).message },
        'folder of a plugin not watched: what is saved there is not seen',
      );
    }
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

/** Where an event about the file would be told: its folder, or where that is missing, the one in which it would appear. */
function nearestFolder(file: string): { folder: string; name: string; inode: number } {
  for (let [folder, name] = [dirname(file), basename(file)]; ; [folder, name] = [dirname(folder), basename(folder)]) {
    const found = statSync(folder, { throwIfNoEntry: false });
    if (found !== undefined || folder === dirname(folder)) return { folder, name, inode: found?.ino ?? 0 };
  }
}

function watchOnDisk(folder: string, onEvent: (name: string | null) => void): FolderWatcher {
  const watcher = watch(folder, (_event, name) => onEvent(name));
  // It went away with its folder; the next reload looks anew.
  watcher.on('error', () => watcher.close());
  return watcher;
}
