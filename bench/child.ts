/** Child processes of the benchmark: pinned to one core, ended by their id. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

export const pinnable = availableParallelism() > 1 && spawnSync('taskset', ['-V']).status === 0;
/** Core 0 runs load generator and backend, core 1 the proxy. */
export const Core = { load: 0, proxy: 1, any: null } as const;
export type Core = (typeof Core)[keyof typeof Core];

export class Child {
  readonly name: string;
  readonly #process: ChildProcess;
  #log = '';
  #output = '';
  #ended = false;
  readonly #whenEnded: Promise<void>;

  /** Starts `command` on `core`. It may talk over Node's IPC channel; what it prints is kept for error texts. */
  constructor(name: string, core: Core, command: string, args: readonly string[]) {
    this.name = name;
    const [file, ...rest] =
      pinnable && core !== null ? ['taskset', '-c', String(core), command, ...args] : [command, ...args];
    this.#process = spawn(file!, rest, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    const keep = (chunk: Buffer) => {
      this.#log = (this.#log + chunk.toString()).slice(-4000);
    };
    this.#process.stdout?.on('data', keep);
    this.#process.stdout?.on('data', (chunk: Buffer) => {
      if (!this.#output.includes('\n')) this.#output += chunk.toString();
    });
    this.#process.stderr?.on('data', keep);
    this.#whenEnded = new Promise((resolve) => {
      this.#process.once('exit', () => {
        this.#ended = true;
        resolve();
      });
    });
  }

  /** A Node script of ours, run by this same Node. */
  static script(name: string, core: Core, script: string, args: readonly string[] = []): Child {
    return new Child(name, core, process.execPath, [script, ...args]);
  }

  /** taskset replaces itself, so this is the process that was asked for. */
  get pid(): number {
    return this.#process.pid!;
  }

  /** The next message over IPC; rejects when the child ends first. */
  message<T>(): Promise<T> {
    return Promise.race([
      new Promise<T>((resolve) => this.#process.once('message', (message) => resolve(message as T))),
      this.#whenEnded.then(() => Promise.reject(new Error(`${this.name} ended: ${this.#log}`))),
    ]);
  }

  /** The first line the child prints. */
  firstLine(): Promise<string> {
    return this.until(async () => /^.*(?=\n)/.exec(this.#output)?.[0]);
  }

  ask<T>(request: object): Promise<T> {
    const answer = this.message<T>();
    this.#process.send(request);
    return answer;
  }

  /** Calls `probe` until it gives something; rejects when the child ended or `timeoutMs` passed. */
  async until<T>(probe: () => Promise<T | undefined>, timeoutMs = 20_000): Promise<T> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const found = await probe().catch(() => undefined);
      if (found !== undefined) return found;
      if (this.#ended) throw new Error(`${this.name} ended: ${this.#log}`);
      if (Date.now() > deadline) throw new Error(`${this.name} is not ready after ${timeoutMs} ms: ${this.#log}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async end(): Promise<void> {
    if (this.#ended) return;
    this.#process.kill('SIGTERM');
    const force = setTimeout(() => this.#process.kill('SIGKILL'), 3000);
    await this.#whenEnded;
    clearTimeout(force);
  }
}
