/** `meltemi codec test`: the conformance kit on a codec and its samples. */
import { readFile, writeFile } from 'node:fs/promises';
import { capabilityMatrix, withMatrix } from '../../conformance/capability-matrix.ts';
import { readSamples } from '../../conformance/read-samples.ts';
import { reportJunit, reportText } from '../../conformance/report.ts';
import { runConformance } from '../../conformance/run-conformance.ts';
import { ExitCode } from '../command.ts';
import { readInteger } from '../options.ts';
import { findCodec } from './find-codec.ts';
import { readCodecArguments } from './read-codec-arguments.ts';

export async function testCodecFile(argv: readonly string[]): Promise<number> {
  const { codec, values } = readCodecArguments(argv, {
    samples: { type: 'string', default: 'samples' },
    json: { type: 'boolean', default: false },
    junit: { type: 'string' },
    doc: { type: 'string' },
    seed: { type: 'string', default: '1' },
    fuzz: { type: 'string', default: '2000' },
  });
  const factory = await findCodec(codec);
  const report = runConformance({
    factory,
    samples: await readSamples(values.samples),
    seed: readInteger(values.seed, '--seed', 0, 0x7fff_ffff),
    fuzzInputs: readInteger(values.fuzz, '--fuzz', 0, 100_000_000),
  });
  process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : reportText(report));
  if (values.junit !== undefined) await writeFile(values.junit, reportJunit(report));
  if (values.doc !== undefined) {
    const before = await readFile(values.doc, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return `# ${factory.manifest.name}\n`;
      throw error;
    });
    await writeFile(values.doc, withMatrix(before, capabilityMatrix(factory.manifest, report.results)));
  }
  return report.passed ? ExitCode.Ok : ExitCode.Failure;
}
