/** LogFiles: writes access logs without ever holding a worker up; what a slow disk or pipe cannot take is dropped and counted. */
import { type FileHandle, open } from 'node:fs/promises';
import type { Log } from '../metaprotocol/core.ts';
import type { Counter, Gauge, StatsScope } from '../metaprotocol/stats.ts';

/** Queued for each file before lines are dropped. */
const QUEUE_LIMIT_BYTES = 8 * 1_048_576;

export interface LogFilesOptions {
  readonly log: Log;
  readonly stats: StatsScope;
  /** Bytes that were written or dropped, and are looked at no more. */
  readonly onDone?: (bytes: Uint8Array) => void;
  /** Opens a file to append to; tests have their own. */
  readonly open?: (path: string) => Promise<Appender>;
}

export interface Appender {
  append(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

interface Queue {
  parts: Uint8Array[];
  bytes: number;
  lines: number;
  /** Set while it writes. */
  writing: Promise<void> | null;
  /** While writing fails: 1 in the statistic that says why. */
  failing: Gauge | null;
}

export class LogFiles {
  readonly #options: LogFilesOptions;
  readonly #dropped: Counter;
  readonly #open: (path: string) => Promise<Appender>;
  readonly #appenders = new Map<string, Promise<Appender>>();
  readonly #queues = new Map<string, Queue>();

  constructor(options: LogFilesOptions) {
    this.#options = options;
    this.#dropped = options.stats.counter('access_log_lines_dropped_total');
    this.#open = options.open ?? openAppender;
  }

  /** `bytes` are `count` whole lines, and this file's until `onDone`. Those of one path are written in order. */
  write(path: string, bytes: Uint8Array, count: number): void {
    let queue = this.#queues.get(path);
    if (queue === undefined) {
      queue = { parts: [], bytes: 0, lines: 0, writing: null, failing: null };
      this.#queues.set(path, queue);
    }
    if (queue.bytes + bytes.length > QUEUE_LIMIT_BYTES) {
      this.#dropped.add(count);
      this.#options.onDone?.(bytes);
      return;
    }
    queue.parts.push(bytes);
    queue.bytes += bytes.length;
    queue.lines += count;
    queue.writing ??= this.#drain(path, queue);
  }

  /** Resolves when everything that was written so far is with the operating system. */
  async settled(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.writing));
  }

  /** Nothing is written after it. */
  async close(): Promise<void> {
    await this.settled();
    const appenders = await Promise.allSettled(this.#appenders.values());
    await Promise.all(appenders.map((opened) => (opened.status === 'fulfilled' ? opened.value.close() : undefined)));
  }

  async #drain(path: string, queue: Queue): Promise<void> {
    while (queue.parts.length > 0) {
      const { parts, lines } = queue;
      queue.parts = [];
      queue.bytes = 0;
      queue.lines = 0;
      try {
        await (await this.#appenderOf(path)).append(parts.length === 1 ? parts[0]! : Buffer.concat(parts));
        this.#show(queue, null);
      } catch (error) {
        this.#appenders.delete(path);
        this.#dropped.add(lines);
        const reason = (error as Error).message;
        // Once for each run of failures: a full disk must not fill the process log too.
        if (queue.failing === null) this.#options.log.error({ path, error: reason }, 'access log not written');
        this.#show(queue, this.#options.stats.gauge('access_logs_failing', { path, reason }));
      }
      for (const part of parts) this.#options.onDone?.(part);
    }
    queue.writing = null;
  }

  #show(queue: Queue, failing: Gauge | null): void {
    if (queue.failing === failing) return;
    queue.failing?.add(-1);
    failing?.add(1);
    queue.failing = failing;
  }

  #appenderOf(path: string): Promise<Appender> {
    let appender = this.#appenders.get(path);
    if (appender === undefined) {
      appender = this.#open(path);
      this.#appenders.set(path, appender);
    }
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
  return { append: (bytes) => file.appendFile(bytes), close: () => file.close() };
}

function streamAppender(stream: NodeJS.WriteStream): Appender {
  // Each write hears of its failure itself; without this a reader that left would end the whole proxy.
  stream.on('error', () => {});
  return {
    append: (bytes) =>
      new Promise((resolve, reject) => stream.write(bytes, (error) => (error ? reject(error) : resolve()))),
    close: async () => {},
  };
}
