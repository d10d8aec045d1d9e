/** readCodecArguments: options and the one codec, file or name that a subcommand is about. */
import type { ParseArgsConfig } from 'node:util';
import { UsageError } from '../command.ts';
import { readArguments, type Values } from '../options.ts';

/** Throws UsageError unless there is exactly one argument besides the options. */
export function readCodecArguments<const O extends NonNullable<ParseArgsConfig['options']>>(
  argv: readonly string[],
  options: O,
  what = 'a codec: FILE, PACKAGE or NAME',
): { readonly codec: string; readonly values: Values<O> } {
  const { values, positionals } = readArguments(argv, options);
  const [codec, ...rest] = positionals;
  if (codec === undefined) throw new UsageError(`expected ${what}`);
  if (rest.length > 0) throw new UsageError(`${rest.join(' ')}: only one argument is expected`);
  return { codec, values };
}
