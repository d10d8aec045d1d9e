/** LogFiles: writes access logs without ever holding a worker up; what a slow disk or pipe cannot take is dropped and counted. */
import type { BigIntStats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import type { Clock } from '../metaprotocol/clock.ts';
import type { Log } from '../metaprotocol/core.ts';
import type { Counter, StatsScope } from '../metaprotocol/stats.ts';
import { LogFailure } from './log-failure.ts';

/** Queued for each file before lines are dropped. */
const QUEUE_LIMIT_BYTES = 8 * 1_048_576;
/** While a log is written it is looked so often whether its path still leads to the open file. */
const LOOK_MS = 1_000;
/** Some file systems number their files past what a double can tell apart. */
const EXACT = { bigint: true } as const;

export interface LogFilesOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly stats: StatsScope;
  /** Bytes that were written or dropped, and are looked at no more. */
  readonly onDone?: (bytes: Uint8Array) => void;
  /** Opens a file to append to; tests have their own. */
  readonly open?: (path: string) => Promise<Appender>;
}

export interface Appender {
  append(bytes: Uint8Array): Promise<void>;
  /** Its path leads elsewhere, or nowhere, by now: the file was renamed or deleted. null: it is no file, and stays open. */
  readonly hasMoved: (() => Promise<boolean>) | null;
  close(): Promise<void>;
}

interface LogFile {
  readonly path: string;
  parts: Uint8Array[];
  bytes: number;
  lines: number;
  /** null: not opened yet, or not since a write failed. */
  appender: Appender | null;
  /** When its path was known to lead to what is open. */
  seenAtMs: number;
  /** What was begun so far: all that is done to a file is done in turn. Never rejects. */
  turn: Promise<void>;
  readonly unwritten: LogFailure;
  readonly notReopened: LogFailure;
}

export class LogFiles {
  readonly #options: LogFilesOptions;
  readonly #dropped: Counter;
  readonly #open: (path: string) => Promise<Appender>;
  readonly #files = new Map<string, LogFile>();

  constructor(options: LogFilesOptions) {
    this.#options = options;
    this.#dropped = options.stats.counter('access_log_lines_dropped_total');
    this.#open = options.open ?? openAppender;
  }

  /** `bytes` are `count` whole lines, and this file's until `onDone`. Those of one path are written in order. */
  write(path: string, bytes: Uint8Array, count: number): void {
    const file = this.#fileOf(path);
    if (file.bytes + bytes.length > QUEUE_LIMIT_BYTES) {
      this.#dropped.add(count);
      this.#options.onDone?.(bytes);
      return;
    }
    file.parts.push(bytes);
    file.bytes += bytes.length;
    file.lines += count;
    if (file.parts.length === 1) file.turn = file.turn.then(() => this.#append(file));
  }

  /** Opens anew what was renamed or deleted. Resolves when nothing is written any more to what was open and is such a file. */
  async reopen(): Promise<void> {
    // A pipe that nobody reads would be waited for without end.
    const files = [...this.#files.values()].filter(({ appender }) => (appender?.hasMoved ?? null) !== null);
    for (const file of files) file.turn = file.turn.then(() => this.#follow(file));
    await Promise.all(files.map(({ turn }) => turn));
  }

  /** Resolves when everything that was written so far is with the operating system. */
  async settled(): Promise<void> {
    await Promise.all([...this.#files.values()].map((file) => file.turn));
  }

  /** Nothing is written after it. */
  async close(): Promise<void> {
    await this.settled();
    await Promise.all([...this.#files.values()].map((file) => file.appender?.close()));
  }

  #fileOf(path: string): LogFile {
    let file = this.#files.get(path);
    if (file === undefined) {
      const { log, stats } = this.#options;
      file = {
        path,
        parts: [],
        bytes: 0,
        lines: 0,
        appender: null,
        seenAtMs: 0,
        turn: Promise.resolve(),
        unwritten: new LogFailure(log, stats, path, 'write'),
        notReopened: new LogFailure(log, stats, path, 'reopen'),
      };
      this.#files.set(path, file);
    }
    return file;
  }

  async #append(file: LogFile): Promise<void> {
    const { parts, lines } = file;
    file.parts = [];
    file.bytes = 0;
    file.lines = 0;
    try {
      if (this.#options.clock.nowMs() - file.seenAtMs >= LOOK_MS) await this.#follow(file);
      const appender = file.appender ?? (await this.#openAnew(file));
      await appender.append(parts.length === 1 ? parts[0]! : Buffer.concat(parts));
      file.unwritten.end();
    } catch (error) {
      this.#dropped.add(lines);
      file.unwritten.fail((error as Error).message);
      // What failed once may be another file by the next write.
      file.appender?.close().catch(() => {});
      file.appender = null;
    }
    for (const part of parts) this.#options.onDone?.(part);
  }

  /** What is open stays so until the new file is: better a line in a file that was renamed than none. */
  async #follow(file: LogFile): Promise<void> {
    const { appender } = file;
    if (appender === null || appender.hasMoved === null) return;
    file.seenAtMs = this.#options.clock.nowMs();
    if (!(await appender.hasMoved())) return file.notReopened.end();
    try {
      await this.#openAnew(file);
      await appender.close();
    } catch (error) {
      file.notReopened.fail((error as Error).message);
    }
  }

  async #openAnew(file: LogFile): Promise<Appender> {
    const appender = await this.#open(file.path);
    file.appender = appender;
    file.seenAtMs = this.#options.clock.nowMs();
    file.notReopened.end();
    return appender;
  }
}

/** The main thread's alone: a worker's own `process.stdout` is only a way to it. */
export function isProcessStream(path: string): boolean {
  return path === '/dev/stdout' || path === '/dev/stderr';
}

async function openAppender(path: string): Promise<Appender> {
  // Opening /dev/stdout anew fails where it is a socket (systemd), so the process's own streams are used.
  if (path === '/dev/stdout') return streamAppender(process.stdout);
  if (path === '/dev/stderr') return streamAppender(process.stderr);
  const file: FileHandle = await open(path, 'a');
  const opened = await file.stat(EXACT);
  return {
    append: (bytes) => file.appendFile(bytes),
    hasMoved: opened.isFile() ? () => leadsElsewhere(path, opened) : null,
    close: () => file.close(),
  };
}

async function leadsElsewhere(path: string, opened: BigIntStats): Promise<boolean> {
  try {
    const { dev, ino } = await stat(path, EXACT);
    return dev !== opened.dev || ino !== opened.ino;
  } catch (error) {
    // Where nothing can be seen, what is open is as good as before.
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

function streamAppender(stream: NodeJS.WriteStream): Appender {
  // Each write hears of its failure itself; without this a reader that left would end the whole proxy.
  stream.on('error', () => {});
  return {
    append: (bytes) =>
      new Promise((resolve, reject) => stream.write(bytes, (error) => (error ? reject(error) : resolve()))),
    hasMoved: null,
    close: async () => {},
  };
}
