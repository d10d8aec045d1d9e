import { describe, expect, it } from 'vitest';
import { BindAllocator } from './bind-allocator.ts';

const NAMES = Array.from({ length: 3_000 }, (_, index) => `shop/service-${index}/`);

function assigned(names: readonly string[]): BindAllocator {
  const binds = new BindAllocator();
  binds.assign({ addresses: names, ports: names });
  return binds;
}

describe('BindAllocator', () => {
  it('gives each name an address of 127.64.0.0/10 of its own, and a port of its own', () => {
    const binds = assigned(NAMES);
    const addresses = NAMES.map((name) => binds.addressOf(name));
    expect(new Set(addresses).size).toBe(NAMES.length);
    for (const address of addresses)
      expect(address).toMatch(/^127\.(6[4-9]|[789]\d|1[01]\d|12[0-7])\.\d+\.([1-9]|[1-9]\d|1\d\d|2[0-4]\d|25[0-4])$/);
    const ports = NAMES.map((name) => binds.portOf(name));
    expect([
      new Set(ports).size,
      Math.min(...ports.map(Number)) >= 20_000,
      Math.max(...ports.map(Number)) < 32_000,
    ]).toEqual([NAMES.length, true, true]);
  });

  it('gives the same after a restart, whatever the order of names', () => {
    const [first, second] = [assigned(NAMES), assigned([...NAMES].reverse())];
    for (const name of NAMES)
      expect([second.addressOf(name), second.portOf(name)]).toEqual([first.addressOf(name), first.portOf(name)]);
  });

  it('keeps what it gave when names come and go, though they collide', () => {
    // With 3,000 names on 12,000 ports some collide.
    const late = NAMES.slice(1_500);
    const binds = assigned(late);
    const before = late.map((name) => binds.portOf(name));
    binds.assign({ addresses: NAMES, ports: NAMES });
    expect(late.map((name) => binds.portOf(name))).toEqual(before);
    binds.assign({ addresses: late, ports: late });
    expect(late.map((name) => binds.portOf(name))).toEqual(before);
    expect(binds.portOf(NAMES[0]!)).toBeNull();
  });

  it('gives nothing to names beyond what it can tell apart', () => {
    const names = Array.from({ length: 9_100 }, (_, index) => `n${String(index).padStart(5, '0')}`);
    const binds = assigned(names);
    expect(names.filter((name) => binds.portOf(name) === null)).toEqual(names.slice(9_000));
    expect(names.every((name) => binds.addressOf(name) !== null)).toBe(true);
  });
});
