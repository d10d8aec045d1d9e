/** The example's own processes: they end with it. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

export class Processes {
  readonly #running: ChildProcess[] = [];

  /** Starts a server that sends its address; gives its port. */
  async port(script: string, args: readonly string[]): Promise<number> {
    const child = this.#start(script, args);
    const [address] = (await Promise.race([once(child, 'message'), ended(child, script)])) as [{ port: number }];
    return address.port;
  }

  /** Resolves when it printed `text`. */
  async until(script: string, args: readonly string[], text: string): Promise<void> {
    const child = this.#start(script, args);
    const printed = new Promise<void>((resolve) => {
      let output = '';
      child.stdout!.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes(text)) resolve();
      });
    });
    await Promise.race([printed, ended(child, script)]);
  }

  async end(): Promise<void> {
    const running = this.#running.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
    await Promise.all(
      running.map((child) => {
        const gone = once(child, 'exit');
        child.kill();
        return gone;
      }),
    );
  }

  #start(script: string, args: readonly string[]): ChildProcess {
    const child = fork(script, args, { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
    this.#running.push(child);
    return child;
  }
}

async function ended(child: ChildProcess, script: string): Promise<never> {
  const [code] = await once(child, 'exit');
  throw new Error(`${script} ended with ${code}`);
}

/** Free now, and most likely still when it is used. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
