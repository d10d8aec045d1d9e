/** The example's servers and callers, each a process of its own that ends with the demo. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { WirePorts } from './demo-config.ts';
import type { Outcome } from './tally.ts';

export class DemoChildren {
  readonly #example: string;
  readonly #children: ChildProcess[] = [];

  constructor(example: string) {
    this.#example = example;
  }

  /** Starts a server; gives the ports it listens on. */
  async server(name: string): Promise<WirePorts> {
    const child = this.#start('server.ts', ['--name', name]);
    const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`server ${name} ended with ${code}`)));
    const [ports] = await Promise.race([once(child, 'message'), ended]);
    return ports as WirePorts;
  }

  /** Starts the callers; `onOutcome` is called once per call, from the first on. */
  callers(framed: string, theader: string, onOutcome: (outcome: Outcome) => void): void {
    const child = this.#start('callers.ts', ['--framed', framed, '--theader', theader]);
    child.on('message', (message) => onOutcome(message as Outcome));
    child.on('exit', (code) => code && onOutcome({ group: 'callers', failure: `the callers ended with ${code}` }));
  }

  async close(): Promise<void> {
    const running = this.#children.filter((child) => child.exitCode === null && child.signalCode === null);
    await Promise.all(
      running.map((child) => {
        const ended = once(child, 'exit');
        child.kill();
        return ended;
      }),
    );
  }

  #start(script: string, args: readonly string[]): ChildProcess {
    // What servers print of their oneway calls would tear the table.
    const child = fork(join(this.#example, script), args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#children.push(child);
    return child;
  }
}
