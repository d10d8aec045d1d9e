/** `meltemi codec test` as a process, on every built-in codec and every plugin, with their samples and nothing else. */
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { builtInPlugins } from '../../src/proxy/plugins.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const builtIn = builtInPlugins()
  .flatMap(({ codecs = [] }) => codecs)
  .map(({ manifest: { name } }) => [name, name, `test/conformance/samples/${name}`] as const);
const outside = readdirSync(`${ROOT}plugins`).map(
  (name) => [name, `plugins/${name}/codec.ts`, `plugins/${name}/samples`] as const,
);

describe('the conformance kit from the command line', () => {
  it.each([...builtIn, ...outside])(
    'passes for %s',
    async (name, codec, samples) => {
      const argv = ['src/cli/main.ts', 'codec', 'test', codec, '--samples', samples, '--fuzz', '400'];
      const { stdout } = await promisify(execFile)(process.execPath, argv, { cwd: ROOT }).catch((failed) => failed);
      expect(stdout).toMatch(new RegExp(`^${name} \\S+ conforms `, 'm'));
    },
    120_000,
  );
});
