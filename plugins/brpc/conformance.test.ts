import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { capabilityMatrix, readSamples, runConformance, withMatrix } from 'meltemi/conformance';
import { describe, expect, it } from 'vitest';
import brpc from './codec.ts';
import { CODE_OF_STATUS } from './reply.ts';
import { codes } from './wire.ts';

const samples = await readSamples(fileURLToPath(new URL('samples', import.meta.url)));
const readme = new URL('README.md', import.meta.url);
const page = await readFile(readme, 'utf8');
const [factory] = brpc.codecs;
const { results } = runConformance({ factory, samples });

describe('brpc conforms', () => {
  for (const { name, title, verdict, reason } of results) {
    it(`${name}: ${title}`, () => expect(verdict === 'failed' ? reason : '').toBe(''));
  }

  it('has its matrix in the README', async () => {
    const updated = withMatrix(page, capabilityMatrix(factory.manifest, results));
    if (process.env.MELTEMI_WRITE_DOCS === '1') await writeFile(readme, updated);
    else expect(page).toBe(updated);
  });

  it('has its error replies in the README', () => {
    const rows = [...page.matchAll(/^\| `(\w+)` \| (\d+) `(\w+)` \|$/gm)].map(([, ...row]) => row.join(' '));
    const nameOf = (code: number) => Object.entries(codes).find(([, one]) => one === code)?.[0];
    expect(rows).toEqual(Object.entries(CODE_OF_STATUS).map(([status, code]) => `${status} ${code} ${nameOf(code)}`));
  });
});
