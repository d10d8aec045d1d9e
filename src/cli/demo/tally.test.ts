import { describe, expect, it } from 'vitest';
import { shareOf, Tally } from './tally.ts';

describe('Tally', () => {
  it('counts answers by group since the last look, and everything since the start', () => {
    const tally = new Tally();
    tally.add({ group: 'framed', servedBy: 'v1' });
    tally.add({ group: 'framed', servedBy: 'v1' });
    tally.add({ group: 'theader', failure: 'no route' });
    tally.look();
    tally.add({ group: 'framed', servedBy: 'v2' });
    tally.add({ group: 'theader', closed: true });
    expect(tally.look()).toEqual({
      recent: [
        { group: 'framed', answers: new Map([['v2', 1]]), failed: 0 },
        { group: 'theader', answers: new Map(), failed: 0 },
      ],
      answered: 3,
      failed: 1,
      closed: 1,
      lastFailure: 'no route',
    });
  });

  it('gives the share of one server over all groups', () => {
    const tally = new Tally();
    for (const servedBy of ['v1', 'v2', 'v2', 'v2']) tally.add({ group: servedBy, servedBy });
    expect(shareOf('v2', tally.look().recent)).toBe(0.75);
    expect(shareOf('v2', [])).toBeNaN();
  });
});
