import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readSamples } from '../../../src/conformance/read-samples.ts';
import { CHECKS, runCheck } from '../../../src/conformance/run-conformance.ts';
import type { Samples } from '../../../src/conformance/sample.ts';
import { Subject } from '../../../src/conformance/subject.ts';
import { BROKEN_CODECS } from './broken-codecs.ts';
import { BROKEN_STREAMS } from './broken-streams.ts';

const read = (folder: string) => readSamples(fileURLToPath(new URL(`../../../${folder}`, import.meta.url)));
const SAMPLES: Readonly<Record<string, Samples>> = {
  'echo-rpc': await read('plugins/echo-rpc/samples'),
  http1: await read('test/conformance/samples/http1'),
  tcp: await read('test/conformance/samples/tcp'),
};
const BROKEN = [...BROKEN_CODECS, ...BROKEN_STREAMS];

describe('every check can fail', () => {
  it('and a broken codec shows it', () => {
    const shown = new Set(BROKEN.map(({ check }) => check));
    expect(CHECKS.map(({ name }) => name).filter((name) => !shown.has(name))).toEqual([]);
  });

  it.each(BROKEN)('$check fails for $good.manifest.name that $mistake', ({ check: name, good, factory, reason }) => {
    const check = CHECKS.find((one) => one.name === name)!;
    const samples = SAMPLES[good.manifest.name]!;
    expect(runCheck(check, new Subject({ factory: good, samples })).verdict).not.toBe('failed');
    const result = runCheck(check, new Subject({ factory, samples }));
    expect(result.reason).toMatch(reason);
    expect(result.verdict).toBe('failed');
  });
});
