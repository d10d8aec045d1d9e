import { describe, expect, it } from 'vitest';
import { MethodNames } from './method-names.ts';

function lookup(names: MethodNames, text: string): string {
  const bytes = Buffer.from(`..${text}..`);
  const { service, method } = names.lookup(bytes, 2, bytes.length - 2);
  return service === '' ? method : `${service}/${method}`;
}

describe('MethodNames', () => {
  it('tells names apart that share a slot, a length or a beginning', () => {
    const names = new MethodNames();
    for (let round = 0; round < 3; round++) {
      for (let length = 0; length < 200; length++) {
        expect(lookup(names, 'x'.repeat(length))).toBe('x'.repeat(length));
        expect(lookup(names, `method${length}`)).toBe(`method${length}`);
      }
    }
  });

  it('makes no new name for one called again', () => {
    const names = new MethodNames();
    const bytes = Buffer.from('Wind:gust');
    expect(names.lookup(bytes, 0, 9)).toEqual({ service: 'Wind', method: 'gust' });
    expect(names.lookup(bytes, 0, 9)).toBe(names.lookup(Buffer.from(bytes), 0, 9));
  });

  it('splits at the first colon', () => {
    const names = new MethodNames();
    expect(lookup(names, 'a:b:c')).toBe('a/b:c');
    expect(lookup(names, ':b')).toBe('b');
    expect(lookup(names, `${'s'.repeat(150)}:é`)).toBe(`${'s'.repeat(150)}/é`);
  });
});
