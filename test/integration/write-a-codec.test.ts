import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodedText } from '../../src/cli/codec/decode-frames.ts';
import { readSamples } from '../../src/conformance/read-samples.ts';
import { runConformance } from '../../src/conformance/run-conformance.ts';
import type { CodecPlugin } from '../../src/sdk/define-codec.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const tutorial = await readFile(join(root, 'docs/write-a-codec.md'), 'utf8');

/** Blocks that say which file they are, in order. */
const blocks = [...tutorial.matchAll(/^```(?:ts|hex) (?<file>\S+)\n(?<text>[\s\S]*?)^```$/gm)].map(({ groups }) => ({
  file: groups!.file!,
  text: groups!.text!,
}));
const codecs = blocks.filter(({ file }) => file === 'codec.ts').map(({ text }) => text);

describe('docs/write-a-codec.md', () => {
  let folder = '';
  const plugins: CodecPlugin[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'meltemi-tutorial-'));
    for (const { file, text } of blocks.filter((block) => block.file !== 'codec.ts')) {
      await mkdir(dirname(join(folder, file)), { recursive: true });
      await writeFile(join(folder, file), text);
    }
    for (const [index, text] of codecs.entries()) {
      // Imports by the package's name are resolved inside the checkout only.
      const file = join(root, '.meltemi', 'tutorial', `codec-${index}.ts`);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, text);
      plugins.push(((await import(pathToFileURL(file).href)) as { default: CodecPlugin }).default);
    }
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('has a codec that works at every step', () => {
    expect(plugins.map(({ codecs: [codec] }) => codec.manifest.attributes.fixed.length)).toEqual([0, 2, 2]);
  });

  it('shows what decode prints', async () => {
    const bytes = (await readSamples(join(folder, 'samples'))).exchanges.find(({ name }) => name === 'say')!.request
      .bytes;
    const { text } = decodedText(plugins[0]!.codecs[0], bytes);
    expect(text).toBe(/^```\n(?<shown>request at byte 0[\s\S]*?)```$/m.exec(tutorial)!.groups!.shown);
  });

  it('ends with a codec that conforms and is that of plugins/echo-rpc', async () => {
    const report = runConformance({
      factory: plugins.at(-1)!.codecs[0],
      samples: await readSamples(join(folder, 'samples')),
    });
    expect(report.results.filter(({ verdict }) => verdict === 'failed')).toEqual([]);
    const plugin = await readFile(join(root, 'plugins/echo-rpc/codec.ts'), 'utf8');
    expect(plugin.slice(plugin.indexOf('import '))).toBe(codecs.at(-1));
    expect(plugin.trimEnd().split('\n').length).toBeLessThanOrEqual(50);
  });
});
