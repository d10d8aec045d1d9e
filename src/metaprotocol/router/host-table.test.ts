import { describe, expect, test } from 'vitest';
import { HostTable } from './host-table.ts';

describe('HostTable', () => {
  test('prefers exact, then the longest suffix, then the longest prefix, then any', () => {
    const table = new HostTable<string>();
    for (const domain of ['*', 'a.example', '*.example', '*.b.example', 'a.*', 'a.b*']) {
      expect(table.add(domain, domain)).toBeNull();
    }
    expect(table.find('A.Example')).toBe('a.example');
    expect(table.find('x.example')).toBe('*.example');
    expect(table.find('x.b.example')).toBe('*.b.example');
    expect(table.find('a.bc')).toBe('a.b*');
    expect(table.find('a.net')).toBe('a.*');
    expect(table.find('other')).toBe('*');
    expect(table.find('.example')).toBe('*');
    expect(table.find(undefined)).toBe('*');
  });

  test('asks for no host where any is all there is', () => {
    const table = new HostTable<string>();
    table.add('*', 'all');
    expect(table.needsHost).toBe(false);
    table.add('a', 'a');
    expect(table.needsHost).toBe(true);
  });

  test('tells a domain that appears twice', () => {
    const table = new HostTable<string>();
    for (const domain of ['*', 'a.example', '*.example', 'a.*']) {
      table.add(domain, domain);
      expect(table.add(domain.toUpperCase(), 'again')?.message).toContain('appears twice');
    }
  });
});
