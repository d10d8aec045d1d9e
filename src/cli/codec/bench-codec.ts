/** `meltemi codec bench`: what one request and its answer cost in the codec, without network and proxy. */
import { measureCost } from '../../conformance/checks/cost.ts';
import { readSamples } from '../../conformance/read-samples.ts';
import { Subject } from '../../conformance/subject.ts';
import { ExitCode } from '../command.ts';
import { readInteger } from '../options.ts';
import { findCodec } from './find-codec.ts';
import { readCodecArguments } from './read-codec-arguments.ts';

export async function benchCodec(argv: readonly string[]): Promise<number> {
  const { codec, values } = readCodecArguments(argv, {
    samples: { type: 'string', default: 'samples' },
    messages: { type: 'string', default: '200000' },
  });
  const factory = await findCodec(codec);
  const subject = new Subject({ factory, samples: await readSamples(values.samples) });
  const messages = readInteger(values.messages, '--messages', 1_000, 100_000_000);
  process.stdout.write(
    `${factory.manifest.name}: request and answer, server and client codec, ${messages} times each\n`,
  );
  if (subject.repeatable.length === 0) process.stdout.write('  no request of the samples leaves its connection open\n');
  for (const exchange of subject.repeatable) {
    const { nanoseconds, allocatedBytes } = measureCost(subject, exchange, messages);
    const sizes = `${exchange.request.bytes.length} + ${exchange.response.bytes.length} bytes`;
    process.stdout.write(
      `  ${exchange.name} (${sizes}): ${nanoseconds.toFixed(0)} ns, ${allocatedBytes} bytes allocated\n`,
    );
  }
  return ExitCode.Ok;
}
