/** The HTTP example, run as its page says, through a whole mesh. */
import { expect, it } from 'vitest';
import { run } from '../../examples/http/main.ts';

it('does with every request what its page says', async () => {
  expect(await run({ check: true })).toBe(true);
});
