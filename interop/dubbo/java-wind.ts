/** Java providers and consumers of examples/dubbo, as child processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';

/** 2.7 reaches into the JDK. */
const JAVA_FLAGS = [
  '-Xmx384m',
  '--add-opens=java.base/java.lang=ALL-UNNAMED',
  '--add-opens=java.base/java.util=ALL-UNNAMED',
  '--add-opens=java.base/java.math=ALL-UNNAMED',
];

export interface JavaDubbo {
  readonly version: string;
  readonly classPath: string;
}

class JavaProcess {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  constructor({ classPath }: JavaDubbo, main: string, args: readonly string[]) {
    this.#process = spawn('java', [...JAVA_FLAGS, '-cp', classPath, main, ...args], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    this.#reader = createInterface({ input: this.#process.stdout! });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  protected write(line: string): void {
    this.#process.stdin!.write(`${line}\n`);
  }

  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error('the Java process ended');
    return value;
  }

  /** As an operator would: a provider says that it takes no new requests, ends what runs, and goes. */
  async end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exit = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    const force = setTimeout(() => this.#process.kill('SIGKILL'), 15_000);
    await exit;
    clearTimeout(force);
    this.#reader.close();
  }
}

export class JavaProvider extends JavaProcess {
  /** Resolves when it takes calls. `serializations`: at most one, instead of hessian2. */
  static async start(
    java: JavaDubbo,
    name: string,
    port: number,
    serializations: readonly string[],
  ): Promise<JavaProvider> {
    const args = [name, String(port), ...serializations];
    const provider = new JavaProvider(java, 'meltemi.WindProvider', args);
    await provider.line();
    return provider;
  }
}

export class JavaConsumer extends JavaProcess {
  /** `parameters`: of the URL that it calls. */
  static async start(java: JavaDubbo, address: string, parameters: readonly string[] = []): Promise<JavaConsumer> {
    const consumer = new JavaConsumer(java, 'meltemi.WindConsumer', [address, ...parameters]);
    await consumer.line();
    return consumer;
  }

  /** One call; what it gave, or threw. */
  async call(call: string): Promise<string> {
    this.write(call);
    return (await this.line()).slice(call.split(' ')[0]!.length + 2);
  }

  async calls(calls: readonly string[]): Promise<Map<string, string>> {
    const results = new Map<string, string>();
    for (const call of calls) results.set(call, await this.call(call));
    return results;
  }
}
