/** What the demo shows: a table redrawn in place on a terminal, a line per second elsewhere. */
import type { GroupCounts, TallyView } from './tally.ts';

const barWidth = 24;

export interface DemoNotes {
  /** The file to edit, as the reader would type it. */
  readonly routeFile: string;
  /** A command that puts another route there. */
  readonly example: string;
  /** What the last save did, if there was one. */
  readonly lastChange: string | null;
  /** What is wrong with the files, as `validate` says it. */
  readonly findings: readonly string[];
}

export function tableOf(view: TallyView, servers: readonly string[], notes: DemoNotes): string {
  const nameWidth = Math.max(...view.recent.map(({ group }) => group.length), 8) + 2;
  const columnWidth = barWidth + 6;
  const head = ''.padEnd(nameWidth) + servers.map((server) => server.padEnd(columnWidth)).join('');
  const rows = view.recent.map((counts) => {
    const total = servers.reduce((sum, server) => sum + (counts.answers.get(server) ?? 0), 0);
    const cells = servers.map((server) => {
      const count = counts.answers.get(server) ?? 0;
      const bar = total === 0 ? '' : '█'.repeat(Math.round((count / total) * barWidth));
      return `${String(count).padStart(4)} ${bar}`.padEnd(columnWidth);
    });
    return counts.group.padEnd(nameWidth) + cells.join('');
  });
  return [
    'Who answered in the last second',
    '',
    head,
    ...rows,
    '',
    totalsOf(view),
    '',
    `Edit ${notes.routeFile} and save it, for instance:`,
    `  ${notes.example}`,
    notes.lastChange ?? 'No change yet.',
    ...notes.findings,
    'Ctrl-C ends the demo.',
  ].join('\n');
}

export function lineOf(view: TallyView): string {
  return `${view.recent.map(groupText).join(' | ')} | ${totalsOf(view)}`;
}

function groupText({ group, answers, failed }: GroupCounts): string {
  const parts = [...answers].toSorted().map(([server, count]) => `${server} ${count}`);
  if (failed > 0) parts.push(`failed ${failed}`);
  return `${group}: ${parts.join(' ') || 'none'}`;
}

function totalsOf({ answered, failed, closed, lastFailure }: TallyView): string {
  const why = lastFailure === null ? '' : ` (last: ${lastFailure})`;
  return `answered ${answered}, failed ${failed}${why}, connections closed ${closed}`;
}
