import { describe, expect, test } from 'vitest';
import { toyId } from '../../test/harness/toys/toy-id.ts';
import { Registry } from './registry.ts';

describe('Registry', () => {
  const plugin = { name: 'toys', version: '1.0.0', codecApi: '^1.0.0', codecs: [toyId] };

  test('finds a codec by name and tells what it has', () => {
    const registry = new Registry([plugin]);
    expect(registry.codec(toyId.manifest.name)).toBe(toyId);
    expect(registry.codec('other')).toBeUndefined();
    expect(registry.manifests()).toEqual([toyId.manifest]);
  });

  test('refuses a protocol that two plugins claim, by the name of both', () => {
    expect(() => new Registry([plugin, { ...plugin, name: 'more-toys' }])).toThrow(
      `more-toys: protocol ${toyId.manifest.name} is already provided by plugin toys`,
    );
  });

  test.each(['^2.0.0', '^1.2.0', '1.0.1', 'latest', '^0.9.0'])('refuses the codec API %s', (codecApi) => {
    expect(() => new Registry([{ ...plugin, codecApi }])).toThrow(`codec API ${codecApi}, this is 1.1.0`);
  });
});
