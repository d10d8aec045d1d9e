import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      'src/**/*.test.ts',
      'test/**/*.test.ts',
      'plugins/**/*.test.ts',
      'examples/**/*.test.ts',
      'bench/**/*.test.ts',
    ],
    // Two shared cores: more processes than cores only makes socket tests slower, never faster.
    maxWorkers: 2,
    testTimeout: 30_000,
  },
});
