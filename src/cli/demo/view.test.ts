import { describe, expect, it } from 'vitest';
import type { TallyView } from './tally.ts';
import { lineOf, tableOf } from './view.ts';

const view: TallyView = {
  recent: [
    {
      group: 'framed',
      answers: new Map([
        ['v2', 60],
        ['v1', 20],
      ]),
      failed: 0,
    },
    { group: 'theader', answers: new Map(), failed: 2 },
  ],
  answered: 80,
  failed: 2,
  closed: 0,
  lastFailure: 'no route',
};

describe('the demo view', () => {
  it('draws shares as bars and says which file to edit', () => {
    const notes = { routeFile: 'route.yaml', example: 'cp a b', lastChange: null, findings: [] };
    const table = tableOf(view, ['v1', 'v2'], notes);
    const row = table.split('\n').find((line) => line.startsWith('framed'));
    expect(row).toContain('  20 ██████ ');
    expect(row).toContain(`  60 ${'█'.repeat(18)} `);
    expect(table).toContain('Edit route.yaml and save it, for instance:\n  cp a b\nNo change yet.');
  });

  it('says what is wrong with the file, below the change', () => {
    const notes = { routeFile: 'r.yaml', example: 'cp a b', lastChange: 'Saved.', findings: ['r.yaml:9: error: no'] };
    expect(tableOf(view, ['v1', 'v2'], notes)).toContain('\nSaved.\nr.yaml:9: error: no\n');
  });

  it('fits into one line without a terminal', () => {
    expect(lineOf(view)).toBe(
      'framed: v1 20 v2 60 | theader: failed 2 | answered 80, failed 2 (last: no route), connections closed 0',
    );
  });
});
