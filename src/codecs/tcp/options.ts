/** What configuration may set on the TCP codec, checked and defaulted. */
import { ConfigError, type ConfigIssue } from '../../metaprotocol/config-error.ts';
import type { OptionSchema } from '../../metaprotocol/manifest.ts';

export interface TcpOptions {
  readonly windowBytes: number;
}

const LEAST = 1_024;
const MOST = 0x3fff_ffff;
const WINDOW_BYTES = 65_536;

export const TCP_OPTIONS: readonly OptionSchema[] = [
  {
    key: 'windowBytes',
    type: 'integer',
    minimum: LEAST,
    maximum: MOST,
    default: WINDOW_BYTES,
    description: 'Bytes that the other side has not taken yet, above which a connection is not read.',
  },
];

/** `raw` is JSON from config or undefined. Throws ConfigError with every bad field. */
export function parseTcpOptions(raw: unknown): TcpOptions {
  if (raw === undefined || raw === null) return { windowBytes: WINDOW_BYTES };
  if (typeof raw !== 'object' || Array.isArray(raw)) {
    throw new ConfigError([{ path: '', message: `${JSON.stringify(raw)} is not an object of codec options` }]);
  }
  const issues: ConfigIssue[] = [];
  let windowBytes = WINDOW_BYTES;
  for (const [key, value] of Object.entries(raw)) {
    if (key !== 'windowBytes') issues.push({ path: key, message: 'is not an option of tcp; there is windowBytes' });
    else if (Number.isInteger(value) && value >= LEAST && value <= MOST) windowBytes = value;
    else issues.push({ path: key, message: `${JSON.stringify(value)} is not an integer from ${LEAST} to ${MOST}` });
  }
  if (issues.length > 0) throw new ConfigError(issues);
  return { windowBytes };
}
