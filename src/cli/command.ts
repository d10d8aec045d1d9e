/** What every command of the CLI is, and how it says that it was called wrongly. */

/** Documented in `meltemi --help`. */
export const ExitCode = { Ok: 0, Failure: 1, Usage: 2 } as const;

export interface Command {
  /** Whole help text: usage, options, examples. */
  readonly help: string;
  /** Commands that end in order ask for `stopSignal` as soon as they have something to end. Gives the exit code. */
  run(argv: readonly string[], stopSignal: () => AbortSignal): Promise<number>;
}

/** Its text is shown with the command's usage; exit code 2. */
export class UsageError extends Error {}

/** Resolves when `signal` aborts. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
