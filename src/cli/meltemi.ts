/** The command line: finds the command, runs it, and turns what comes of it into an exit code. */

import { nearMissHint } from '../schema/near-miss.ts';
import { type Command, ExitCode, UsageError } from './command.ts';
import { productVersion } from './product-version.ts';

interface CommandEntry {
  readonly name: string;
  /** One line for `meltemi --help`. */
  readonly summary: string;
  /** Nobody waits for the code of other commands, nor keeps it: a proxy is 14 MB smaller without. */
  load(): Promise<Command>;
}

const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'up',
    summary: 'start a control plane and one proxy for a folder of configuration',
    load: async () => (await import('./up.ts')).upCommand,
  },
  {
    name: 'control',
    summary: 'start a control plane that serves a folder over xDS',
    load: async () => (await import('./control.ts')).controlCommand,
  },
  {
    name: 'proxy',
    summary: 'start a proxy that asks a control plane for its configuration',
    load: async () => (await import('./proxy.ts')).proxyCommand,
  },
  {
    name: 'status',
    summary: 'say for each resource whether it runs, where and why not, and where to connect',
    load: async () => (await import('./status.ts')).statusCommand,
  },
  {
    name: 'validate',
    summary: 'check a folder of configuration and change nothing',
    load: async () => (await import('./validate.ts')).validateCommand,
  },
  {
    name: 'codec',
    summary: 'write, test, decode with and measure a codec for a protocol of your own',
    load: async () => (await import('./codec/codec-command.ts')).codecCommand,
  },
  {
    name: 'demo',
    summary: 'show a mesh at work: servers, callers, and a route to edit',
    load: async () => (await import('./demo.ts')).demoCommand,
  },
];

const HELP = `Usage: meltemi COMMAND [options]

A service mesh for every layer-7 protocol.

${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(10)} ${summary}`).join('\n')}
  help       this text, or a command's: meltemi help up

  --help     of any command: its options and examples
  --version

Exit codes: 0 done, 1 failed, 2 called wrongly.
`;

async function main([name, ...argv]: readonly string[]): Promise<number> {
  if (name === '--version' || name === '-v') {
    process.stdout.write(`${productVersion()}\n`);
    return ExitCode.Ok;
  }
  const isHelp = name === undefined || name === 'help' || name === '--help' || name === '-h';
  const wanted = isHelp ? argv[0] : name;
  const entry = COMMANDS.find((candidate) => candidate.name === wanted);
  if (wanted !== undefined && entry === undefined) {
    const names = COMMANDS.map((one) => one.name);
    const expected = `${names.join(', ')}${nearMissHint(wanted, names)}`;
    process.stderr.write(`meltemi: unknown command ${wanted}; expected one of ${expected}\n`);
    return ExitCode.Usage;
  }
  if (entry === undefined) {
    process.stdout.write(HELP);
    return name === undefined ? ExitCode.Usage : ExitCode.Ok;
  }
  const command = await entry.load();
  if (isHelp || argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(command.help);
    return ExitCode.Ok;
  }
  try {
    return await command.run(argv, stopSignal);
  } catch (error) {
    const isUsage = error instanceof UsageError;
    process.stderr.write(`meltemi ${entry.name}: ${(error as Error).message}\n`);
    if (isUsage) process.stderr.write(`see: meltemi ${entry.name} --help\n`);
    return isUsage ? ExitCode.Usage : ExitCode.Failure;
  }
}

/** From now on a signal asks to stop; before it just ends the process. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      // Who asks twice does not want to wait for the drain.
      if (stop.signal.aborted) process.exit(ExitCode.Failure);
      stop.abort();
    });
  }
  return stop.signal;
}

/** Sets the exit code. Not process.exit: what is still being written to a pipe would be lost. */
export async function meltemi(): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    // Who reads only the first lines, as head does, ends nothing: a mesh goes on, and a verdict stays what it is.
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
  process.exitCode = await main(process.argv.slice(2));
}
