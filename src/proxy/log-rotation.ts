/**
 * LogRotation: keeps access logs below a size. One of these renames, in the main thread; the workers, which write, follow it. What
 * is no regular file is not its business, a symbolic link neither: it may lead to standard output.
 */
import { lstat, open, rename } from 'node:fs/promises';
import type { Clock, TimerHandle } from '../metaprotocol/clock.ts';
import type { Log } from '../metaprotocol/core.ts';
import type { StatsScope } from '../metaprotocol/stats.ts';
import { LogFailure } from './log-failure.ts';

/** How far each access log may grow. */
export interface LogLimits {
  /** Looked at a few times a second, so a file may have a bit more. */
  readonly maxBytes: number;
  /** `path`, `path.1` and so on: 2 at least. */
  readonly maxFiles: number;
}

export interface LogRotationOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly stats: StatsScope;
  readonly limits: LogLimits;
  /** Of the access logs that are written now. */
  readonly paths: () => readonly string[];
  /** Resolves when nobody writes any more to files that were renamed. */
  readonly reopen: () => Promise<void>;
}

const CHECK_MS = 250;
/** A worker that is held up follows with its next write; the logs of others do not wait for it any longer. */
const FOLLOW_MS = 5_000;
const PERMISSIONS = 0o777;

export class LogRotation {
  readonly #options: LogRotationOptions;
  readonly #failures = new Map<string, LogFailure>();
  #timer: TimerHandle | null = null;
  #checking: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: LogRotationOptions) {
    this.#options = options;
    this.#schedule();
  }

  /** Resolves when nothing is renamed any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#checking;
  }

  /** The next check waits for the workers, so that nobody writes to a file when it is renamed once more. */
  #schedule(): void {
    this.#timer = this.#options.clock.setTimer(CHECK_MS, () => {
      this.#checking = this.#check().then(() => {
        if (!this.#closed) this.#schedule();
      });
    });
  }

  async #check(): Promise<void> {
    let isRenamed = false;
    for (const path of new Set(this.#options.paths())) {
      try {
        isRenamed = (await this.#rotate(path)) || isRenamed;
        this.#failures.get(path)?.end();
      } catch (error) {
        this.#failureOf(path).fail((error as Error).message);
      }
    }
    if (isRenamed) await this.#followed();
  }

  #followed(): Promise<void> {
    return new Promise((resolve) => {
      const late = this.#options.clock.setTimer(FOLLOW_MS, resolve);
      void this.#options.reopen().then(() => {
        late.cancel();
        resolve();
      });
    });
  }

  /** True: the path leads to a new file. */
  async #rotate(path: string): Promise<boolean> {
    const { maxBytes, maxFiles } = this.#options.limits;
    const stats = await statsOf(path);
    if (stats === null || !stats.isFile() || stats.size < maxBytes) return false;
    await shift(path, maxFiles);
    await createLike(path, stats.mode & PERMISSIONS);
    return true;
  }

  #failureOf(path: string): LogFailure {
    let failure = this.#failures.get(path);
    if (failure === undefined) {
      failure = new LogFailure(this.#options.log, this.#options.stats, path, 'rotate');
      this.#failures.set(path, failure);
    }
    return failure;
  }
}

/** Only what stands in the way moves: where the last rename fails again and again, no older file is lost by it. */
async function shift(path: string, maxFiles: number): Promise<void> {
  let free = 1;
  while (free < maxFiles - 1 && (await statsOf(`${path}.${free}`)) !== null) free++;
  for (let index = free; index > 1; index--) await rename(`${path}.${index - 1}`, `${path}.${index}`);
  await rename(path, `${path}.1`);
}

/** Whoever may not read the old file may not read the new one either. A worker may have made it first. */
async function createLike(path: string, permissions: number): Promise<void> {
  const file = await open(path, 'a', permissions);
  try {
    if (((await file.stat()).mode & PERMISSIONS) !== permissions) await file.chmod(permissions);
  } finally {
    await file.close();
  }
}

async function statsOf(path: string) {
  try {
    return await lstat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
