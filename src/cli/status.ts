/** `meltemi status`: what became of each resource, and where to connect. */
import type { StatusReport } from '../control/status/status-report.ts';
import { renderStatus } from '../control/status/status-text.ts';
import { type Command, ExitCode } from './command.ts';
import { readAddress, readOptions, writeAddress } from './options.ts';

export const statusCommand: Command = {
  name: 'status',
  summary: 'say for each resource whether it runs, where and why not, and where to connect',
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
    const report = await fetchStatus(`http://${writeAddress(readAddress(values.admin, '--admin'))}/status`);
    process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : renderStatus(report));
    return ExitCode.Ok;
  },
};

async function fetchStatus(url: string): Promise<StatusReport> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch (error) {
    const { cause } = error as { cause?: Error };
    throw new Error(`no control plane answers at ${url}: ${cause?.message ?? (error as Error).message}`);
  }
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as StatusReport;
}
