/** LogFiles: writes access logs without ever holding a worker up; what a slow disk or pipe cannot take is dropped and counted. */
import { type FileHandle, open } from 'node:fs/promises';
import type { Log } from '../metaprotocol/core.ts';
import type { Counter } from '../metaprotocol/stats.ts';

/** Queued for each file before lines are dropped. */
const QUEUE_LIMIT_CHARACTERS = 8 * 1_048_576;

export interface LogFilesOptions {
  readonly log: Log;
  readonly dropped: Counter;
  /** Appends text to a file; tests have their own. */
  readonly open?: (path: string) => Promise<Appender>;
}

export interface Appender {
  append(text: string): Promise<void>;
  close(): Promise<void>;
}

interface Queue {
  text: string;
  /** Set while it writes. */
  writing: Promise<void> | null;
  failed: boolean;
}

export class LogFiles {
  readonly #options: LogFilesOptions;
  readonly #open: (path: string) => Promise<Appender>;
  readonly #appenders = new Map<string, Promise<Appender>>();
  readonly #queues = new Map<string, Queue>();

  constructor(options: LogFilesOptions) {
    this.#options = options;
    this.#open = options.open ?? openAppender;
  }

  /** `text` is `count` whole lines. Texts of one path are written in order. */
  write(path: string, text: string, count: number): void {
    let queue = this.#queues.get(path);
    if (queue === undefined) {
      queue = { text: '', writing: null, failed: false };
      this.#queues.set(path, queue);
    }
    if (queue.text.length + text.length > QUEUE_LIMIT_CHARACTERS) {
      this.#options.dropped.add(count);
      return;
    }
    queue.text += text;
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
    while (queue.text !== '') {
      const text = queue.text;
      queue.text = '';
      try {
        await (await this.#appenderOf(path)).append(text);
        queue.failed = false;
      } catch (error) {
        this.#appenders.delete(path);
        this.#options.dropped.add(text.split('\n').length - 1);
        // Once for each run of failures: a full disk must not fill the process log too.
        if (!queue.failed) this.#options.log.error({ path, error: (error as Error).message }, 'access log not written');
        queue.failed = true;
      }
    }
    queue.writing = null;
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
  return { append: (text) => file.appendFile(text), close: () => file.close() };
}

function streamAppender(stream: NodeJS.WriteStream): Appender {
  // Each write hears of its failure itself; without this a reader that left would end the whole proxy.
  stream.on('error', () => {});
  return {
    append: (text) =>
      new Promise((resolve, reject) => stream.write(text, (error) => (error ? reject(error) : resolve()))),
    close: async () => {},
  };
}
