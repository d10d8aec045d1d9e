import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  // Plugins import the package by its name; in a checkout that is the source, not dist.
  resolve: {
    alias: {
      'meltemi/codec': source('src/sdk/codec.ts'),
      'meltemi/conformance': source('src/conformance/conformance.ts'),
    },
  },
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
    testTimeout: 60_000,
  },
});
