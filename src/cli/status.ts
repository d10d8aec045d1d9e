/** `meltemi status`: what became of each resource, and where to connect. */

import type { StatusReport } from '../control/status/status-report.ts';
import { renderStatus } from '../control/status/status-text.ts';
import { addressOf } from '../metaprotocol/address.ts';
import { type Command, ExitCode } from './command.ts';
import { readAddress, readOptions } from './options.ts';

/** What listens there may be no control plane. */
const ANSWER_TIMEOUT_MS = 10_000;

export const statusCommand: Command = {
  help: `Usage: meltemi status [options]

Asks a running control plane. Exits with 1 when it cannot be reached.

  --admin HOST:PORT       admin API of the control plane (127.0.0.1:15014)
  --json                  the same for programs

Examples:
  meltemi status
  meltemi status --admin 10.0.0.1:15014 --json
`,
  async run(argv) {
    const values = readOptions(argv, {
      admin: { type: 'string', default: '127.0.0.1:15014' },
      json: { type: 'boolean', default: false },
    });
    const report = await fetchStatus(`http://${addressOf(readAddress(values.admin, '--admin'))}/status`);
    process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : renderStatus(report));
    return ExitCode.Ok;
  },
};

async function fetchStatus(url: string): Promise<StatusReport> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    if (response.ok) return (await response.json()) as StatusReport;
    throw new Error(`actual status ${response.status}, expected 200`);
  } catch (error) {
    const { cause, name, message } = error as Error & { cause?: Error };
    const reason =
      name === 'TimeoutError' ? `nothing came within ${ANSWER_TIMEOUT_MS} ms` : (cause?.message ?? message);
    throw new Error(`no control plane answers at ${url}: ${reason}`, { cause: error });
  }
}
