/** `meltemi codec new`: a folder to start from. It is the echo-rpc plugin under another name, so it always works. */
import { cp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ExitCode, UsageError } from '../command.ts';
import { readCodecArguments } from './read-codec-arguments.ts';

const TEMPLATE = fileURLToPath(new URL('../../../plugins/echo-rpc', import.meta.url));
const TEMPLATE_NAME = 'echo-rpc';
/** Our own tests of the template. */
const LEFT_OUT = ['codec.test.ts'];

export async function newCodec(argv: readonly string[]): Promise<number> {
  const { codec: name, values } = readCodecArguments(argv, { directory: { type: 'string' } }, 'NAME of the protocol');
  if (!/^[a-z][a-z0-9-]*$/.test(name)) throw new UsageError(`${name}: expected lower case letters, digits and dashes`);
  const directory = values.directory ?? name;
  if ((await stat(directory).catch(() => null)) !== null) throw new UsageError(`${directory} exists already`);
  await cp(TEMPLATE, directory, { recursive: true });
  for (const file of LEFT_OUT) await rm(join(directory, file), { force: true });
  const files = (await readdir(directory, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  for (const { parentPath, name: file } of files) await rename(join(parentPath, file), name);
  const here = relative(process.cwd(), directory);
  process.stdout.write(`${here}: a codec that works, its samples, a server, a client and a mesh for them

  meltemi codec test ${here}/codec.ts --samples ${here}/samples
  meltemi up -f ${here}/mesh --plugin ${here}/codec.ts --watch

Edit ${here}/codec.ts. ${here}/README.md says what is what.
`);
  return ExitCode.Ok;
}

async function rename(file: string, name: string): Promise<void> {
  const text = await readFile(file, 'utf8');
  const renamed = text.replaceAll(TEMPLATE_NAME, name).replace(', the subject of docs/write-a-codec.md', '');
  if (renamed !== text) await writeFile(file, renamed);
}
