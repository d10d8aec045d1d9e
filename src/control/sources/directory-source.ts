/**
 * DirectorySource: the YAML files of folders, watched. A save may be seen half: content is taken when size and time held still
 * for one settle interval, or at once when it came by rename. All files that change together are told together.
 */
import type { ControlClock, ControlTimer } from '../clock.ts';
import type { FileStamp, FolderReader } from './folder-reader.ts';
import { type FileContent, readYamlDocuments } from './yaml-documents.ts';

export interface DirectorySourceOptions {
  readonly reader: FolderReader;
  readonly clock: ControlClock;
  /** Called after the first scan and after every change, with the complete state: content by file name. */
  onChange(files: ReadonlyMap<string, FileContent>): void;
  /** A folder cannot be read, and the last known files stay; null: it can again. Called when that changes. */
  onFault(message: string | null): void;
}

/** Two looks this far apart must agree. */
const SETTLE_MS = 20;
/** A file that is written without end holds the others back no longer than this. */
const HOLD_MS = 250;
/** Finds what the system's watcher did not tell (network mounts, overflowing queues). */
const POLL_MS = 2_000;

interface Known {
  readonly stamp: FileStamp;
  readonly text: string;
  readonly content: FileContent;
}

/** How a file that differs from what is known was last seen, and since when it has looked so. */
interface Unsettled {
  /** null: missing. */
  readonly stamp: FileStamp | null;
  readonly sinceMs: number;
}

export class DirectorySource {
  readonly #options: DirectorySourceOptions;
  readonly #known = new Map<string, Known>();
  #unsettled: ReadonlyMap<string, Unsettled> = new Map();
  #changed = false;
  #told = false;
  #fault: string | null = null;
  #unsettledSinceMs: number | null = null;
  #scanning: Promise<void> | null = null;
  #again = false;
  #timer: ControlTimer | null = null;
  #poll: ControlTimer | null = null;
  #stopWatching: (() => void) | null = null;
  #closed = false;

  constructor(options: DirectorySourceOptions) {
    this.#options = options;
  }

  /** Resolves after the first `onChange`, which takes every file as it stands; rejects when a folder cannot be read. */
  async start(): Promise<void> {
    this.#stopWatching = this.#options.reader.watch(() => this.look());
    await this.#run(() => this.#scan());
    this.#schedulePoll();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#poll?.cancel();
    this.#stopWatching?.();
  }

  /** Something may have changed. Looks at the folders now; while a look is under way, once more after it. */
  look(): void {
    if (this.#closed) return;
    if (this.#scanning !== null) {
      this.#again = true;
      return;
    }
    void this.#run(async () => {
      let fault: string | null = null;
      try {
        await this.#scan();
      } catch (error) {
        fault = textOf(error);
      }
      if (fault === this.#fault) return;
      this.#fault = fault;
      this.#options.onFault(fault);
    });
  }

  #run(scan: () => Promise<void>): Promise<void> {
    this.#scanning = scan().finally(() => {
      this.#scanning = null;
      if (!this.#again) return;
      this.#again = false;
      this.look();
    });
    return this.#scanning;
  }

  async #scan(): Promise<void> {
    const stamps = await this.#options.reader.list();
    const before = this.#unsettled;
    const unsettled = new Map<string, Unsettled>();
    for (const [file, stamp] of stamps) {
      const open = await this.#examine(file, stamp, before.get(file));
      if (open !== null) unsettled.set(file, open);
    }
    for (const file of this.#known.keys()) {
      const open = stamps.has(file) ? null : this.#examineMissing(file, before.get(file));
      if (open !== null) unsettled.set(file, open);
    }
    this.#unsettled = unsettled;
    if (!this.#closed) this.#tell();
  }

  /** null: the file is as it is known. */
  async #examine(file: string, stamp: FileStamp, last: Unsettled | undefined): Promise<Unsettled | null> {
    const known = this.#known.get(file);
    if (known !== undefined && sameStamp(known.stamp, stamp)) return null;
    const seen = this.#seen(stamp, last);
    if (this.#told && !this.#isStill(seen) && !cameByRename(known?.stamp, stamp)) return seen;
    const read = await this.#read(file, stamp);
    // Written to between the look and the read: what was read may be half of it.
    if (read === null || !sameStamp(read.stamp, stamp)) return this.#seen(read?.stamp ?? null, undefined);
    if (known?.text === read.text) {
      this.#known.set(file, { ...known, stamp });
      return null;
    }
    this.#known.set(file, { stamp, text: read.text, content: readYamlDocuments(file, read.text, savedAtMs(stamp)) });
    this.#changed = true;
    return null;
  }

  /** A file that may not be read counts as broken: it stops nobody else's change. */
  async #read(file: string, stamp: FileStamp): Promise<{ text: string; stamp: FileStamp } | null> {
    try {
      return await this.#options.reader.read(file);
    } catch (error) {
      return { text: `{ cannot be read: ${textOf(error)}`, stamp };
    }
  }

  /** Editors that save by delete and create leave a gap: missing must hold still too. */
  #examineMissing(file: string, last: Unsettled | undefined): Unsettled | null {
    const seen = this.#seen(null, last);
    if (!this.#isStill(seen)) return seen;
    this.#known.delete(file);
    this.#changed = true;
    return null;
  }

  #seen(stamp: FileStamp | null, last: Unsettled | undefined): Unsettled {
    if (last !== undefined && sameStamp(last.stamp, stamp)) return last;
    return { stamp, sinceMs: this.#options.clock.nowMs() };
  }

  #isStill(seen: Unsettled): boolean {
    return this.#options.clock.nowMs() - seen.sinceMs >= SETTLE_MS;
  }

  #tell(): void {
    const { clock, onChange } = this.#options;
    if (this.#unsettled.size === 0) this.#unsettledSinceMs = null;
    else {
      this.#unsettledSinceMs ??= clock.nowMs();
      this.#timer?.cancel();
      this.#timer = clock.setTimer(SETTLE_MS + 1, () => this.look());
      if (this.#told && clock.nowMs() - this.#unsettledSinceMs < HOLD_MS) return;
    }
    if (!this.#changed && this.#told) return;
    this.#changed = false;
    this.#told = true;
    onChange(new Map([...this.#known].map(([file, known]) => [file, known.content])));
  }

  #schedulePoll(): void {
    if (this.#closed) return;
    this.#poll = this.#options.clock.setTimer(POLL_MS, () => {
      this.look();
      this.#schedulePoll();
    });
  }
}

function sameStamp(a: FileStamp | null, b: FileStamp | null): boolean {
  if (a === null || b === null) return a === b;
  return (
    a.inode === b.inode && a.sizeBytes === b.sizeBytes && a.modifiedNs === b.modifiedNs && a.changedNs === b.changedNs
  );
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function savedAtMs({ modifiedNs, changedNs }: FileStamp): number {
  return Number(modifiedNs > changedNs ? modifiedNs : changedNs) / 1e6;
}

/** A rename touches the change time alone; whoever still writes touches both. */
function cameByRename(known: FileStamp | undefined, stamp: FileStamp): boolean {
  return known?.inode !== stamp.inode && stamp.sizeBytes > 0 && stamp.changedNs > stamp.modifiedNs;
}
