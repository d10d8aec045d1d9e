/** The figures as a text table. */
import type { Row, Workload } from './rounds.ts';

const columns: readonly { title: string; width: number; cell: (row: Row) => string }[] = [
  { title: 'calls/s', width: 9, cell: (row) => row.callsPerSecond.toFixed(0) },
  { title: 'p50 ms', width: 9, cell: (row) => (row.p50Us / 1000).toFixed(2) },
  { title: 'p99 ms', width: 9, cell: (row) => (row.p99Us / 1000).toFixed(2) },
  { title: 'CPU µs/call', width: 12, cell: (row) => row.cpuUsPerCall?.toFixed(1) ?? '-' },
  { title: 'RSS MiB', width: 9, cell: (row) => row.residentMiB?.toFixed(0) ?? '-' },
  { title: 'failed', width: 8, cell: (row) => String(row.failures) },
];

const sizeText = (bytes: number) => (bytes < 1000 ? `${bytes} B` : `${bytes / 1000} KB`);
const titleOf = ({ callers, inFlight, payloadBytes }: Workload) =>
  `${callers} caller${callers === 1 ? '' : 's'} × ${inFlight} in flight, ${sizeText(payloadBytes)}`;

export function tableOf(rows: readonly Row[]): string {
  const nameWidth = Math.max(...rows.map((row) => row.subject.length)) + 2;
  return [...Map.groupBy(rows, titleOf)]
    .map(([title, group]) => {
      const head = ''.padEnd(nameWidth) + columns.map((column) => column.title.padStart(column.width)).join('');
      const lines = group.map(
        (row) =>
          `  ${row.subject}`.padEnd(nameWidth) +
          columns.map((column) => column.cell(row).padStart(column.width)).join(''),
      );
      return [title, head, ...lines].join('\n');
    })
    .join('\n\n');
}
