import { expect, it } from 'vitest';
import { neededNode } from './product-version.ts';

it('says which Node is needed where this one is older', () => {
  expect(neededNode('23.11.1')).toBe('>=24');
  expect(neededNode('24.0.0')).toBe(null);
  expect(neededNode('100.1.0')).toBe(null);
});
