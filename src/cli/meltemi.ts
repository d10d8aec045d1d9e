/** The command line: finds the command, runs it, and turns what comes of it into an exit code. */

import { nearMiss } from '../schema/near-miss.ts';
import { codecCommand } from './codec/codec-command.ts';
import { type Command, ExitCode, UsageError } from './command.ts';
import { controlCommand } from './control.ts';
import { demoCommand } from './demo.ts';
import { productVersion } from './product-version.ts';
import { proxyCommand } from './proxy.ts';
import { statusCommand } from './status.ts';
import { upCommand } from './up.ts';
import { validateCommand } from './validate.ts';

const COMMANDS: readonly Command[] = [
  upCommand,
  controlCommand,
  proxyCommand,
  statusCommand,
  validateCommand,
  codecCommand,
  demoCommand,
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
  const command = COMMANDS.find((candidate) => candidate.name === wanted);
  if (wanted !== undefined && command === undefined) {
    const names = COMMANDS.map((one) => one.name);
    const meant = nearMiss(wanted, names);
    const hint = meant === null ? '' : ` (did you mean ${meant}?)`;
    process.stderr.write(`meltemi: unknown command ${wanted}; expected one of ${names.join(', ')}${hint}\n`);
    return ExitCode.Usage;
  }
  if (command === undefined || isHelp || argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(command?.help ?? HELP);
    return name === undefined ? ExitCode.Usage : ExitCode.Ok;
  }
  try {
    return await command.run(argv, stopSignal);
  } catch (error) {
    const isUsage = error instanceof UsageError;
    process.stderr.write(`meltemi ${command.name}: ${(error as Error).message}\n`);
    if (isUsage) process.stderr.write(`see: meltemi ${command.name} --help\n`);
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
