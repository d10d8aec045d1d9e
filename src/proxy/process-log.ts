/** processLog: the log of a process as JSON lines on standard error, so that standard output stays for people and access logs. */
import { destination, pino, stdSerializers } from 'pino';
import type { Log } from '../metaprotocol/core.ts';

export const LOG_LEVELS = ['info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export function processLog(level: LogLevel): Log {
  const options = {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    // Else an Error is {}.
    serializers: { error: stdSerializers.err },
  };
  return pino(options, destination(2));
}
