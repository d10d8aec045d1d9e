/** Options that several commands share, and the reading of their values. */
import { existsSync } from 'node:fs';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import type { Address } from '../metaprotocol/filter.ts';
import { LOG_LEVELS, type LogLevel } from '../proxy/process-log.ts';
import { UsageError } from './command.ts';

type Options = NonNullable<ParseArgsConfig['options']>;
type Values<O extends Options> = ReturnType<typeof parseArgs<{ options: O }>>['values'];

/** Throws UsageError for what nobody knows. */
export function readOptions<const O extends Options>(argv: readonly string[], options: O): Values<O> {
  try {
    return parseArgs({ args: [...argv], options, strict: true, allowPositionals: false }).values as Values<O>;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** `HOST:PORT` or `[V6]:PORT`; a port alone means 127.0.0.1. */
export function readAddress(text: string, option: string): Address {
  const match = /^(?:(?:\[(?<v6>[0-9a-fA-F:.]+)\]|(?<host>[^:[\]]+)):)?(?<port>\d{1,5})$/.exec(text);
  const port = Number(match?.groups?.port);
  if (match === null || port > 65_535)
    throw new UsageError(`${option} ${text}: expected HOST:PORT, such as 127.0.0.1:15010`);
  return { host: match.groups?.v6 ?? match.groups?.host ?? '127.0.0.1', port };
}

export function writeAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

export function readInteger(text: string, option: string, minimum: number, maximum: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < minimum || value > maximum) {
    throw new UsageError(`${option} ${text}: expected a whole number from ${minimum} to ${maximum}`);
  }
  return value;
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
