import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readManifests } from './read-manifests.ts';

const ECHO_RPC = fileURLToPath(new URL('../../../plugins/echo-rpc/codec.ts', import.meta.url));

/** A folder far from the product, as an operator has one. */
let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'meltemi-plugins-'));
  await cp(ECHO_RPC, join(directory, 'codec.ts'));
  const installed = join(directory, 'node_modules', 'some-codec');
  await mkdir(installed, { recursive: true });
  await cp(ECHO_RPC, join(installed, 'index.ts'));
  await writeFile(
    join(installed, 'package.json'),
    '{ "name": "some-codec", "type": "module", "exports": "./index.ts" }',
  );
  await writeFile(join(directory, 'two-files.ts'), "export { default } from './codec.ts';\n");
  await writeFile(
    join(directory, 'plain.js'),
    "import { defineCodec } from 'meltemi/codec';\nexport default { defineCodec };\n",
  );
  await writeFile(join(directory, 'ends.ts'), 'process.exit(3);\n');
});
afterAll(() => rm(directory, { recursive: true }));

const namesOf = async (reference: string) => (await readManifests([{ reference, directory }])).map(({ name }) => name);

describe('an outside plugin', () => {
  it.each(['codec.ts', './codec.ts', 'two-files.ts', 'some-codec'])(
    'is loaded as %s, without a build',
    async (reference) => {
      expect(await namesOf(reference)).toEqual(['echo-rpc']);
    },
  );

  it('is loaded by its whole path', async () => {
    expect(await namesOf(join(directory, 'codec.ts'))).toEqual(['echo-rpc']);
  });

  it.each([
    ['./absent.ts', /plugin \.\/absent\.ts: there is no file .*absent\.ts/],
    ['absent-package', /plugin absent-package: Cannot find package 'absent-package'/],
    ['plain.js', /plugin plain\.js: its name is undefined, not a text; its default export is what defineCodec gives/],
    ['ends.ts', /worker ended with code 3/],
  ])('is refused with its reason: %s', async (reference, reason) => {
    await expect(namesOf(reference)).rejects.toThrow(reason);
  });
});
