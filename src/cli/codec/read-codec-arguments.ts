/** readCodecArguments: options and the one codec, file or name that a subcommand is about. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { UsageError } from '../command.ts';

type Options = NonNullable<ParseArgsConfig['options']>;
type Values<O extends Options> = ReturnType<typeof parseArgs<{ options: O; allowPositionals: true }>>['values'];

/** Throws UsageError unless there is exactly one argument besides the options. */
export function readCodecArguments<const O extends Options>(
  argv: readonly string[],
  options: O,
  what = 'a codec: FILE, PACKAGE or NAME',
): { readonly codec: string; readonly values: Values<O> } {
  let parsed: { readonly values: unknown; readonly positionals: readonly string[] };
  try {
    parsed = parseArgs({ args: [...argv], options, strict: true, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const [codec, ...rest] = parsed.positionals;
  if (codec === undefined) throw new UsageError(`expected ${what}`);
  if (rest.length > 0) throw new UsageError(`${rest.join(' ')}: only one argument is expected`);
  return { codec, values: parsed.values as Values<O> };
}
