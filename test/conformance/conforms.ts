/** conforms: the kit's checks as tests, and the page docs/codecs/NAME.md compared with what they found. */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { capabilityMatrix, withMatrix } from '../../src/conformance/capability-matrix.ts';
import { readSamples } from '../../src/conformance/read-samples.ts';
import { CHECKS, type CheckResult, runCheck } from '../../src/conformance/run-conformance.ts';
import { Subject } from '../../src/conformance/subject.ts';
import type { CodecFactory } from '../../src/metaprotocol/codec.ts';

/** On `samples/NAME`. `MELTEMI_WRITE_DOCS=1 npx vitest run test/conformance` brings its page up to date. */
export async function conforms(factory: CodecFactory): Promise<void> {
  const { manifest } = factory;
  const page = new URL(`../../docs/codecs/${manifest.name}.md`, import.meta.url);
  const samples = await readSamples(fileURLToPath(new URL(`samples/${manifest.name}`, import.meta.url)));
  const subject = new Subject({ factory, samples });
  const results: CheckResult[] = [];

  describe(`${manifest.name} conforms`, () => {
    for (const check of CHECKS) {
      it(`${check.name}: ${check.title}`, () => {
        const result = runCheck(check, subject);
        results.push(result);
        expect(result.verdict === 'failed' ? result.reason : '').toBe('');
      });
    }

    it('has its matrix on its page', async () => {
      const document = await readFile(page, 'utf8');
      const updated = withMatrix(document, capabilityMatrix(manifest, results));
      if (process.env.MELTEMI_WRITE_DOCS === '1') await writeFile(page, updated);
      else expect(document).toBe(updated);
    });
  });
}
