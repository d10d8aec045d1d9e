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
  // As `npm init` makes it.
  await mkdir(join(directory, 'by-npm'));
  await cp(ECHO_RPC, join(directory, 'by-npm', 'codec.ts'));
  await writeFile(join(directory, 'by-npm', 'two-files.js'), "export { default } from './codec.ts';\n");
  await writeFile(join(directory, 'by-npm', 'package.json'), '{ "name": "by-npm", "type": "commonjs" }');
  await writeFile(join(directory, 'two-files.ts'), "export { default } from './codec.ts';\n");
  await writeFile(
    join(directory, 'plain.js'),
    "import { defineCodec } from 'meltemi/codec';\nexport default { defineCodec };\n",
  );
  await writeFile(join(directory, 'function.ts'), 'export default () => 2;\n');
  await writeFile(join(directory, 'ends.ts'), 'process.exit(3);\n');
  await writeFile(join(directory, 'never.ts'), 'await new Promise(() => {});\n');
  await writeFile(join(directory, 'null.js'), 'throw null;\n');
  await writeFile(join(directory, 'typo.js'), '// one line\nconst a = ;\nexport default a;\n');
  await writeFile(join(directory, 'imports-typo.js'), "export { default } from './typo.js';\n");
  const changed = (change: string) => `import good from './codec.ts';\nexport default { ...good, ${change} };\n`;
  await writeFile(join(directory, 'later-api.js'), changed("codecApi: '^9.0.0'"));
  const thrift = "{ ...good.codecs[0], manifest: { ...good.codecs[0].manifest, name: 'thrift' } }";
  await writeFile(join(directory, 'built-in.js'), changed(`codecs: [${thrift}]`));
  await writeFile(join(directory, 'throws.ts'), "// one line\nthrow new Error('no such luck');\n");
  await mkdir(join(directory, 'rooms with ü'));
  await writeFile(join(directory, 'rooms with ü', 'throws.cjs'), "throw new Error('no such luck');\n");
  await writeFile(join(directory, 'enum.ts'), 'enum Kind { Request }\nexport default Kind;\n');
  await writeFile(
    join(directory, 'by-hand.ts'),
    `import good from './codec.ts';
const [codec] = good.codecs;
const manifest = { ...codec.manifest, name: 'Echo', aliases: undefined, extra: () => 1 };
const codecs = [{ ...codec, manifest, concurrency: undefined, createClientCodec: undefined }];
export default { ...good, codecApi: '~1.0.0', codecs };
`,
  );
  await writeFile(join(directory, 'empty.ts'), "export default { name: 'x', version: '1', codecApi: '1.0.0' };\n");
});
afterAll(() => rm(directory, { recursive: true }));

const namesOf = async (reference: string) => (await readManifests([{ reference, directory }])).map(({ name }) => name);

describe('an outside plugin', () => {
  it.each(['codec.ts', './codec.ts', 'two-files.ts', 'some-codec', 'by-npm/codec.ts', 'by-npm/two-files.js'])(
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
    ['absent.ts', /plugin absent\.ts: there is no file .*absent\.ts/],
    ['absent-package', /plugin absent-package: no package of that name is installed for .*meltemi-plugins-/],
    [
      'plain.js',
      /plugin plain\.js: name: actual nothing, expected a text; .* It exports by default what defineCodec gives/,
    ],
    ['empty.ts', /its default export: actual an object .*, expected at least one codec or filter/],
    ['function.ts', /its default export: actual a function, expected an object of name, /],
    ['ends.ts', /plugin ends\.ts: ended its thread with code 3/],
    ['never.ts', /plugin never\.ts: waits for what never comes, in a top-level await/],
    ['null.js', /plugin null\.js: it threw null/],
    ['imports-typo.js', /plugin imports-typo\.js: file:.*\/typo\.js:2\n.*const a = ;/s],
    ['./by-npm', /plugin \.\/by-npm: actual a folder, expected the file in it that exports the plugin/],
    ['by-npm', /plugin by-npm: no package of that name is installed/],
    ['later-api.js', /plugin later-api\.js: .* was written for codec API \^9\.0\.0, this is /],
    ['built-in.js', /plugin built-in\.js: .*protocol thrift is already provided by plugin /],
    ['throws.ts', /plugin throws\.ts: no such luck \(.*throws\.ts:2:\d+\)/],
    ['rooms with ü/throws.cjs', /no such luck \(.*rooms with ü\/throws\.cjs:1:\d+\)/],
    ['enum.ts', /plugin enum\.ts: .*TypeScript enum is not supported/s],
    [
      'by-hand.ts',
      /: codecApi: actual "~1\.0\.0", expected a version such as "\^1\.0\.0"; codecs\[0\]\.manifest: actual an object .*, expected plain data: .*; codecs\[0\]\.manifest\.name: actual "Echo", expected lower case .*; codecs\[0\]\.manifest\.aliases: actual nothing, expected a list; codecs\[0\]\.concurrency: actual nothing, expected an object.*; codecs\[0\]\.createClientCodec: actual nothing, expected a function\./,
    ],
  ])('is refused with its reason: %s', async (reference, reason) => {
    await expect(namesOf(reference)).rejects.toThrow(reason);
  });

  it('is refused where another one has its protocol', async () => {
    const both = ['codec.ts', 'two-files.ts'].map((reference) => ({ reference, directory }));
    await expect(readManifests(both)).rejects.toThrow(
      'protocol echo-rpc is provided by plugin codec.ts and again by plugin two-files.ts',
    );
  });
});
