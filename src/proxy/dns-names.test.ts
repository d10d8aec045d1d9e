import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/harness/fake-clock.ts';
import { DnsNames } from './dns-names.ts';
import { recordingLog } from './testing/recording-log.ts';

class FakeDns {
  readonly clock = new FakeClock();
  readonly log = recordingLog();
  readonly answers = new Map<string, string[]>();
  asked = 0;
  changes = 0;
  readonly names = new DnsNames({
    clock: this.clock,
    log: this.log,
    onChange: () => this.changes++,
    resolve: async (name) => {
      this.asked++;
      const answer = this.answers.get(name);
      if (answer === undefined) throw new Error('not found');
      return answer;
    },
  });

  async advance(ms: number): Promise<void> {
    this.clock.advance(ms);
    await new Promise(setImmediate);
  }
}

describe('DnsNames', () => {
  it('waits for the first answer and tells later changes', async () => {
    const dns = new FakeDns();
    dns.answers.set('db', ['10.0.0.2', '10.0.0.1', '10.0.0.2']);
    await dns.names.watch(new Map([['db', 1_000]]));
    expect(dns.names.addressesOf('db')).toEqual(['10.0.0.1', '10.0.0.2']);
    expect(dns.names.addressesOf('10.9.9.9')).toEqual(['10.9.9.9']);
    await dns.advance(1_000);
    expect(dns.changes).toBe(0);
    dns.answers.set('db', ['10.0.0.3']);
    await dns.advance(1_000);
    expect(dns.changes).toBe(1);
    expect(dns.names.addressesOf('db')).toEqual(['10.0.0.3']);
  });

  it('keeps the last addresses while the name is not found, and says so once', async () => {
    const dns = new FakeDns();
    dns.answers.set('db', ['10.0.0.1']);
    await dns.names.watch(new Map([['db', 1_000]]));
    dns.answers.clear();
    await dns.advance(1_000);
    await dns.advance(1_000);
    expect(dns.names.addressesOf('db')).toEqual(['10.0.0.1']);
    expect(dns.log.entries).toHaveLength(1);
    expect(dns.names.faultOf('db')).toBe('not found');
    dns.answers.set('db', ['10.0.0.1']);
    await dns.advance(1_000);
    expect(dns.names.faultOf('db')).toBeNull();
  });

  it('waits 2 s at most, and a late first answer is a change', async () => {
    const clock = new FakeClock();
    const late = Promise.withResolvers<string[]>();
    let changes = 0;
    const names = new DnsNames({ clock, log: recordingLog(), onChange: () => changes++, resolve: () => late.promise });
    const watched = names.watch(new Map([['db', 1_000]]));
    clock.advance(2_000);
    await watched;
    expect(names.addressesOf('db')).toEqual([]);
    late.resolve(['10.0.0.1']);
    await new Promise(setImmediate);
    expect(changes).toBe(1);
  });

  it('stops to look up what nobody needs', async () => {
    const dns = new FakeDns();
    dns.answers.set('db', ['10.0.0.1']);
    await dns.names.watch(new Map([['db', 1_000]]));
    await dns.names.watch(new Map());
    const { asked } = dns;
    await dns.advance(5_000);
    expect(dns.asked).toBe(asked);
    expect(dns.clock.pendingTimers).toBe(0);
  });
});
