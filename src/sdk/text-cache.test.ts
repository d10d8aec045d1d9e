import { describe, expect, it } from 'vitest';
import { TextCache } from './text-cache.ts';

describe('TextCache', () => {
  it('reads what is there, known or not, long or short', () => {
    const cache = new TextCache();
    const texts = [
      '',
      'say',
      'say!',
      'γειά',
      'x'.repeat(64),
      'x'.repeat(65),
      ...Array.from({ length: 500 }, (_, n) => `m${n}`),
    ];
    for (const text of [...texts, ...texts]) {
      const bytes = Buffer.from(`--${text}--`);
      expect(cache.read(bytes, 2, bytes.length - 2)).toBe(text);
    }
  });

  it('keeps no hold on the bytes that it read', () => {
    const cache = new TextCache();
    const bytes = Buffer.from('say');
    cache.read(bytes, 0, 3);
    bytes.write('bye');
    expect(cache.read(bytes, 0, 3)).toBe('bye');
    expect(cache.read(Buffer.from('say'), 0, 3)).toBe('say');
  });
});
