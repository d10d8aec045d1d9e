import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readSamples } from '../../../src/conformance/read-samples.ts';
import { CHECKS, runCheck } from '../../../src/conformance/run-conformance.ts';
import { Subject } from '../../../src/conformance/subject.ts';
import { BROKEN, GOOD } from './broken-codecs.ts';

const samples = await readSamples(fileURLToPath(new URL('../../../plugins/echo-rpc/samples', import.meta.url)));

describe('every check can fail', () => {
  it('and a broken codec shows it', () => {
    const shown = new Set(BROKEN.map(({ check }) => check));
    expect(CHECKS.map(({ name }) => name).filter((name) => !shown.has(name))).toEqual([]);
  });

  it.each(BROKEN)('$check fails for a codec that $mistake', ({ check: name, factory, reason }) => {
    const check = CHECKS.find((one) => one.name === name)!;
    expect(runCheck(check, new Subject({ factory: GOOD, samples })).verdict).toBe('passed');
    const result = runCheck(check, new Subject({ factory, samples }));
    expect(result.reason).toMatch(reason);
    expect(result.verdict).toBe('failed');
  });
});
