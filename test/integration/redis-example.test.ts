/** The Redis example, run as its page says, through a whole mesh. */
import { expect, it } from 'vitest';
import { EXPECTED, runExample } from '../../examples/redis/main.ts';
import { hasRedisServer } from '../../examples/redis/redis-server.ts';

it.skipIf(!hasRedisServer())('puts every key where its page says', async () => {
  expect(await runExample(() => {})).toEqual(EXPECTED);
});
