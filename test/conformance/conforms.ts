/** conforms: the kit's checks as tests, and the page docs/codecs/NAME.md compared with what they found. */
import { readFile, writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { capabilityMatrix, withMatrix } from '../../src/conformance/capability-matrix.ts';
import { CHECKS, type CheckResult, runCheck } from '../../src/conformance/run-conformance.ts';
import { type Conformance, Subject } from '../../src/conformance/subject.ts';

/** `page`: its Markdown file. `MELTEMI_WRITE_DOCS=1 npx vitest run test/conformance` brings it up to date. */
export function conforms(conformance: Conformance, page: URL): void {
  const subject = new Subject(conformance);
  const results: CheckResult[] = [];
  for (const check of CHECKS) {
    it(`${check.name}: ${check.title}`, () => {
      const result = runCheck(check, subject);
      results.push(result);
      expect(result.reason === '' ? 'passed' : result).toEqual(
        result.verdict === 'not applicable' ? expect.objectContaining({ verdict: 'not applicable' }) : 'passed',
      );
    });
  }

  it('has its matrix on its page', async () => {
    const document = await readFile(page, 'utf8');
    const { manifest } = conformance.factory;
    const updated = withMatrix(document, capabilityMatrix(manifest, results));
    if (process.env.MELTEMI_WRITE_DOCS === '1') await writeFile(page, updated);
    else expect(document).toBe(updated);
  });
}
