/** Options that several commands share, and the reading of their values. */
import { existsSync } from 'node:fs';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import type { Address } from '../metaprotocol/filter.ts';
import { LOG_LEVELS, type LogLevel } from '../proxy/process-log.ts';
import { nearMiss } from '../schema/near-miss.ts';
import { UsageError } from './command.ts';
import { configFileArguments } from './config-file.ts';

type Options = NonNullable<ParseArgsConfig['options']>;
export type Values<O extends Options> = ReturnType<typeof parseArgs<{ options: O }>>['values'];

/** Throws UsageError for what nobody knows. An option `config` names a file with more of them; the command line's own go before. */
export function readOptions<const O extends Options>(argv: readonly string[], options: O): Values<O> {
  const { values, positionals, names } = readArguments(argv, options);
  if (positionals.length > 0)
    throw new UsageError(`${positionals.join(' ')}: expected options only, such as -f ${positionals[0]}`);
  const { config } = values as { readonly config?: unknown };
  if (!Object.hasOwn(options, 'config') || typeof config !== 'string') return values;
  const others = configFileArguments(config, options).filter(({ name }) => !names.has(name));
  return readArguments([...others.map(({ argument }) => argument), ...argv], options).values;
}

/** Options, what stands besides, and the names of the options that were given. Throws UsageError for options that nobody knows. */
export function readArguments<const O extends Options>(
  argv: readonly string[],
  options: O,
): { readonly values: Values<O>; readonly positionals: readonly string[]; readonly names: ReadonlySet<string> } {
  try {
    const parsed = parseArgs({ args: [...argv], options, strict: true, allowPositionals: true, tokens: true });
    const names = new Set(parsed.tokens.flatMap((token) => (token.kind === 'option' ? [token.name] : [])));
    return { values: parsed.values as Values<O>, positionals: parsed.positionals, names };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const unknown = /^Unknown option '(-[^']*)'/.exec(message)?.[1];
    if (code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION' || unknown === undefined) throw new UsageError(message);
    const meant = meantOption(unknown, Object.keys(options));
    throw new UsageError(`${unknown}: an unknown option${meant === null ? '' : ` (did you mean --${meant}?)`}`);
  }
}

/** Also one that was cut short. */
function meantOption(unknown: string, known: readonly string[]): string | null {
  const name = unknown.replace(/^-+/, '');
  const longer = known.filter((each) => name.length > 1 && each.startsWith(name));
  return longer.length === 1 ? longer[0]! : nearMiss(name, known);
}

/** `HOST:PORT` or `[V6]:PORT`; a port alone means 127.0.0.1. */
export function readAddress(text: string, option: string): Address {
  const match = /^(?:(?:\[(?<v6>[0-9a-fA-F:.]+)\]|(?<host>[^:[\]]+)):)?(?<port>\d{1,5})$/.exec(text);
  const port = Number(match?.groups?.port);
  if (match === null || port > 65_535)
    throw new UsageError(`${option} ${text}: expected HOST:PORT, such as 127.0.0.1:15010`);
  return { host: match.groups?.v6 ?? match.groups?.host ?? '127.0.0.1', port };
}

export function readInteger(text: string, option: string, minimum: number, maximum: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < minimum || value > maximum) {
    throw new UsageError(`${option} ${text}: expected a whole number from ${minimum} to ${maximum}`);
  }
  return value;
}

const SIZE_UNITS: Readonly<Record<string, number>> = { '': 1, KiB: 1 << 10, MiB: 1 << 20, GiB: 1 << 30 };

/** Bytes: `64MiB`; a number alone is bytes. */
export function readSize(text: string, option: string, minimum: number, maximum: number): number {
  const match = /^(\d+)([KMG]iB)?$/.exec(text);
  const bytes = match === null ? Number.NaN : Number(match[1]) * SIZE_UNITS[match[2] ?? '']!;
  if (!(bytes >= minimum && bytes <= maximum)) {
    throw new UsageError(`${option} ${text}: expected a size such as 64MiB, from ${minimum} to ${maximum} bytes`);
  }
  return bytes;
}

export function readChoice<const T extends string>(text: string, option: string, choices: readonly T[]): T {
  const choice = choices.find((candidate) => candidate === text);
  if (choice === undefined) throw new UsageError(`${option} ${text}: expected ${choices.join(' or ')}`);
  return choice;
}

export function readLogLevel(text: string): LogLevel {
  return readChoice(text, '--log-level', LOG_LEVELS);
}

/** Folders of YAML; at least one. */
export function readDirectories(directories: readonly string[] | undefined): readonly string[] {
  if (directories === undefined || directories.length === 0) {
    throw new UsageError('-f DIR is missing: the folder (or file) with the configuration');
  }
  for (const directory of directories) {
    if (!existsSync(directory)) throw new Error(`-f ${directory}: there is no such folder or file`);
  }
  return directories;
}
