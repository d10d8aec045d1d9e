/** The process's own log: JSON lines on standard error, so that standard output stays for people and access logs. */
import { destination, pino, stdSerializers } from 'pino';
import type { Log } from '../metaprotocol/core.ts';
import { readChoice } from './options.ts';

export const LOG_LEVELS = ['info', 'warn', 'error', 'silent'] as const;

export function createProcessLog(level: string): Log {
  const chosen = readChoice(level, '--log-level', LOG_LEVELS);
  const options = {
    level: chosen,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    // Else an Error is {}.
    serializers: { error: stdSerializers.err },
  };
  return pino(options, destination(2));
}
