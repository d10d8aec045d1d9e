import { describe, expect, it } from 'vitest';
import { OrderMesh } from '../../../../test/harness/toy-mesh.ts';
import { LinePeer } from '../../../../test/harness/toy-peers.ts';
import { watchLeaks } from '../../../../test/harness/watch-leaks.ts';
import { ConfigError } from '../../config-error.ts';
import { faultFilter } from './fault-filter.ts';

const match = (key: string, value: string) => [
  { key, test: { kind: 'exact', value, ignoreCase: false }, invert: false, absentIsEmpty: false },
];
const meshOf = (faults: unknown, more: Partial<ConstructorParameters<typeof OrderMesh>[0]> = {}) =>
  watchLeaks(
    new OrderMesh({ builtIns: [{ factory: faultFilter, options: { faults } }], upstreamPeer: LinePeer.echo, ...more }),
  );

describe('fault filter', () => {
  it('answers the share of matching requests that is drawn, and counts it', () => {
    const mesh = meshOf([
      { match: match('command', 'GET'), percentage: 50, abort: { code: 7, message: 'for a test' } },
    ]);
    const caller = mesh.newCaller();
    mesh.random = 0.49;
    caller.sendLines('GET a', 'SET b');
    mesh.settle();
    mesh.random = 0.5;
    caller.sendLines('GET c');
    mesh.settle();
    expect(caller.takeLines()).toEqual(['-fault for a test', '+v-b', '+v-c']);
    expect([mesh.stat('fault_aborts_total'), mesh.stat('fault_delays_total')]).toEqual([1, 0]);
    expect(mesh.stat('downstream_requests_total', { result: 'fault' })).toBe(1);
  });

  it('delays without losing the order of a caller, others unaffected', () => {
    const mesh = meshOf([{ match: match('key', 'slow'), delayMs: 50 }]);
    const [caller, other] = [mesh.newCaller(), mesh.newCaller()];
    caller.sendLines('GET slow', 'GET a');
    other.sendLines('GET b');
    mesh.settle();
    expect([caller.takeLines(), other.takeLines()]).toEqual([[], ['+v-b']]);
    mesh.advance(40);
    expect(caller.takeLines()).toEqual([]);
    mesh.advance(20);
    expect(caller.takeLines()).toEqual(['+v-slow', '+v-a']);
    expect(mesh.stat('fault_delays_total')).toBe(1);
  });

  it('adds up delays, then aborts, and lets the caller go on', () => {
    const mesh = meshOf([
      { match: match('key', 'slow'), delayMs: 30 },
      { match: match('key', 'slow'), delayMs: 20, abort: {} },
    ]);
    const caller = mesh.newCaller();
    caller.sendLines('GET slow', 'GET a');
    mesh.advance(40);
    expect(caller.takeLines()).toEqual([]);
    mesh.advance(20);
    expect(caller.takeLines()).toEqual(['-fault injected fault', '+v-a']);
  });

  it("uses a route's faults instead of the chain's", () => {
    const mesh = meshOf([{ abort: { message: 'chain' } }], {
      routes: [
        { match: match('key', 'a') as never, filterOptions: { fault: { faults: [] } } },
        {
          match: match('key', 'b') as never,
          filterOptions: { fault: { faults: [{ abort: { message: 'route' } }] } },
        },
        {},
      ],
    });
    const caller = mesh.newCaller();
    caller.sendLines('GET a', 'GET b', 'GET c');
    mesh.settle();
    expect(caller.takeLines()).toEqual(['+v-a', '-fault route', '-fault chain']);
  });

  it('forgets a delayed request whose caller goes', () => {
    const mesh = meshOf([{ delayMs: 1_000 }]);
    const caller = mesh.newCaller();
    caller.sendLines('GET a');
    mesh.settle();
    caller.wire.break();
    mesh.settle();
    const timers = mesh.world.clock.pendingTimers;
    mesh.advance(2_000);
    expect(mesh.upstream().connections.length).toBe(0);
    expect(timers).toBeLessThanOrEqual(1);
  });

  it('names every bad option', () => {
    const issuesOf = (raw: unknown): string[] => {
      try {
        faultFilter.parseOptions(raw);
      } catch (error) {
        if (error instanceof ConfigError) return error.issues.map((issue) => `${issue.path}: ${issue.message}`);
        throw error;
      }
      return [];
    };
    expect(issuesOf({ faults: {} })).toEqual(['faults: is not a list']);
    expect(issuesOf({ faults: [{ percentage: 101, delayMs: -1, abort: { code: 'x', message: 1 } }] })).toEqual([
      'faults[0].percentage: 101 is not a number from 0 to 100',
      'faults[0].delayMs: -1 is not a number of milliseconds',
      'faults[0].abort.code: "x" is not the number of a code',
      'faults[0].abort.message: is not a text',
    ]);
    expect(issuesOf({ faults: [{}] })).toEqual(['faults[0].: {} is not a fault: it has neither delayMs nor abort']);
    expect(
      issuesOf({ faults: [{ delayMs: 1, match: [{ ...match('key', 'a')[0], test: { kind: 'regex', value: '(' } }] }] }),
    ).toEqual([expect.stringContaining('faults[0].match[0]: regex "(" is not RE2')]);
    expect(issuesOf(undefined)).toEqual([]);
  });
});
