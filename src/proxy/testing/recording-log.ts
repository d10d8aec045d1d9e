/** A log that tests can read. */
import type { Log } from '../../metaprotocol/core.ts';

export type LogEntry = [level: 'info' | 'warn' | 'error', fields: object, text: string];

export function recordingLog(): Log & { readonly entries: LogEntry[] } {
  const entries: LogEntry[] = [];
  return {
    entries,
    info: (fields, text) => entries.push(['info', fields, text]),
    warn: (fields, text) => entries.push(['warn', fields, text]),
    error: (fields, text) => entries.push(['error', fields, text]),
  };
}
