/** FileWatch: the texts of some small files, read again when they change. Certificates are renewed by other programs, under our feet. */
import { readFile, stat } from 'node:fs/promises';
import type { Clock, TimerHandle } from '../metaprotocol/clock.ts';

export interface FileWatchOptions {
  readonly clock: Clock;
  /** Some file's text is another, or can no longer be read, or can again. */
  readonly onChange: () => void;
  /** Tests have their own. */
  readonly files?: Files;
}

/** Both reject like the file system. */
export interface Files {
  /** Changes with the content. */
  signature(path: string): Promise<string>;
  read(path: string): Promise<string>;
}

export type FileReading =
  | { readonly text: string; readonly fault?: undefined }
  /** Why it cannot be read. */
  | { readonly text?: undefined; readonly fault: string };

const POLL_MS = 500;
/** Nothing is read while files move: a certificate and its key are two files. But others' moving is not waited for for ever. */
const SETTLE_POLLS = 4;
const LIMIT_BYTES = 1_048_576;

interface WatchedFile {
  /** At the last look; the text's own is `readSignature`. */
  signature: string;
  readSignature: string;
  reading: FileReading;
}

export class FileWatch {
  readonly #options: FileWatchOptions;
  readonly #system: Files;
  readonly #watched = new Map<string, WatchedFile>();
  #timer: TimerHandle | null = null;
  #movingPolls = 0;
  #closed = false;

  constructor(options: FileWatchOptions) {
    this.#options = options;
    this.#system = options.files ?? FILE_SYSTEM;
  }

  /** Resolves when each of them was read once. Those of earlier calls are watched on. */
  async add(paths: Iterable<string>): Promise<void> {
    const added = [...new Set(paths)].filter((path) => !this.#watched.has(path));
    await Promise.all(
      added.map(async (path) => {
        const signature = await this.#signatureOf(path);
        const reading = await this.#read(path);
        this.#watched.set(path, { signature, readSignature: signature, reading });
      }),
    );
    if (this.#watched.size > 0 && this.#timer === null) this.#arm();
  }

  /** Watches these and no others. */
  retain(paths: ReadonlySet<string>): void {
    for (const path of this.#watched.keys()) if (!paths.has(path)) this.#watched.delete(path);
  }

  /** Of a file that was added. */
  readingOf(path: string): FileReading {
    return this.#watched.get(path)?.reading ?? { fault: 'not read yet' };
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #arm(): void {
    this.#timer = this.#options.clock.setTimer(POLL_MS, () => void this.#poll());
  }

  async #poll(): Promise<void> {
    const files = [...this.#watched];
    const signatures = await Promise.all(files.map(([path]) => this.#signatureOf(path)));
    let moves = false;
    for (const [index, [, file]] of files.entries()) {
      if (file.signature === signatures[index]) continue;
      file.signature = signatures[index]!;
      moves = true;
    }
    this.#movingPolls = moves ? this.#movingPolls + 1 : 0;
    if (this.#movingPolls === 0 || this.#movingPolls > SETTLE_POLLS) await this.#readChanged(files);
    if (this.#closed) return;
    if (this.#watched.size > 0) this.#arm();
    else this.#timer = null;
  }

  async #readChanged(files: readonly (readonly [string, WatchedFile])[]): Promise<void> {
    let changed = false;
    await Promise.all(
      files.map(async ([path, file]) => {
        const { signature } = file;
        if (file.readSignature === signature) return;
        const reading = await this.#read(path);
        file.readSignature = signature;
        changed ||= reading.text !== file.reading.text || reading.fault !== file.reading.fault;
        file.reading = reading;
      }),
    );
    if (changed && !this.#closed) this.#options.onChange();
  }

  async #signatureOf(path: string): Promise<string> {
    try {
      return await this.#system.signature(path);
    } catch (error) {
      return (error as Error).message;
    }
  }

  async #read(path: string): Promise<FileReading> {
    try {
      return { text: await this.#system.read(path) };
    } catch (error) {
      return { fault: (error as Error).message };
    }
  }
}

const FILE_SYSTEM: Files = {
  // Follows symbolic links, which is how mounted secrets change.
  async signature(path) {
    const { mtimeNs, size, ino, dev } = await stat(path, { bigint: true });
    return [mtimeNs, size, ino, dev].join();
  },
  async read(path) {
    const { size } = await stat(path);
    if (size > LIMIT_BYTES) throw new Error(`${size} bytes, limit ${LIMIT_BYTES}`);
    return readFile(path, 'utf8');
  },
};
