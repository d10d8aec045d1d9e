/** `meltemi codec`: write, test, look into and measure a codec. */
import { type Command, UsageError } from '../command.ts';
import { benchCodec } from './bench-codec.ts';
import { decodeFrames } from './decode-frames.ts';
import { newCodec } from './new-codec.ts';
import { testCodecFile } from './test-codec-file.ts';

const SUBCOMMANDS: Readonly<Record<string, (argv: readonly string[]) => Promise<number>>> = {
  new: newCodec,
  test: testCodecFile,
  decode: decodeFrames,
  bench: benchCodec,
};

export const codecCommand: Command = {
  help: `Usage: meltemi codec new NAME [--directory DIR]
       meltemi codec test CODEC --samples DIR [--json] [--junit FILE] [--doc FILE] [--seed N] [--fuzz N]
       meltemi codec decode --codec CODEC [--responses] FILE|-
       meltemi codec bench CODEC --samples DIR [--messages N]

CODEC is a file (.ts or .js), a package, or the name of a built-in protocol.

  new      a folder with a codec that works, a server and a client for it, samples, tests and a mesh's configuration
  test     the conformance kit; exits with 1 when a check fails
             --json           the report as JSON
             --junit FILE     the report as JUnit XML besides
             --doc FILE       write the capability matrix into this Markdown file
             --seed N         of random input; a failure names it (1)
             --fuzz N         how many random inputs (2000)
  decode   raw bytes, hexadecimal digits or a dump with offsets in; fields with their offsets out. - is standard input
             --responses      a server's bytes; without it what cannot be requests is taken for them
  bench    time and memory of one request and its answer through the codec

Examples:
  meltemi codec new echo-rpc
  meltemi codec test echo-rpc/codec.ts --samples echo-rpc/samples
  xxd -p captured.bin | meltemi codec decode --codec echo-rpc/codec.ts -
  meltemi codec bench echo-rpc/codec.ts --samples echo-rpc/samples
`,
  run([name, ...argv]) {
    const run = name !== undefined && Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
    if (run === undefined) {
      throw new UsageError(`${name ?? 'nothing'}: expected one of ${Object.keys(SUBCOMMANDS).join(', ')}`);
    }
    return run(argv);
  },
};
