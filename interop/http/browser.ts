/** Headless Chromium by its DevTools protocol over a pipe: opens a page, waits for its title, and hears its console. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const FLAGS = ['--headless', '--remote-debugging-pipe', '--disable-gpu', '--no-first-run', '--disable-dev-shm-usage'];
const DEADLINE_MS = 60_000;

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
  readonly sessionId?: string;
}

export interface PageResult {
  readonly title: string;
  /** Errors of the console, uncaught exceptions and failed loads. */
  readonly errors: readonly string[];
}

class DevTools {
  /** Each event of a page. */
  onEvent: (method: string, params: Record<string, unknown>) => void = () => {};
  readonly #out: Writable;
  readonly #pending = new Map<number, { resolve(result: Record<string, unknown>): void; reject(error: Error): void }>();
  #lastId = 0;
  #text = '';

  constructor(browser: ChildProcess) {
    const [, , , out, incoming] = browser.stdio as unknown as [null, null, null, Writable, Readable];
    this.#out = out;
    out.on('error', () => {});
    incoming.setEncoding('utf8').on('data', (chunk: string) => {
      const messages = (this.#text + chunk).split('\0');
      this.#text = messages.pop()!;
      for (const message of messages) this.#onMessage(JSON.parse(message) as Answer);
    });
    browser.once('exit', (code) => {
      for (const { reject } of this.#pending.values()) reject(new Error(`chromium ended with ${code}`));
    });
  }

  ask(method: string, params: object = {}, sessionId?: string): Promise<Record<string, unknown>> {
    const id = ++this.#lastId;
    this.#out.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }));
  }

  #onMessage({ id, method, params, result, error }: Answer): void {
    if (id === undefined) {
      this.onEvent(method!, params ?? {});
      return;
    }
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (error === undefined) pending?.resolve(result ?? {});
    else pending?.reject(new Error(error.message));
  }
}

/** Opens `url` and waits until its title begins with `done`. */
export async function openPage(program: string, url: string): Promise<PageResult> {
  const profile = await mkdtemp(join(tmpdir(), 'meltemi-chromium-'));
  // Chromium has no sandbox for root.
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const browser = spawn(program, [...FLAGS, ...sandbox, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  });
  const failed = new Promise<never>((_resolve, reject) => browser.once('error', reject));
  try {
    return await Promise.race([visit(new DevTools(browser), url), failed]);
  } finally {
    browser.kill('SIGKILL');
    await new Promise((resolve) => (browser.exitCode === null ? browser.once('exit', resolve) : resolve(null)));
    await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

async function visit(tools: DevTools, url: string): Promise<PageResult> {
  const errors: string[] = [];
  tools.onEvent = (method, params) => {
    if (method === 'Runtime.exceptionThrown') errors.push(JSON.stringify(params.exceptionDetails));
    if (method === 'Runtime.consoleAPICalled' && params.type === 'error') errors.push(JSON.stringify(params.args));
    const entry = params.entry as { level: string; text: string } | undefined;
    if (method === 'Log.entryAdded' && entry?.level === 'error') errors.push(entry.text);
  };
  const { targetId } = await tools.ask('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await tools.ask('Target.attachToTarget', { targetId, flatten: true });
  const session = sessionId as string;
  await Promise.all(['Runtime', 'Log', 'Page'].map((domain) => tools.ask(`${domain}.enable`, {}, session)));
  await tools.ask('Page.navigate', { url }, session);
  const deadline = Date.now() + DEADLINE_MS;
  let title = '';
  while (!title.startsWith('done') && errors.length === 0 && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { result } = await tools.ask('Runtime.evaluate', { expression: 'document.title' }, session);
    title = String((result as { value?: unknown }).value);
  }
  // What the console says last may come behind the title.
  await new Promise((resolve) => setTimeout(resolve, 300));
  return { title, errors };
}
